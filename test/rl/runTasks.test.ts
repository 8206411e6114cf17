/** The tasks of a run: asked for once, when they are needed, and looked at. */
import { describe, expect, it } from 'vitest';
import type { Split, Task, TaskSet } from '../../src/envs/environment.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { RunTasks } from '../../src/rl/runTasks.ts';

const list = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ id: `door-${from + i}`, type: 'open' }));

function runTasks(
  give: (split: Split, count: number) => readonly Task[],
  warmStartTasks = 0,
  more: Partial<TaskSet> = {},
  skip = 0,
) {
  const asked: string[] = [];
  const taskSet = {
    createExpert: () => ({}),
    ...more,
    name: 'lab',
    types: ['open'],
    tasks(split: Split, count: number, seed: number) {
      asked.push(`${split} ${count} ${seed}`);
      return give(split, count);
    },
  } as unknown as TaskSet;
  const config = trainConfigSchema.parse({
    seed: 5,
    warmStart: { tasks: warmStartTasks },
    training: { pool: 6, tasks: 2, skip },
    evaluation: { split: 'unseen', tasks: 4, seed: 7 },
  });
  return { tasks: new RunTasks(taskSet, config), asked };
}

describe('the tasks of a run', () => {
  it('are asked for once, and not before they are needed', () => {
    const { tasks, asked } = runTasks((split, count) => list(count, split === 'train' ? 0 : 50), 6);
    expect(asked).toEqual([]);
    expect(tasks.heldOut).toHaveLength(4);
    expect(asked).toEqual(['unseen 4 7']);
    expect(tasks.training).toBe(tasks.training);
    expect(tasks.demonstrated).toHaveLength(6);
    expect(tasks.leak).toBeNull();
    expect(asked).toEqual(['unseen 4 7', 'train 6 5']);
  });

  it('that iterations play begin behind those that are skipped', () => {
    const { tasks, asked } = runTasks((split, count) => list(count, split === 'train' ? 0 : 50), 4, {}, 4);
    expect(tasks.training.map(({ id }) => id)).toEqual(list(6, 4).map(({ id }) => id));
    expect(tasks.training).toBe(tasks.training);
    expect(tasks.demonstrated.map(({ id }) => id)).toEqual(list(4).map(({ id }) => id));
    expect(asked).toEqual(['train 10 5', 'train 4 5']);
  });

  it('that are held out and trained on are told', () => {
    const { tasks } = runTasks((split, count) => list(count, split === 'train' ? 0 : 3));
    expect(tasks.leak).toMatch(/^3 of the 4 unseen tasks, as door-3, are training tasks of this run too/);
    const shown = runTasks((_, count) => list(count, count === 4 ? 8 : 0), 10);
    expect(shown.tasks.leak).toMatch(/^2 of the 4 unseen tasks, as door-8/);
  });

  it.each([
    ['comes twice', [...list(3), ...list(3)], /lab: the train split gives the task door-0 twice; proxmo env check/],
    ['is missing, though the split has it', list(5), /lab: the train split gives 5 tasks, not 6/],
    ['is none', [...list(5), undefined as unknown as Task], /lab: the task is undefined, not an object/],
  ])('are refused where one %s', (_, given, message) => {
    expect(() => runTasks(() => given).tasks.training).toThrow(
      expect.objectContaining({ code: 'environment', message: expect.stringMatching(message) }),
    );
  });

  it('are all of a split that has fewer than are asked for, with notes', () => {
    const sizes = { train: 5, seen: 3, unseen: 3 };
    const give = (split: Split, count: number) => list(Math.min(count, sizes[split]), split === 'train' ? 0 : 50);
    const { tasks } = runTasks(give, 20, { allTasks: (split) => list(sizes[split]) });
    expect([tasks.demonstrated, tasks.training, tasks.heldOut].map(({ length }) => length)).toEqual([5, 5, 3]);
    expect(tasks.notes).toEqual([
      'The train split of lab has 5 tasks, so 5 are demonstrated and not 20 (warmStart.tasks).',
      'The train split of lab has 5 tasks, so 5 are trained on and not 6 (training.pool).',
      'The unseen split of lab has 3 tasks, so 3 are evaluated on and not 4 (evaluation.tasks).',
    ]);
    expect(() => runTasks(give, 20).tasks.demonstrated).toThrow(/gives 5 tasks, not 20/);
  });

  it('are refused where an iteration takes more than there are, by the settings that ask for them', () => {
    const there = (count: number, skip: number) =>
      runTasks((_, asked) => list(asked), 0, { allTasks: () => list(count) }, skip).tasks;
    expect(() => there(1, 0).training).toThrow(
      'The train split of lab has 1 tasks, but an iteration takes 2 (training.tasks); set it lower, or give the environment more tasks.',
    );
    expect(() => there(5, 4).training).toThrow(
      'The train split of lab has 5 tasks, of which the first 4 are left out (training.skip), but an iteration takes 2 (training.tasks); set one of them lower,',
    );
    expect(there(6, 4).training.map(({ id }) => id)).toEqual(['door-4', 'door-5']);
  });

  it('are not demonstrated without an expert, with a note', () => {
    const give = (split: Split, count: number) => list(count, split === 'train' ? 0 : 50);
    const { tasks } = runTasks(give, 20, { createExpert: undefined } as never);
    expect(tasks.demonstrated).toEqual([]);
    expect(tasks.notes).toEqual([expect.stringMatching(/^lab has no expert to learn from, so there is no warm start/)]);
    expect(runTasks(give, 0, { createExpert: undefined } as never).tasks.notes).toEqual([]);
  });
});
