/** Reads what a run wrote down of its turns, by iteration and group; also while the run goes on. */
import type { Run } from '../../runs/run.ts';
import { type RecordedRow, type RolloutIndex, recordedRowSchema, rolloutIndexSchema } from './record.ts';

/**
 * The index of an iteration; null where its rows were not kept, it is not done yet, or the version of proxmo that
 * trained it kept none.
 * @param iteration counted from 1
 * @throws {ProxmoError} `file` if it is damaged
 */
export function readRolloutIndex(run: Run, iteration: number): Promise<RolloutIndex | null> {
  return run.rollouts.readIndex(iteration, rolloutIndexSchema);
}

/**
 * The rows of a group, in the order of its episodes and their steps; null where they were not kept.
 * @param group index into `groups` of the iteration's index
 * @throws {ProxmoError} `file` if they are damaged
 */
export async function readGroupRows(run: Run, index: RolloutIndex, group: number): Promise<RecordedRow[] | null> {
  const place = index.groups[group]?.rows;
  return place ? run.rollouts.readRows(index.iteration, place, recordedRowSchema) : null;
}
