/** Choosing the tasks of an environment that a command plays. */
import { ProxmoError } from '../base/errors.ts';
import type { Split, Task, TaskSet } from '../envs/environment.ts';
import { noSuchName } from './noSuchName.ts';

interface TaskChoice {
  readonly split: Split;
  /** Of all types by default. */
  readonly type?: string;
  readonly seed: number;
}

/**
 * The first tasks of a split, of one type or of all.
 * @throws {ProxmoError} `usage` if there is no such type, or none of its tasks in the split
 */
export function chooseTasks(taskSet: TaskSet, count: number, { split, type, seed }: TaskChoice): [Task, ...Task[]] {
  const { types } = taskSet;
  if (type !== undefined && !types.includes(type)) throw noSuchName('task type', type, types);
  // Task types take turns, so this many tasks hold enough of each.
  const [first, ...others] = taskSet
    .tasks(split, count * (type === undefined ? 1 : types.length), seed)
    .filter((task) => type === undefined || task.type === type)
    .slice(0, count);
  if (first) return [first, ...others];
  const what = type === undefined ? 'task' : `task of the type ${type}`;
  throw new ProxmoError('usage', `The ${split} split has no ${what}; choose another one.`);
}
