/** Runs that compare turns by the policy's hidden states: which states these are, and what follows from them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../src/base/float16.ts';
import { createTaskSet } from '../../src/envs/index.ts';
import { packedInputs, packSequences } from '../../src/nn/packing.ts';
import { packedAttention } from '../../src/nn/transformer.ts';
import { referenceAdvantages } from '../../src/rl/advantages/index.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { contextSequences } from '../../src/rl/episodeMemory.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { newPolicySource } from '../../src/rl/policySource.node.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import type { Episode } from '../../src/rl/rollout.ts';
import { trainRun } from '../../src/rl/run.node.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { openRun } from '../../src/runs/run.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input } from '../../src/tensor/tensor.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';
import { lastTensors } from '../support/checkpoints.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-hidden-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const similarities = ['hidden', 'mixed'] as const;
const window = { memory: 'window', maxTokens: 128 };
const transcript = { memory: 'transcript', options: false, maxTokens: 256 };

/** Steps so small that the policy is afterwards what it was while it acted. */
const standing = 1e-12;

function configOf(similarity: string, prompt: object, others: object = {}): TrainConfig {
  return trainConfigSchema.parse({
    environment: { options: { receptacles: 4, objects: 3, maxSteps: 5, rooms: 80 } },
    prompt,
    policy: { dModel: 16, layers: 2, heads: 2, kvHeads: 1, headDim: 8, dFf: 24 },
    sampling: { maxNewTokens: 4, blockSize: 2, constrained: true },
    warmStart: { tasks: 8, epochs: 1, batchTurns: 8 },
    training: { iterations: 2, pool: 2, tasks: 2, groupSize: 3, miniBatches: 2, learningRate: standing },
    advantages: { estimator: 'proxmo', similarity },
    optimiser: { microBatchTokens: 512, weightDecay: 0 },
    evaluation: { tasks: 2 },
    checkpoints: { every: 1, keep: 3 },
    ...others,
  });
}

async function trainerOf(engine: Engine, config: TrainConfig): Promise<Trainer> {
  const taskSet = await createTaskSet(config.environment.name, config.environment.options);
  const source = config.model
    ? (await newPolicySource(engine, config, taskSet)).source
    : wordPolicySource(config, tokenizerFor(taskSet));
  return new Trainer(engine, config, taskSet, source);
}

/** The state of each step as the rollout kept it. */
async function keptStates(engine: Engine, { policy }: Trainer, episodes: readonly Episode[]): Promise<Float32Array[]> {
  const width = policy.model.config.dModel;
  const values = await engine.read(policy.states!);
  return episodes.flatMap(({ steps, firstState }) =>
    steps.map((_, t) => Float32Array.from(values.subarray((firstState! + t) * width, (firstState! + t + 1) * width))),
  );
}

/** The same from whole sequences, each read alone without a cache. */
async function statesBeforeReplies(engine: Engine, { policy: { model } }: Trainer, episodes: readonly Episode[]) {
  const states: Float32Array[] = [];
  for (const { tokens, replies } of episodes.flatMap(({ steps }) => contextSequences(steps))) {
    const { tokens: read, positions, segments } = packedInputs(tokens.length);
    const wanted = input('wanted', [replies.length], 'u32');
    const hidden = model.hidden(read, positions, packedAttention(segments), wanted);
    const program = await engine.compile({ name: 'states', outputs: { hidden } });
    const result = await program.run({
      ...packSequences([tokens], tokens.length).arrays,
      wanted: Uint32Array.from(replies, ({ start }) => start - 1),
    });
    program.destroy();
    const width = model.config.dModel;
    for (const index of replies.keys())
      states.push(Float32Array.from(result.hidden.subarray(index * width, (index + 1) * width)));
  }
  return states;
}

function largestDifference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  expect(a).toHaveLength(b.length);
  return Math.max(...a.flatMap((one, row) => Array.from(one, (value, i) => Math.abs(value - b[row]![i]!))));
}

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([
    ['windows', window],
    ['transcripts', transcript],
    ['transcripts that are full', { ...transcript, maxTokens: 64 }],
  ])('the states of %s are those before the replies, and advantages are what follows from them', async (_, prompt) => {
    for (const similarity of similarities) {
      const engine = new Engine(await testDevice(adapter));
      const config = configOf(similarity, prompt);
      const trainer = await trainerOf(engine, config);
      await trainer.warmStart();
      for (const iteration of [0, 1]) {
        const { episodes, advantages, metrics } = await trainer.iterate(iteration);
        const kept = await keptStates(engine, trainer, episodes);
        expect(largestDifference(kept, await statesBeforeReplies(engine, trainer, episodes))).toBeLessThan(2e-5);
        const rows = episodes.flatMap(({ steps }) => steps);
        const { step } = referenceAdvantages(rows, config.advantages, kept);
        for (const [row, value] of advantages.step.entries()) expect(value).toBeCloseTo(step[row]!, 3);
        expect([metrics.updates, metrics.skippedSteps]).toEqual([2, 0]);
        // States of the same text in different episodes differ by what came before.
        expect(new Set(kept.map(String)).size).toBeGreaterThan(rows.length / 4);
      }
    }
  });
});

it('states of a policy in f16 are kept as they were rounded', needsHalf, async () => {
  const engine = new Engine(await testDevice(halfAdapter!));
  const trainer = await trainerOf(engine, configOf('hidden', transcript, { precision: 'f16' }));
  await trainer.warmStart();
  const { episodes } = await trainer.iterate(0);
  const kept = await keptStates(engine, trainer, episodes);
  for (const state of kept) expect(float16ToFloat32(float32ToFloat16(state))).toEqual(state);
  expect(largestDifference(kept, await statesBeforeReplies(engine, trainer, episodes))).toBeLessThan(2e-2);
});

it('a pretrained model with adapters is compared by the states of both', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const config = configOf(
    'mixed',
    { memory: 'window', maxTokens: 128 },
    {
      model: join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf'),
      lora: { rank: 2, alpha: 4, targets: ['q_proj', 'up_proj'] },
      warmStart: { tasks: 4, epochs: 1, batchTurns: 4, learningRate: 1e-2 },
      sampling: { maxNewTokens: 24, blockSize: 8 },
    },
  );
  const trainer = await trainerOf(engine, config);
  await trainer.warmStart();
  const { episodes } = await trainer.iterate(0);
  const kept = await keptStates(engine, trainer, episodes);
  expect(largestDifference(kept, await statesBeforeReplies(engine, trainer, episodes))).toBeLessThan(1e-4);
});

it.each(similarities)('a run by %s goes on after a stop with the same bits', async (similarity) => {
  const settings = (iterations: number) =>
    configOf(similarity, transcript, {
      training: { iterations, pool: 2, tasks: 2, groupSize: 3, miniBatches: 2, learningRate: 1e-2 },
    });
  const train = async (name: string, iterations: number, resume = false) => {
    const engine = new Engine(await testDevice(testAdapters.at(-1)!));
    await trainRun(engine, { dir: join(folder, name), config: settings(iterations), version: '0.0.0', resume });
    return lastTensors(await openRun(join(folder, name)));
  };
  const whole = await train(`whole ${similarity}`, 2);
  await train(`stopped ${similarity}`, 1);
  const saved = join(folder, `stopped ${similarity}`, 'config.yaml');
  writeFileSync(saved, readFileSync(saved, 'utf8').replace('iterations: 1', 'iterations: 2'));
  expect(await train(`stopped ${similarity}`, 2, true)).toEqual(whole);
});

it('too many turns of a task are refused before anything is made', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const environment = { options: { receptacles: 4, objects: 3, maxSteps: 600, rooms: 80 } };
  const config = configOf('hidden', window, {
    environment,
    training: { iterations: 1, pool: 2, tasks: 2, groupSize: 8 },
  });
  await expect(trainerOf(engine, config)).rejects.toThrow(
    "advantages.similarity compares every turn of a task with every other by their hidden states, of 4096 turns at most, but 8 episodes of up to 600 turns have 4800; lower training.groupSize or the environment's steps, or set it to tfidf.",
  );
});
