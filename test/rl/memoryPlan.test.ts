/** The memory of a run before it is allocated: equal to what a run takes, and where it ends. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTaskSet } from '../../src/envs/index.ts';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { parseHfConfig } from '../../src/models/hf/config.ts';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { dot } from '../../src/ops/reduce.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { formatMemoryPlan, type MemoryLimits, memoryProblem, planMemory } from '../../src/rl/memoryPlan.ts';
import { Optimiser } from '../../src/rl/optimise.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { presets } from '../../src/rl/presets.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { hfFixture } from '../support/hfFixtures.ts';
import { sequenceOf } from '../support/sequences.ts';

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
const config = trainConfigSchema.parse({
  prompt: { maxTokens: 100 },
  training: { tasks: 4 },
  optimiser: { microBatchTokens: 2048 },
});
const maxSteps = 16;
const endless: MemoryLimits = { largestBuffer: 2 ** 40, total: null };
const runOf = (model: Transformer, optimiser: Partial<TrainConfig['optimiser']> = {}) => ({
  model,
  config: { ...config, optimiser: { ...config.optimiser, ...optimiser } },
  maxSteps,
});

it('counts weights, gradients, moments and the cache as a run makes them', () => {
  const model = new Transformer(sizes, null);
  const { parts, total } = planMemory(runOf(model), endless);
  const slab = model.slab.size * 4;
  // 64 episodes at once, prompts of 100 tokens with replies of 10.
  const kvCache = 2 * 3 * 64 * 110 * 2 * 16 * 4;
  expect(parts).toMatchObject({
    weights: slab,
    adapters: 0,
    reference: slab,
    gradients: 2 * slab,
    moments: 2 * slab,
    kvCache,
  });
  expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
});

it('counts two bytes for keys and values, and for what products read, where matrices are in f16', () => {
  const half = new Transformer(sizes, decoderSlab(sizes, null, 'half', undefined, 'mixed'));
  const [in32, in16] = [
    planMemory(runOf(new Transformer(sizes, null)), endless).parts,
    planMemory(runOf(half), endless).parts,
  ];
  expect(in16.kvCache).toBe(in32.kvCache / 2);
  expect(in16.activations / in32.activations).toBeLessThan(0.9);
});

it.each([
  // Tasks, group size and evaluation tasks: a slot for each episode of either, of an evaluation up to 64.
  [2, 3, 5, 6],
  [2, 3, 10, 10],
  [2, 3, 500, 64],
  [16, 8, 500, 128],
])(
  '%i groups of %i episodes and %i evaluation tasks need %i sequences in the cache',
  (tasks, groupSize, heldOut, slots) => {
    const training = { ...config.training, tasks, groupSize };
    const { parts } = planMemory(
      {
        model: new Transformer(sizes, null),
        config: { ...config, training, evaluation: { ...config.evaluation, tasks: heldOut } },
        maxSteps,
      },
      endless,
    );
    expect(parts.kvCache).toBe(2 * 3 * slots * 110 * 2 * 16 * 4);
  },
);

describe('adapters', () => {
  const adapted = async (warmStartTasks: number) => {
    const hf = await readHfModel(hfFixture('llama'));
    const base = new Transformer(hf.transformer, null);
    const model = base.withAdapters(new LoraAdapters(hf, { rank: 1, alpha: 1, targets: ['q_proj'] }, null));
    const { parts } = planMemory(
      { model, config: { ...config, warmStart: { ...config.warmStart, tasks: warmStartTasks } }, maxSteps },
      endless,
    );
    return { parts, slab: base.slab.size * 4 };
  };

  it('need less, as their base is the reference', async () => {
    const { parts, slab } = await adapted(0);
    expect([parts.weights, parts.reference]).toEqual([slab, 0]);
    expect(parts.adapters + parts.gradients + parts.moments).toBeLessThan(parts.weights);
  });

  it('are copied where a warm start moves them', async () => {
    const { parts } = await adapted(10);
    expect(parts.reference).toBe(parts.adapters);
  });
});

describe('the largest micro-batch', () => {
  const model = new Transformer(sizes, null);
  const fits = (microBatchTokens: number, limits: MemoryLimits) =>
    planMemory(runOf(model, { microBatchTokens }), limits).fits;

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
    const saving = planMemory(runOf(model, { checkpointing: 'block' }), limits);
    expect(saving.largestMicroBatch).toBeGreaterThan(1.2 * planMemory(runOf(model), limits).largestMicroBatch!);
  });

  it('is none where the weights alone are too large', () => {
    const report = planMemory(runOf(model), { largestBuffer: 2 ** 16, total: null });
    expect([report.fits, report.largestMicroBatch]).toEqual([false, null]);
    expect(memoryProblem(report)).toMatch(
      /^The \w+ need a buffer of [\d.]+ MiB, but the device binds 0\.1 MiB; no micro-batch fits, so lower/,
    );
  });

  it('is named where the configured one does not fit', () => {
    const report = planMemory(runOf(model, { microBatchTokens: 2 ** 15 }), {
      largestBuffer: 2 ** 40,
      total: 80 * 2 ** 20,
    });
    expect(memoryProblem(report)).toMatch(
      new RegExp(
        `^The run needs [\\d.]+ MiB, but engine\\.memory allows 80\\.0 MiB; .* from 32768 to ${report.largestMicroBatch}\\.$`,
      ),
    );
    expect(formatMemoryPlan(report)).toContain(`\n\n${memoryProblem(report)}`);
  });
});

it('prints a table', () => {
  const text = formatMemoryPlan(
    planMemory(runOf(new Transformer(sizes, null)), { largestBuffer: 2 ** 30, total: 2 ** 30 }),
  );
  expect(text).toMatch(/^weights +\d+\.\d MiB\n/);
  expect(text).toMatch(
    /It needs \d+\.\d MiB of 1024\.0 MiB\. Micro-batches of 2048 tokens fit, and up to \d+ would\.$/,
  );
});

it('is what the optimiser allocates', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const model = new Transformer(sizes, 1);
  const training = {
    ...config,
    warmStart: { ...config.warmStart, tasks: 0 },
    loss: { ...config.loss, klCoefficient: 0 },
  };
  const { parts } = planMemory({ model, config: training, maxSteps }, endless);
  const optimiser = new Optimiser(
    engine,
    model,
    { ...training.optimiser, seed: 1 },
    ['weight'],
    ({ logProbs, column }) => {
      const loss = dot(logProbs().logProb, column('weight'));
      return { loss, statistics: loss };
    },
  );
  const weight = new Array<number>(10).fill(1);
  const sequence = sequenceOf({ prompt: [1, 2, 3], reply: new Array<number>(10).fill(4) });
  await optimiser.step([{ ...sequence, columns: { weight } }], 1e-3);
  expect(engine.memory.variables).toBe(parts.weights + parts.gradients + parts.moments);
});

it.each(['tfidf', 'hidden', 'mixed'] as const)('is what a run takes that reserves it: %s', async (similarity) => {
  const gpu = await testDevice(testAdapters.at(-1)!);
  gpu.arena.clear();
  const engine = new Engine(gpu);
  const { small } = presets;
  const settings = trainConfigSchema.parse({
    ...small,
    warmStart: { tasks: 0 },
    training: { ...small.training, tasks: 4 },
    advantages: { estimator: 'proxmo', similarity },
  });
  const taskSet = await createTaskSet(settings.environment.name, settings.environment.options);
  const trainer = new Trainer(engine, settings, taskSet, wordPolicySource(settings, tokenizerFor(taskSet)));
  const { parts, shared } = planMemory(
    { model: trainer.policy.model, config: settings, maxSteps: taskSet.maxSteps },
    endless,
  );
  const { activations, logits, ...others } = parts;
  engine.reserve(shared);
  await trainer.warmStart();
  await trainer.iterate(0);
  expect(engine.memory.variables).toBe(Object.values(others).reduce((sum, bytes) => sum + bytes, 0));
  const states = 4 * small.training.groupSize * taskSet.maxSteps * small.policy.dModel * 4;
  expect(parts.hiddenStates).toBe(similarity === 'tfidf' ? 0 : states);
  // What is planned is enough for training; advantages have programs of their own.
  expect(engine.memory.shared).toBeGreaterThanOrEqual(activations + logits);
  expect(engine.memory.shared).toBeLessThan(1.02 * (activations + logits));
});

describe('real models with the preset for them', () => {
  const planOf = (name: string, lora: TrainConfig['lora'] | undefined) => {
    const text = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'hf-configs', `${name}.json`), 'utf8');
    const hf = parseHfConfig(JSON.parse(text), name);
    const settings = trainConfigSchema.parse({
      ...presets.pretrained,
      model: name,
      ...(lora === undefined ? {} : { lora }),
    });
    const base = new Transformer(hf.transformer, null);
    const { lora: given } = settings;
    const model = given && !('from' in given) ? base.withAdapters(new LoraAdapters(hf, given, null)) : base;
    return { base, plan: planMemory({ model, config: settings, maxSteps }, endless) };
  };

  it.each([
    ['smollm2-135m', 134_515_008, 6],
    ['qwen2.5-0.5b', 494_032_768, 6],
    ['qwen2.5-1.5b', 1_543_714_304, 16],
  ] as const)('%s has %d weights and is trained in %d GiB', (name, weights, gibibytes) => {
    const { base, plan } = planOf(name, undefined);
    expect(base.slab.parameterCount).toBe(weights);
    expect(plan.total).toBeLessThan(gibibytes * 2 ** 30);
    expect(planOf(name, null).plan.total).toBeGreaterThan(plan.total + 3 * 4 * weights);
  });
});
