/** The tasks of a run by their hashes, by which a worker with other data is noticed. */
import type { Task } from '../envs/environment.ts';
import { type RunTasks, taskListing } from '../rl/runTasks.ts';
import { sha256 } from './codec.ts';

export async function taskHashes({ training, heldOut }: Pick<RunTasks, 'training' | 'heldOut'>) {
  const hash = (tasks: readonly Task[]) => sha256(new TextEncoder().encode(taskListing(tasks)));
  return { training: await hash(training), heldOut: await hash(heldOut) };
}
