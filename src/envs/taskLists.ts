/** Task sets whose tasks are a list: how the list falls into splits, and which tasks of a split are handed out. */
import { ProxmoError } from '../base/errors.ts';
import { groupBy } from '../base/groupBy.ts';
import type { Split, Task } from './environment.ts';
import { hashText, RandomStream } from './random.ts';

export const splits = ['train', 'seen', 'unseen'] as const satisfies readonly Split[];

export type TasksBySplit<T extends Task> = Readonly<Record<Split, readonly T[]>>;

/**
 * Splits a list of tasks by their ids: of each type, a share is held out of training and makes both held-out splits. A
 * task stays where it is while others come and go around it, as far as the shares allow.
 * @param heldOut share of the tasks that is held out, from 0 to 1; of two tasks of a type or more, at least one is
 */
export function splitTasks<T extends Task>(tasks: readonly T[], heldOut: number): TasksBySplit<T> {
  const train: T[] = [];
  const rest: T[] = [];
  for (const members of groupBy(tasks, ({ type }) => type).values()) {
    const order = members
      .map((task) => ({ task, key: hashText(task.id) }))
      .sort((a, b) => a.key - b.key || (a.task.id < b.task.id ? -1 : 1));
    const count =
      members.length < 2 ? 0 : Math.min(members.length - 1, Math.max(1, Math.round(heldOut * members.length)));
    for (const [index, { task }] of order.entries()) (index < count ? rest : train).push(task);
  }
  return { train, seen: rest, unseen: rest };
}

/**
 * Tasks of a list, distinct, in an order fixed by the seed; types take turns.
 * @param note what there is to say of the split where it falls short, as ` (3 left out)`
 * @throws {ProxmoError} `config` if the list has fewer
 */
export function chooseTasks<T extends Task>(
  setName: string,
  split: Split,
  tasks: readonly T[],
  count: number,
  seed: number,
  note: () => string = () => '',
): readonly T[] {
  if (tasks.length < count) {
    throw new ProxmoError(
      'config',
      `${setName}: the ${split} split has ${tasks.length} tasks, not ${count}${note()}; ask for fewer, or provide more.`,
    );
  }
  const byType = [...groupBy(tasks, ({ type }) => type).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, members]) => new RandomStream(seed, hashText(type)).shuffle(members));
  return [...takeTurns(byType)].slice(0, count);
}

/** One of each row in turn, as long as any are left. */
export function* takeTurns<T>(rows: readonly (readonly T[])[]): Generator<T> {
  const longest = Math.max(0, ...rows.map((row) => row.length));
  for (let turn = 0; turn < longest; turn++) {
    for (const row of rows) if (turn < row.length) yield row[turn]!;
  }
}
