/** Which tasks iterations play. */
import { describe, expect, it } from 'vitest';
import type { Task } from '../../src/envs/environment.ts';
import { type TaskSampler, taskSampler } from '../../src/rl/taskSampler.ts';

const tasksOf = (type: string, count: number): Task[] =>
  Array.from({ length: count }, (_, i) => ({ id: `${type}-${i + 1}`, type }));

const sampler = (pool: readonly Task[], kind: 'in-turn' | 'mixed-outcomes', tasks: number) =>
  taskSampler(pool, { training: { tasks, taskSampler: kind }, seed: 1 });

const idsOf = (chosen: readonly Task[]) => chosen.map(({ id }) => id).join(' ');

/** Plays an iteration in which groups of a type have these scores. */
function play(of: TaskSampler, iteration: number, scores: Readonly<Record<string, readonly number[]>>): Task[] {
  const tasks = [...of.choose(iteration)];
  of.note(
    tasks,
    tasks.flatMap((task) => (scores[task.type] ?? []).map((score) => ({ task, score }))),
  );
  return tasks;
}

describe('tasks in turn', () => {
  it('go through the pool and begin again', () => {
    const turns = sampler([...tasksOf('heat', 2), ...tasksOf('cool', 3)], 'in-turn', 2);
    expect([0, 1, 2].map((iteration) => idsOf(turns.choose(iteration)))).toEqual([
      'heat-1 heat-2',
      'cool-1 cool-2',
      'cool-3 heat-1',
    ]);
    expect(turns.state).toBeNull();
  });
});

describe('tasks by mixed outcomes', () => {
  const pool = [...tasksOf('heat', 40), ...tasksOf('cool', 40), ...tasksOf('look', 40)];
  const even = [1, 0, 1, 0];

  it('begin with all types alike, and each type goes through its tasks', () => {
    const mixed = sampler(pool, 'mixed-outcomes', 3);
    expect(idsOf(mixed.choose(0))).toBe('heat-1 cool-1 look-1');
    play(mixed, 0, { heat: even, cool: even, look: even });
    expect(idsOf(mixed.choose(1))).toBe('heat-2 cool-2 look-2');
  });

  it('become those in which the episodes of a group end differently', () => {
    const mixed = sampler(pool, 'mixed-outcomes', 6);
    const counts: Record<string, number> = {};
    for (let iteration = 0; iteration < 60; iteration++) {
      const tasks = play(mixed, iteration, { heat: [1, 1, 1, 1], cool: [0, 0, 0, 0], look: even });
      if (iteration >= 40) for (const { type } of tasks) counts[type] = (counts[type] ?? 0) + 1;
    }
    // In the end the weights are 0.05, 0.05 and 1.05, which are 5.2, 5.2 and 109.6 of 120 groups.
    expect(counts.look).toBeGreaterThanOrEqual(100);
    expect(counts.heat).toBeGreaterThanOrEqual(4);
    expect(counts.cool).toBeGreaterThanOrEqual(4);
  });

  it('count a group by the variance of its scores', () => {
    const mixed = sampler(pool, 'mixed-outcomes', 3);
    play(mixed, 0, { heat: [1, 1, 1, 0], cool: [0.5, 0.5, 1, 0], look: [0.7, 0.7, 0.7, 0.7] });
    // 4 · p (1 − p) = 0.75, 4 · 0.125 = 0.5 and 0; a group weighs 0.1 against the first guess, 1.
    const { heat, cool, look } = mixed.state as Record<string, { difference: number }>;
    expect(heat!.difference).toBeCloseTo(0.975, 12);
    expect(cool!.difference).toBeCloseTo(0.95, 12);
    expect(look!.difference).toBeCloseTo(0.9, 12);
  });

  it('are all different, however few a type has', () => {
    const mixed = sampler([...tasksOf('heat', 1), ...tasksOf('cool', 3)], 'mixed-outcomes', 4);
    for (let iteration = 0; iteration < 20; iteration++) {
      const tasks = play(mixed, iteration, { heat: even, cool: [1, 1, 1, 1] });
      expect(new Set(tasks).size).toBe(4);
    }
  });

  it('are the same when asked again, and go on from a saved state', () => {
    const undisturbed = sampler(pool, 'mixed-outcomes', 4);
    const stopped = sampler(pool, 'mixed-outcomes', 4);
    const scores = { heat: even, cool: [1, 1, 1, 0], look: [0, 0, 0, 0] };
    for (let iteration = 0; iteration < 7; iteration++)
      for (const each of [undisturbed, stopped]) play(each, iteration, scores);
    const resumed = sampler(pool, 'mixed-outcomes', 4);
    resumed.state = JSON.parse(JSON.stringify(stopped.state));
    for (let iteration = 7; iteration < 14; iteration++) {
      expect(idsOf(resumed.choose(iteration))).toBe(idsOf(undisturbed.choose(iteration)));
      expect(idsOf(play(resumed, iteration, scores))).toBe(idsOf(play(undisturbed, iteration, scores)));
    }
  });

  it('are learned nothing of by a group that was left out', () => {
    const mixed = sampler(pool, 'mixed-outcomes', 3);
    const tasks = mixed.choose(0);
    mixed.note(tasks, []);
    expect(mixed.state).toMatchObject({ heat: { difference: 1, credit: 0, played: 1 } });
  });
});
