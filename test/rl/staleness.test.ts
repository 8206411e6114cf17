/** Learning from what the policy before the last update played. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import type { AdvantageResult } from '../../src/rl/advantages/index.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { Policy, tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { PolicyUpdate } from '../../src/rl/policyUpdate.ts';
import { type Episode, playEpisodes } from '../../src/rl/rollout.ts';
import { ImportanceWeights } from '../../src/rl/staleness.ts';
import { Trainer, type TrainerOptions } from '../../src/rl/trainer.ts';
import { tinyConfig, tinyEngine, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-staleness-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);

const stale = (config: TrainConfig, importanceCap = 2): TrainConfig => ({
  ...config,
  fleet: { ...config.fleet, staleness: 1, importanceCap },
});

it('counts tokens by the ratio of the policy that learns to the one that played, up to a cap', () => {
  const importance = new ImportanceWeights(1.5);
  const proximal = [Math.log(0.5), Math.log(0.8), Math.log(0.1)];
  const behaviour = [Math.log(0.4), Math.log(0.2), Math.log(0.2)];
  const weights = importance.of(proximal, behaviour, (token) => token !== 2);
  expect(Array.from(weights)).toEqual([1.25, 1.5, 0.5].map((weight) => expect.closeTo(weight, 6)));
  expect(importance.report).toEqual({
    age: 1,
    ratio: expect.closeTo((1.25 + 4) / 2, 6),
    largestRatio: expect.closeTo(4, 6),
    truncatedShare: 0.5,
  });
});

describe('an update from what an earlier policy played', () => {
  // Nothing but the surrogate, and next to no change, so that updates compare.
  const config = tinyConfig(world, {
    loss: { klCoefficient: 0, entropyCoefficient: 0 },
    training: { tasks: 4, groupSize: 2, miniBatches: 1, learningRate: 1e-12 },
  });

  it('has a gradient that is as much larger as its tokens became more probable, and no further than the cap', async () => {
    const engine = await tinyEngine();
    const taskSet = await createNamedTaskSet(world);
    await using policy = new Policy(engine, config, wordPolicySource(config, tokenizerFor(taskSet)), taskSet);
    const { episodes } = await playEpisodes(policy.player, taskSet, taskSet.tasks('train', 8, 1), {
      controls: policy.trainingControls,
      firstEpisode: 0,
    });
    const advantages = { advantage: Float64Array.from(episodes, (_, index) => (index % 2 ? -1 : 1)) };
    const normOf = async (settings: TrainConfig, played: readonly Episode[], isStale: boolean) => {
      const update = new PolicyUpdate(engine, policy, null, settings, { onProgress: () => {} });
      const result = await update.run(0, played, advantages as unknown as AdvantageResult, [], [], isStale);
      return { norm: result.reports[0]!.gradientNorm, ...result.staleness };
    };
    const { norm } = await normOf(config, episodes, false);
    expect(norm).toBeGreaterThan(0);
    expect(await normOf(stale(config), episodes, true)).toEqual({
      norm: expect.closeTo(norm, 4),
      age: 1,
      ratio: expect.closeTo(1, 4),
      largestRatio: expect.closeTo(1, 4),
      truncatedShare: 0,
    });
    // As if the tokens had been less probable to the policy that played.
    const earlier = episodes.map((episode) => ({
      ...episode,
      steps: episode.steps.map((step) => ({ ...step, logProbs: step.logProbs.map((value) => value - 0.3) })),
    }));
    const free = await normOf(stale(config), earlier, true);
    expect([free.norm / norm, free.ratio, free.truncatedShare]).toEqual([
      expect.closeTo(Math.exp(0.3), 3),
      expect.closeTo(Math.exp(0.3), 3),
      0,
    ]);
    const capped = await normOf(stale(config, 1.1), earlier, true);
    expect([capped.norm / norm, capped.truncatedShare]).toEqual([expect.closeTo(1.1, 3), 1]);
  });
});

describe('a trainer whose next iteration is played while it learns', () => {
  it('has it begun before its update, with the weights before it, and tasks as if the iteration were whole', async () => {
    const config = stale(tinyConfig(world, { training: { iterations: 3, taskSampler: 'mixed-outcomes', pool: 8 } }));
    const taskSet = await createNamedTaskSet(world);
    const calls: string[] = [];
    const options: TrainerOptions = {
      actors: ({ policy, next }) => ({
        play: (name, model) => (tasks, how) => {
          const by = model === policy.model ? 'policy' : model === next?.model ? 'behaviour' : 'other';
          calls.push(`${name} by ${by}: ${tasks.map(({ id }) => id).join('')}`);
          return playEpisodes(policy.player, taskSet, tasks, how);
        },
        gradients: null,
      }),
      onProgress: ({ phase, done }) => {
        if (phase === 'update' && done === 0) calls.push('update');
      },
    };
    const source = wordPolicySource(config, tokenizerFor(taskSet));
    await using trainer = new Trainer(await tinyEngine(), config, taskSet, source, options);
    const ages: (number | undefined)[] = [];
    for (const iteration of [0, 1, 2]) ages.push((await trainer.iterate(iteration)).metrics.staleness?.age);
    expect(ages).toEqual([0, 1, 1]);
    expect(calls.map((call) => call.replace(/: .*/, ''))).toEqual([
      'iteration 1 by policy',
      'iteration 2 by behaviour',
      'update',
      'iteration 3 by behaviour',
      'update',
      'update',
    ]);
    // All tasks of the type in turn, though the sampler is told of an iteration only when that is whole.
    const tasks = calls.filter((call) => call.includes(': ')).map((call) => new Set(call.split(': ')[1]));
    expect(new Set(tasks.flatMap((each) => [...each])).size).toBe(6);
    expect(trainer.sampler.choose(3)).toHaveLength(2);
  });

  it('is refused where nobody could play meanwhile, or workers are to compute gradients', async () => {
    const config = tinyConfig(world);
    const taskSet = await createNamedTaskSet(world);
    const source = wordPolicySource(config, tokenizerFor(taskSet));
    const engine = await tinyEngine();
    expect(() => new Trainer(engine, stale(config), taskSet, source)).toThrow(
      'fleet.staleness is 1, but the run has no workers that could play while its policy learns; train with --fleet or --workers, or set fleet.staleness to 0.',
    );
    const both = trainConfigSchema.safeParse({ fleet: { staleness: 1, gradients: true } });
    expect(both.error?.issues[0]).toMatchObject({ path: ['fleet', 'staleness'] });
  });
});
