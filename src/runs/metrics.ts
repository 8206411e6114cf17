/**
 * The metrics of a run: `metrics.jsonl`, one JSON object a line, only ever appended to. Every record names its kind and
 * the iteration it belongs to, and iterations never fall, so a run that resumes from a checkpoint cuts the file where
 * it was then and goes on as if it had never stopped. JSON has no NaN or infinities; they are written as the strings
 * `NaN`, `Infinity` and `-Infinity` and read back as numbers.
 */
import { closeSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { aboutPath, systemReason } from '../base/systemErrors.node.ts';
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

/** Where the metrics stood at some time: the last iteration, and the number of records of that one. */
export interface MetricsMark {
  readonly iteration: number;
  readonly records: number;
}

/** The metrics of a run that goes on, taken apart at a mark. */
export interface MetricsHistory {
  /** Bytes of the file up to the mark. */
  readonly end: number;
  /** Where the records up to there end: at the mark, or before it where some are missing. */
  readonly mark: MetricsMark;
  /** What follows them, with a last line that may have no end. */
  readonly rest: Buffer;
}

const beginning: MetricsMark = { iteration: 0, records: 0 };

/**
 * Reads what there is of a metrics file. Nothing is changed.
 * @param mark where the run goes on from; null for its beginning
 * @returns null where there is no file
 * @throws {ProxmoError} `file` if a whole line is not a metric record
 */
export function readMetricsHistory(path: string, mark: MetricsMark | null): MetricsHistory | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const [end, reached] = mark === null ? [0, beginning] : keptUntil(parseLines(bytes, path), mark);
  return { end, mark: reached, rest: bytes.subarray(end) };
}

function keptUntil(lines: readonly Line[], until: MetricsMark): [end: number, mark: MetricsMark] {
  const before = lines.filter(({ record }) => record.iteration < until.iteration);
  const last = lines.filter(({ record }) => record.iteration === until.iteration).slice(0, until.records);
  const end = (last.at(-1) ?? before.at(-1))?.end ?? 0;
  return [end, last.reduce(following, before.reduce(following, beginning))];
}

function following(mark: MetricsMark, { record: { iteration } }: { readonly record: MetricRecord }): MetricsMark {
  return { iteration, records: iteration === mark.iteration ? mark.records + 1 : 1 };
}

/** Appends records to a metrics file. A line reaches the system whole, or not at all, before `append` returns. */
export class MetricsWriter {
  readonly path: string;
  readonly #file: number;
  #end: number;
  #mark: MetricsMark;

  /**
   * Opens a metrics file, and makes it if there is none.
   * @param history to go on from, after which the file is cut; null for a file that is not there yet
   */
  constructor(path: string, history: Pick<MetricsHistory, 'end' | 'mark'> | null) {
    this.path = path;
    // Windows cuts no file that is open for appending.
    if (history) truncateSync(path, history.end);
    this.#file = openSync(path, history ? 'a' : 'ax');
    this.#end = history?.end ?? 0;
    this.#mark = history?.mark ?? beginning;
  }

  /** Where the metrics stand, for a checkpoint. */
  get mark(): MetricsMark {
    return this.#mark;
  }

  /** Appends a record. @throws {ProxmoError} `data` if its iteration is below the one before, or not a count. */
  append(record: MetricRecord): void {
    const { kind, iteration } = record;
    if (!(Number.isInteger(iteration) && iteration >= this.#mark.iteration)) {
      throw new ProxmoError(
        'data',
        `Metrics: a \`${kind}\` record of iteration ${iteration} cannot follow iteration ${this.#mark.iteration}.`,
      );
    }
    const line = Buffer.from(`${JSON.stringify(record, writable)}\n`);
    try {
      for (let done = 0; done < line.length; ) done += writeSync(this.#file, line, done);
    } catch (error) {
      truncateSync(this.path, this.#end);
      throw aboutPath(error, this.path);
    }
    this.#end += line.length;
    this.#mark = following(this.#mark, { record });
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
    throw new ProxmoError(
      'file',
      `${path} cannot be read: ${systemReason(cause)}; give a run folder with its metrics.`,
      {
        cause,
      },
    );
  });
  return parseLines(bytes, path).map(({ record }) => record);
}

/** A line as a record, its non-finite figures as the strings that stand for them; null if it is none. */
export function parseRecord(line: string): MetricRecord | null {
  try {
    return recordSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** A record, and where its line ends in the file. */
interface Line {
  readonly record: MetricRecord;
  readonly end: number;
}

function parseLines(bytes: Buffer, path: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, start)) {
    const place = `${path} line ${lines.length + 1}`;
    const record = parseJson(bytes.toString('utf8', start, newline), recordSchema, place, remedy);
    const last = lines.at(-1)?.record.iteration ?? 0;
    if (record.iteration < last) {
      throw new ProxmoError('file', `${place} goes back from iteration ${last} to ${record.iteration}; ${remedy}.`);
    }
    start = newline + 1;
    lines.push({ record: readable(record), end: start });
  }
  return lines;
}

const remedy = 'restore the file from a copy, or remove that line';

function writable(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function readable(record: MetricRecord): MetricRecord {
  const entries = Object.entries(record).map(([key, value]) => [key, nonFinite.get(value as string) ?? value]);
  return Object.fromEntries(entries) as MetricRecord;
}
