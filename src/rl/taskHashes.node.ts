/** By which a run that goes on notices that its environment gives other tasks than before. */
import { createHash } from 'node:crypto';
import { ProxmoError } from '../base/errors.ts';
import type { Task } from '../envs/environment.ts';
import { type RunTasks, taskListing } from './runTasks.ts';
import type { RunProgress } from './trainerState.node.ts';

type TaskHashes = RunProgress['tasks'];

/** SHA-256 of the ids and types of the tasks. */
export function taskHashes({ training, heldOut }: RunTasks): TaskHashes {
  const hash = (tasks: readonly Task[]) => createHash('sha256').update(taskListing(tasks)).digest('hex');
  return { training: hash(training), heldOut: hash(heldOut) };
}

/** @throws {ProxmoError} `environment` if the tasks are not those that the run began with */
export function checkTasks(before: TaskHashes, now: TaskHashes): void {
  const what = before.heldOut !== now.heldOut ? 'held-out' : before.training !== now.training ? 'training' : null;
  if (what === null) return;
  throw new ProxmoError(
    'environment',
    `The environment gives other ${what} tasks than when the run began, so its figures could not be compared; restore the environment's data, or start a new run.`,
  );
}
