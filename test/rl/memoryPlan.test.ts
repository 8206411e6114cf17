/** The memory of a run before it is allocated: equal to what a run takes, and where it ends. */
import { describe, expect, it } from 'vitest';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { dot } from '../../src/ops/reduce.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { formatMemoryPlan, type MemoryLimits, planMemory } from '../../src/rl/memoryPlan.ts';
import { Optimiser } from '../../src/rl/optimise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { hfFixture } from '../support/hfFixtures.ts';

const sizes = {
  vocabSize: 300,
  dModel: 64,
  layers: 3,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  dFf: 160,
  ropeTheta: 100,
  tiedHead: true,
  normEpsilon: 1e-6,
};
const config = trainConfigSchema.parse({ prompt: { maxTokens: 100 }, training: { tasks: 4 }, optimiser: { microBatchTokens: 2048 } });
const endless: MemoryLimits = { largestBuffer: 2 ** 40, total: null };
const runOf = (model: Transformer) => ({ model, config, checkpointing: 'none' as const });

it('counts weights, gradients, moments and the cache as a run makes them', () => {
  const model = new Transformer(sizes, null);
  const { parts, total } = planMemory(runOf(model), endless);
  const slab = model.slab.size * 4;
  // 64 episodes at once, prompts of 100 tokens with replies of 10.
  const kvCache = 2 * 3 * 64 * 110 * 2 * 16 * 4;
  expect(parts).toMatchObject({ weights: slab, adapters: 0, reference: slab, gradients: 2 * slab, moments: 2 * slab, kvCache });
  expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
});

it('needs less for adapters, which share the base with their reference', async () => {
  const hf = await readHfModel(hfFixture('llama'));
  const base = new Transformer(hf.transformer, null);
  const model = base.withAdapters(new LoraAdapters(hf, { rank: 1, alpha: 1, targets: ['q_proj'] }, null));
  const { parts } = planMemory(runOf(model), endless);
  expect(parts.weights).toBe(base.slab.size * 4);
  expect(parts.reference).toBe(parts.adapters);
  expect(parts.adapters + parts.gradients + parts.moments).toBeLessThan(parts.weights);
});

describe('the largest micro-batch', () => {
  const model = new Transformer(sizes, null);
  const fits = (microBatchTokens: number, limits: MemoryLimits) =>
    planMemory({ ...runOf(model), config: { ...config, optimiser: { ...config.optimiser, microBatchTokens } } }, limits).fits;

  it.each([
    ['the total', { largestBuffer: 2 ** 40, total: 80 * 2 ** 20 }],
    ['the largest buffer', { largestBuffer: 2 ** 24, total: null }],
  ])('is bound by %s', (_, limits) => {
    const { largestMicroBatch } = planMemory(runOf(model), limits);
    expect(largestMicroBatch).toBeGreaterThan(256);
    expect([fits(largestMicroBatch!, limits), fits(largestMicroBatch! + 1, limits)]).toEqual([true, false]);
  });

  it('grows with checkpointing', () => {
    const limits = { largestBuffer: 2 ** 40, total: 80 * 2 ** 20 };
    const saving = planMemory({ ...runOf(model), checkpointing: 'block' }, limits);
    expect(saving.largestMicroBatch).toBeGreaterThan(1.2 * planMemory(runOf(model), limits).largestMicroBatch!);
  });

  it('is none where the weights alone are too large', () => {
    const report = planMemory(runOf(model), { largestBuffer: 2 ** 16, total: null });
    expect([report.fits, report.largestMicroBatch]).toEqual([false, null]);
    expect(formatMemoryPlan(report)).toContain(
      'but the device binds 0.1 MiB.\nMicro-batches of 2048 tokens do not fit; no micro-batch does.',
    );
  });
});

it('prints a table', () => {
  const text = formatMemoryPlan(planMemory(runOf(new Transformer(sizes, null)), { largestBuffer: 2 ** 30, total: 2 ** 30 }));
  expect(text).toMatch(/^weights +\d+\.\d MiB\n/);
  expect(text).toMatch(/It needs \d+\.\d MiB of 1024\.0 MiB\.\nMicro-batches of 2048 tokens fit; micro-batches of up to \d+ tokens do\.$/);
});

it('is what the optimiser allocates', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const model = new Transformer(sizes, 1);
  const training = { ...config, warmStart: { ...config.warmStart, tasks: 0 }, loss: { ...config.loss, klCoefficient: 0 } };
  const { parts } = planMemory({ model, config: training, checkpointing: 'none' }, endless);
  const optimiser = new Optimiser(engine, model, training.optimiser, ['weight'], ({ logProbs, column }) => {
    const loss = dot(logProbs().logProb, column('weight'));
    return { loss, statistics: loss };
  });
  const weight = new Array<number>(10).fill(1);
  await optimiser.step([{ prompt: [1, 2, 3], reply: new Array<number>(10).fill(4), columns: { weight } }], 1e-3);
  expect(engine.memory.variables).toBe(parts.weights + parts.gradients + parts.moments);
});
