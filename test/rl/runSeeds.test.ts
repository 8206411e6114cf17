/** What follows a run's seed, and what does not: runs with different seeds are compared on the same held-out tasks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadRun, trainRun } from '../../src/rl/run.node.ts';
import { onEpisode, type TinySettings, tinyConfig, tinyEngine, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-run-seeds-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);

/** The tasks that a run meets in its evaluations and in training, in their order. */
async function tasksOf(name: string, settings: TinySettings) {
  const seen = { evaluation: new Set<string>(), rollout: new Set<string>() };
  let phase: keyof typeof seen = 'evaluation';
  onEpisode((task) => seen[phase].add(task));
  await trainRun(await tinyEngine(), {
    dir: join(folder, name),
    config: tinyConfig(world, settings),
    version: '1',
    onEvent: ({ kind }) => {
      if (kind === 'evaluation') phase = 'rollout';
      if (kind === 'iteration') phase = 'evaluation';
    },
  });
  onEpisode(undefined);
  return { evaluation: [...seen.evaluation], rollout: [...seen.rollout] };
}

it('held-out tasks follow evaluation.seed, the pool of training tasks the seed', async () => {
  const settings = (seed: number, evaluationSeed: number): TinySettings => ({
    seed,
    training: { iterations: 1, pool: 8, tasks: 8 },
    evaluation: { seed: evaluationSeed },
  });
  const first = await tasksOf('first', settings(1, 1));
  const otherSeed = await tasksOf('other seed', settings(2, 1));
  const otherTasks = await tasksOf('other tasks', settings(1, 2));
  expect(otherSeed.evaluation).toEqual(first.evaluation);
  expect(otherSeed.rollout).not.toEqual(first.rollout);
  expect(otherTasks.evaluation).not.toEqual(first.evaluation);
  expect(otherTasks.rollout).toEqual(first.rollout);

  const { trainer } = await loadRun(await tinyEngine(), join(folder, 'other seed'));
  const evaluated = new Set<string>();
  onEpisode((task) => evaluated.add(task));
  await trainer.evaluate();
  expect([...evaluated]).toEqual(first.evaluation);
});
