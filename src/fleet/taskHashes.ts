/** The tasks of a run by their hashes, by which a worker with other data is noticed. */
import { sha256 } from '../base/sha256.ts';
import type { Task } from '../envs/environment.ts';
import { type RunTasks, taskListing } from '../rl/runTasks.ts';

export async function taskHashes({ training, heldOut }: Pick<RunTasks, 'training' | 'heldOut'>) {
  const hash = (tasks: readonly Task[]) => sha256(taskListing(tasks));
  return { training: await hash(training), heldOut: await hash(heldOut) };
}
