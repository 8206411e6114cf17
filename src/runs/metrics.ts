/**
 * The metrics of a run: `metrics.jsonl`, one JSON object a line, only ever appended to. Every record names its kind and
 * the iteration it belongs to, and iterations never fall, so a run that resumes from a checkpoint cuts the file after
 * that iteration and goes on as if it had never stopped. JSON has no NaN or infinities; they are written as the strings
 * `NaN`, `Infinity` and `-Infinity` and read back as numbers.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { parseJson } from './json.ts';

export type MetricValue = number | string | boolean | null;

/** One line. Values are flat: a figure for each task type is `success/heat`, `success/cool` and so on. */
export interface MetricRecord {
  /** What the record reports on, for example `train` or `eval`. */
  readonly kind: string;
  /** Iterations that were done when it was taken; 0 before training. */
  readonly iteration: number;
  readonly [metric: string]: MetricValue;
}

const recordSchema: z.ZodType<MetricRecord> = z
  .object({ kind: z.string(), iteration: z.int().nonnegative() })
  .catchall(z.union([z.number(), z.string(), z.boolean(), z.null()]));

const nonFinite = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** Appends records to a metrics file. A line reaches the system whole, in one write, before `append` returns. */
export class MetricsWriter {
  readonly path: string;
  readonly #file: number;
  #lastIteration: number;

  /**
   * Opens a metrics file, and makes it if there is none. What follows the records of iteration `keepUntil` is cut off,
   * and so is a last line without its end.
   * @param keepUntil the iteration to go on from; null to start with an empty file
   * @throws {ProxmoError} `file` if a whole line is not a metric record.
   */
  constructor(path: string, keepUntil: number | null) {
    this.path = path;
    const kept = keepUntil === null ? [] : existingLines(path).filter(({ record }) => record.iteration <= keepUntil);
    this.#lastIteration = kept.at(-1)?.record.iteration ?? 0;
    this.#file = openSync(path, 'a');
    const end = kept.at(-1)?.end ?? 0;
    if (fstatSync(this.#file).size > end) ftruncateSync(this.#file, end);
  }

  /** Appends a record. @throws {ProxmoError} `data` if its iteration is below the one before, or not a count. */
  append(record: MetricRecord): void {
    if (!(Number.isInteger(record.iteration) && record.iteration >= this.#lastIteration)) {
      const { kind, iteration } = record;
      throw new ProxmoError(
        'data',
        `Metrics: a \`${kind}\` record of iteration ${iteration} cannot follow iteration ${this.#lastIteration}.`,
      );
    }
    const line = Buffer.from(`${JSON.stringify(record, writable)}\n`);
    for (let done = 0; done < line.length; ) done += writeSync(this.#file, line, done);
    this.#lastIteration = record.iteration;
  }

  /** Flushes to the disk, so that what was appended survives a loss of power. */
  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * All records of a metrics file, in order. A last line without its end is left out: a writer may be at work on it.
 * @throws {ProxmoError} `file` if the file is missing or a whole line is not a metric record.
 */
export async function readMetrics(path: string): Promise<MetricRecord[]> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ProxmoError('file', `${path} cannot be read (${cause.code}); give a run folder with its metrics.`, {
      cause,
    });
  });
  return parseLines(bytes, path).map(({ record }) => record);
}

/** A record, and where its line ends in the file. */
interface Line {
  readonly record: MetricRecord;
  readonly end: number;
}

function existingLines(path: string): Line[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return parseLines(bytes, path);
}

function parseLines(bytes: Buffer, path: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, start)) {
    const record = parseJson(bytes.toString('utf8', start, newline), recordSchema, `${path} line ${lines.length + 1}`);
    const last = lines.at(-1)?.record.iteration ?? 0;
    if (record.iteration < last) {
      throw new ProxmoError(
        'file',
        `${path} line ${lines.length + 1} goes back from iteration ${last} to ${record.iteration}; it is damaged.`,
      );
    }
    start = newline + 1;
    lines.push({ record: readable(record), end: start });
  }
  return lines;
}

function writable(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function readable(record: MetricRecord): MetricRecord {
  const entries = Object.entries(record).map(([key, value]) => [key, nonFinite.get(value as string) ?? value]);
  return Object.fromEntries(entries) as MetricRecord;
}
