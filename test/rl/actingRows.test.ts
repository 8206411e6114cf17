/**
 * A run that plays more episodes than it ever did in training plays more of them at once, where the memory of its
 * settings allows.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Profiler } from '../../src/gpu/profiler.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { planRun } from '../../src/rl/planRun.node.ts';
import { playEpisodes } from '../../src/rl/rollout.ts';
import { loadRun, trainRun } from '../../src/rl/run.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const dir = join(mkdtempSync(join(tmpdir(), 'proxmo-acting-rows-')), 'run');
afterAll(() => rmSync(join(dir, '..'), { recursive: true, force: true }));

const config = trainConfigSchema.parse({
  environment: { options: { receptacles: 4, objects: 3, maxSteps: 8, rooms: 400 } },
  prompt: { maxTokens: 128 },
  policy: { dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 24 },
  sampling: { maxNewTokens: 2, blockSize: 2 },
  warmStart: { tasks: 0 },
  training: { iterations: 0, pool: 2, tasks: 2, groupSize: 2 },
  optimiser: { microBatchTokens: 512 },
  evaluation: { tasks: 6 },
});
const episodes = 40;
const adapter = testAdapters.at(-1)!;

/** Plays 40 episodes with a run that was told of `announced`. */
async function play(announced?: number) {
  const gpu = await testDevice(adapter);
  const { trainer } = await loadRun(new Engine(gpu), dir, undefined, announced);
  const { policy, taskSet } = trainer;
  const rows = new Set<number>();
  gpu.runner = new Profiler(gpu, ({ program }) => rows.add(Number(/(\d+) rows/.exec(program)?.[1])), 'serialised');
  const { episodes: played } = await playEpisodes(policy.player, taskSet, taskSet.tasks('unseen', episodes, 1), {
    controls: policy.evaluationControls,
    firstEpisode: 0,
  });
  gpu.runner = null;
  return { rows: Math.max(...rows), actions: played.map(({ steps }) => steps.map(({ action }) => action)) };
}

it('answers 40 episodes in one batch, as in batches of those that training had', async () => {
  await trainRun(new Engine(await testDevice(adapter)), { dir, config, version: '1' });
  const [few, many] = [await play(), await play(episodes)];
  expect([few.rows, many.rows]).toEqual([8, 40]);
  expect(many.actions).toHaveLength(episodes);
  expect(many.actions).toEqual(few.actions);
});

it('keeps to the batches of training where more would not fit', async () => {
  const engine = new Engine(await testDevice(adapter));
  const { trainer } = await loadRun(engine, dir);
  const { total } = await planRun(
    engine,
    { ...trainer.config, evaluation: { ...config.evaluation, tasks: 20 } },
    trainer.taskSet,
  );
  const file = join(dir, 'config.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('memory: null', `memory: ${total / 2 ** 20}`));
  expect((await play(20)).rows).toBe(20);
  expect((await play(episodes)).rows).toBe(8);
});
