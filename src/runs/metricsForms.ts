/**
 * The metrics of a run in other forms: TensorBoard's event files, and a table of comma-separated values. Both can be
 * made of a run at any time, and follow one as it goes. `metrics.jsonl` is what counts: a run that goes on writes them
 * anew from it.
 */
import { appendFile, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { systemReason } from '../base/systemErrors.node.ts';
import { EventFileWriter, eventFileName, isOfRun } from './eventFile.ts';
import type { MetricRecord, MetricValue } from './metrics.ts';

/** Forms that follow a run, with their names in its folder. */
export const followerNames = { tensorboard: 'tensorboard', csv: 'metrics.csv' } as const;
export type MetricsForm = keyof typeof followerNames;

/** Takes the records of a run as they come. */
export interface MetricsFollower {
  append(record: MetricRecord): Promise<void>;
  close(): void;
}

/**
 * Writes records as an event file into a folder, in place of those that were there, and follows with more.
 * Tags are `train/success`, `eval/success/heat` and so on; the step is the iteration.
 * @param started when the run began, in milliseconds since 1970: the time of records that have none
 * @throws {ProxmoError} `file` if it cannot be written, or the folder has the events of another run
 */
export async function followAsEvents(
  records: readonly MetricRecord[],
  folder: string,
  started: number,
): Promise<MetricsFollower> {
  try {
    await mkdir(folder, { recursive: true });
    const earlier = (await readdir(folder)).filter(isOurEventFile);
    if (earlier.some((name) => !isOfRun(name, started / 1000))) throw anotherRun(folder);
    for (const name of earlier) await rm(join(folder, name));
    const writer = new EventFileWriter(join(folder, eventFileName(started / 1000)), started / 1000);
    const follower = {
      append: async (record: MetricRecord) =>
        writer.append(timeOf(record, started) / 1000, record.iteration, scalars(record)),
      close: () => writer.close(),
    };
    for (const record of records) await follower.append(record);
    return follower;
  } catch (error) {
    throw error instanceof ProxmoError ? error : unwritable(folder, error);
  }
}

/** Those of other programs stay. */
function isOurEventFile(name: string): boolean {
  return name.startsWith('events.out.tfevents.') && name.endsWith('.proxmo');
}

/** TensorBoard would draw the curves of two runs in one folder as one. */
function anotherRun(folder: string): ProxmoError {
  return new ProxmoError(
    'file',
    `${folder} has the events of another run; name a folder for each run, as ${join(folder, 'NAME')}.`,
  );
}

function timeOf({ time }: MetricRecord, started: number): number {
  const parsed = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(parsed) ? started : parsed;
}

function scalars({ kind, iteration: _, ...figures }: MetricRecord): [string, number][] {
  return Object.entries(figures)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => [`${kind}/${name}`, value]);
}

/**
 * Writes records as a table, a line each under a line of names, and follows with more. A cell is empty where a record
 * has no such figure.
 * @throws {ProxmoError} `file` if it cannot be written
 */
export async function followAsTable(records: readonly MetricRecord[], path: string): Promise<MetricsFollower> {
  const all = [...records];
  let columns = columnsOf(all);
  const rewrite = async () => writeFileAtomic(path, [tableOf(all, columns)]);
  try {
    await mkdir(dirname(path), { recursive: true });
    await rewrite();
  } catch (error) {
    throw unwritable(path, error);
  }
  return {
    append: async (record) => {
      all.push(record);
      if (Object.keys(record).every((name) => columns.includes(name))) {
        await appendFile(path, lineOf(record, columns));
        return;
      }
      columns = columnsOf(all);
      await rewrite();
    },
    close: () => undefined,
  };
}

/** In the order in which the figures first come, kind and iteration first. */
function columnsOf(records: readonly MetricRecord[]): string[] {
  return [...new Set(['kind', 'iteration', ...records.flatMap((record) => Object.keys(record))])];
}

function tableOf(records: readonly MetricRecord[], columns: readonly string[]): string {
  return [`${columns.map(cell).join(',')}\n`, ...records.map((record) => lineOf(record, columns))].join('');
}

function lineOf(record: MetricRecord, columns: readonly string[]): string {
  return `${columns.map((column) => cell(record[column] ?? null)).join(',')}\n`;
}

/** By RFC 4180. */
function cell(value: MetricValue): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What a run's `logging` asks for, in the run's folder. */
export async function followRun(
  forms: readonly MetricsForm[],
  dir: string,
  records: readonly MetricRecord[],
  started: number,
): Promise<MetricsFollower> {
  const followers: MetricsFollower[] = [];
  if (forms.includes('tensorboard'))
    followers.push(await followAsEvents(records, join(dir, followerNames.tensorboard), started));
  if (forms.includes('csv')) followers.push(await followAsTable(records, join(dir, followerNames.csv)));
  return {
    append: async (record) => {
      for (const follower of followers) await follower.append(record);
    },
    close: () => {
      for (const follower of followers) follower.close();
    },
  };
}

function unwritable(path: string, error: unknown): ProxmoError {
  return new ProxmoError(
    'file',
    `${path} cannot be written: ${systemReason(error)}; check the path and the space there.`,
    { cause: error },
  );
}
