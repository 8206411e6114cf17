/** Reads what a run wrote down of its turns, by iteration and group; also while the run goes on. */
import type { Run } from '../../runs/run.ts';
import { type PlayedIndex, type PlayedRow, type RecordedRow, type RolloutIndex, recordSchemas } from './record.ts';

/**
 * The index of an iteration; null where its rows were not kept, it is not done yet, or the version of proxmo that
 * trained it kept none.
 * @param iteration counted from 1
 * @throws {ProxmoError} `file` if it is damaged
 */
export async function readRolloutIndex(run: Run, iteration: number): Promise<RolloutIndex | null> {
  const found = await run.rollouts.readIndex({ split: 'training', iteration }, recordSchemas.training.index);
  return found?.value ?? null;
}

/**
 * The rows of a group, in the order of its episodes and their steps; null where they were not kept.
 * @param group index into `groups` of the iteration's index
 * @throws {ProxmoError} `file` if they are damaged
 */
export async function readGroupRows(run: Run, index: RolloutIndex, group: number): Promise<RecordedRow[] | null> {
  const place = index.groups[group]?.rows;
  if (!place) return null;
  const batch = { split: 'training', iteration: index.iteration } as const;
  return (await run.rollouts.readRows(batch, place, recordSchemas.training.row)).value;
}

/** The rows of all groups that were kept, in the order of the file. @throws {ProxmoError} as `readGroupRows` */
export async function readKeptRows(run: Run, index: RolloutIndex): Promise<RecordedRow[]> {
  const rows: RecordedRow[] = [];
  for (const group of index.groups.keys()) rows.push(...((await readGroupRows(run, index, group)) ?? []));
  return rows;
}

/**
 * The index of the evaluation after an iteration; null where its episodes were not kept, or there was none.
 * @param iteration iterations that were done; 0 before training
 * @throws {ProxmoError} `file` if it is damaged
 */
export async function readHeldOutIndex(run: Run, iteration: number): Promise<PlayedIndex | null> {
  const found = await run.rollouts.readIndex({ split: 'held-out', iteration }, recordSchemas['held-out'].index);
  return found?.value ?? null;
}

/**
 * The rows of a held-out episode; null where they were not kept.
 * @param group index into `groups` of the evaluation's index
 * @throws {ProxmoError} `file` if they are damaged
 */
export async function readHeldOutRows(run: Run, index: PlayedIndex, group: number): Promise<PlayedRow[] | null> {
  const place = index.groups[group]?.rows;
  if (!place) return null;
  const batch = { split: 'held-out', iteration: index.iteration } as const;
  return (await run.rollouts.readRows(batch, place, recordSchemas['held-out'].row)).value;
}
