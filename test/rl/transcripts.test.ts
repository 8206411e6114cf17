/** Training on transcripts: what was sampled behind a cache is what whole episodes are trained on. */
import { describe, expect, it } from 'vitest';
import { createTaskSet } from '../../src/envs/index.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { contextSequences } from '../../src/rl/episodeMemory.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { presets } from '../../src/rl/presets.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

function configOf(prompt: object, others: object = {}): TrainConfig {
  const { small } = presets;
  return trainConfigSchema.parse({
    ...small,
    environment: { ...small.environment, options: { ...small.environment.options, maxSteps: 6, rooms: 60 } },
    prompt: { ...small.prompt, memory: 'transcript', options: false, maxTokens: 256, ...prompt },
    policy: { dModel: 16, layers: 2, heads: 2, kvHeads: 1, headDim: 8, dFf: 32 },
    warmStart: { tasks: 8, epochs: 1, batchTurns: 16 },
    training: { iterations: 1, pool: 4, tasks: 2, groupSize: 3, miniBatches: 2 },
    evaluation: { tasks: 4 },
    ...others,
  });
}

async function trainerOf(adapter: string, config: TrainConfig, rows?: number): Promise<Trainer> {
  const engine = new Engine(await testDevice(adapter));
  const taskSet = createTaskSet(config.environment.name, config.environment.options);
  const source = wordPolicySource(config, tokenizerFor(await taskSet));
  return new Trainer(engine, config, await taskSet, source, rows === undefined ? {} : { rows });
}

describe.each(testAdapters)('transcripts on %s', (adapter) => {
  it('are trained on as they were sampled, from demonstrations to updates', async () => {
    const oneUpdate = { iterations: 1, pool: 4, tasks: 2, groupSize: 3, miniBatches: 1 };
    const trainer = await trainerOf(adapter, configOf({}, { training: oneUpdate }));
    expect(await trainer.warmStart()).toBeGreaterThan(0);
    const { metrics, episodes } = await trainer.iterate(0);
    expect(metrics.samplerMismatch).toBeLessThan(1e-4);
    expect(metrics.samplerMismatch).toBeGreaterThan(0);
    expect(metrics.kl).toBeLessThan(1e-6);
    expect(metrics.reopenedContexts).toBe(0);
    for (const { steps } of episodes) expect(contextSequences(steps)).toHaveLength(1);
  });

  it('that are full go on from their last turns, and what they come to is counted', async () => {
    const trainer = await trainerOf(adapter, configOf({ maxTokens: 50 }));
    const { metrics, episodes } = await trainer.iterate(0);
    expect(metrics.samplerMismatch).toBeLessThan(1e-4);
    const contexts = episodes.map(({ steps }) => contextSequences(steps).length);
    expect(Math.max(...contexts)).toBeGreaterThan(1);
    expect(metrics.reopenedContexts).toBeCloseTo(contexts.reduce((a, b) => a + b, 0) / contexts.length - 1);
    for (const { tokens } of episodes.flatMap(({ steps }) => contextSequences(steps)))
      expect(tokens.length).toBeLessThanOrEqual(50 + 10);
  });

  it('come to the same whoever shares the cache: episodes wait for a place', async () => {
    const play = async (rows: number) => {
      const { episodes } = await (await trainerOf(adapter, configOf({}), rows)).iterate(0);
      return episodes.map(({ steps }) => steps.map(({ prompt, reply }) => [prompt, reply]));
    };
    expect(await play(2)).toEqual(await play(6));
  });
});

it('read a fraction of the tokens that windows read', async () => {
  const tokensOf = async (config: TrainConfig) =>
    (await (await trainerOf(testAdapters.at(-1)!, config)).iterate(0)).metrics;
  const window = await tokensOf(configOf({ memory: 'window', options: true, maxTokens: 320 }));
  const transcript = await tokensOf(configOf({}));
  expect(transcript.tokens / transcript.steps).toBeLessThan(window.tokens / window.steps / 3);
});

it('are trained on as they were sampled in f16, with recomputation', needsHalf, async () => {
  const config = configOf({}, { precision: 'f16', optimiser: { checkpointing: 'block' } });
  const { metrics } = await (await trainerOf(halfAdapter!, config)).iterate(0);
  expect(metrics.samplerMismatch).toBeLessThan(2e-2);
});
