/** NaN and infinities are named, are never learned from, and end what cannot learn. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { checkLogProbs, checkTurn } from '../../src/rl/nonFinite.ts';
import { Optimiser, type TrainingSequence } from '../../src/rl/optimise.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { cloneBehaviour } from '../../src/rl/warmStart.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';
import { tinyModelConfig } from '../support/tinyModel.ts';
import { tinyConfig, tinyEngine, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-non-finite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);

const modelConfig = tinyModelConfig();
const options = { microBatchTokens: 64, checkpointing: 'none', seed: 1 } as const;

/** An optimiser whose gradient is of the size of `weight`, and whose statistics are `told`. */
async function open(adapter = testAdapters.at(-1)!) {
  const engine = new Engine(await testDevice(adapter));
  const model = new Transformer(modelConfig, 1);
  const optimiser = new Optimiser(engine, model, options, ['weight', 'told'], ({ logProbs, column }) => {
    const told = column('told');
    return { loss: scale(dot(logProbs().logProb, column('weight')), -1), statistics: dot(told, told) };
  });
  const batch = (weight: number, told = 1): TrainingSequence[] => [
    {
      ...sequenceOf({ prompt: [1, 2], reply: [3, 4] }),
      columns: { weight: [weight, weight], told: [told, told] },
    },
  ];
  return { engine, model, optimiser, batch };
}

describe.each(testAdapters)('an optimiser on %s', (adapter) => {
  it.each([
    ['a gradient', 3e38, 1, /^the gradient of \S+ holds (NaN|-?Infinity)$/],
    ['a sum of squared gradients', 1e25, 1, /^the norm of the gradient is not finite$/],
    ['a loss', 0.1, 1e30, /^the loss is not finite$/],
  ])('leaves a step out for %s beyond float32, says why, and goes on', async (_, weight, told, reason) => {
    const { engine, model, optimiser, batch } = await open(adapter);
    await optimiser.step(batch(0.1), 1e-2);
    const before = await engine.read(model.trainable.variable);
    for (let time = 0; time < 2; time++) {
      expect((await optimiser.step(batch(weight, told), 1e-2)).skipped).toMatch(reason);
      expect(await engine.read(model.trainable.variable)).toEqual(before);
      expect(optimiser.progress.steps).toBe(1);
    }
    expect(await optimiser.step(batch(0.1), 1e-2)).toMatchObject({ skipped: null, gradientNorm: expect.any(Number) });
    expect(await engine.read(model.trainable.variable)).not.toEqual(before);
    for (let time = 0; time < 2; time++) await optimiser.step(batch(weight, told), 1e-2);
    await expect(optimiser.step(batch(weight, told), 1e-2)).rejects.toMatchObject({
      code: 'non-finite',
      message: expect.stringMatching(
        /^3 optimiser steps in a row could not be made, since the (gradient|norm|loss) .*;/,
      ),
    });
    optimiser.destroy();
  });

  it.each([1e39, 3e38])('names what weights have become by a learning rate of %d', async (rate) => {
    const { optimiser, batch } = await open(adapter);
    await expect(optimiser.step(batch(0.1), rate)).rejects.toMatchObject({
      code: 'non-finite',
      message: expect.stringMatching(
        /^After optimiser step 1 the weights are no numbers any more: (\S+ holds \S+|the sum of their squares overflows);/,
      ),
    });
    optimiser.destroy();
  });
});

it('gives up where not one step could ever be made', async () => {
  const { optimiser, batch } = await open();
  optimiser.checkLearned();
  await optimiser.step(batch(3e38), 1e-2);
  expect(() => optimiser.checkLearned()).toThrow(/^The optimiser step could not be made, since the gradient of/);
  await optimiser.step(batch(0.1), 1e-2);
  await optimiser.step(batch(3e38), 1e-2);
  optimiser.checkLearned();
  optimiser.destroy();
});

it('ends a warm start that cannot learn, and tells of the steps left out', async () => {
  const engine = await tinyEngine();
  const model = new Transformer(modelConfig, 1);
  const broken = Float32Array.from({ length: model.trainable.size }, () => Number.NaN);
  engine.write(model.trainable.variable, broken);
  const config = trainConfigSchema.parse({ warmStart: { epochs: 1, batchTurns: 1 } });
  const told: string[] = [];
  const demonstrations = [1, 2].map((prompt) => sequenceOf({ prompt: [prompt], reply: [3] }));
  const started = cloneBehaviour(engine, model, demonstrations, config, {
    onStep: () => {},
    onSkip: (reason) => told.push(reason),
  });
  await expect(started).rejects.toMatchObject({ code: 'non-finite' });
  expect(told).toEqual([expect.stringMatching(/holds NaN/), expect.stringMatching(/holds NaN/)]);
});

describe('what a turn brings into the loss', () => {
  const turn = { group: 'heat 1', trajectory: 'episode-7', step: 3, logProbs: [-1, -2], advantage: 1 };

  it('is finite', () => {
    expect(() => checkTurn(turn)).not.toThrow();
    expect(() => checkTurn({ ...turn, logProbs: [-1, Number.NaN] })).toThrow(
      "The sampler's log-probability of token 1 in the reply of step 3 of episode-7 (task heat 1) is NaN",
    );
    expect(() => checkLogProbs(turn, [Number.NEGATIVE_INFINITY], 'reference')).toThrow(
      "The reference's log-probability of token 0 in the reply of step 3 of episode-7 (task heat 1) is -Infinity",
    );
  });

  it('fits float32', () => {
    expect(() => checkTurn({ ...turn, advantage: 3e38 })).not.toThrow();
    expect(() => checkTurn({ ...turn, advantage: 1e39 })).toThrow(
      'The advantage of step 3 of episode-7 (task heat 1) is 1e+39, which float32 cannot hold',
    );
  });
});

it('stops a policy whose weights are no numbers, and leaves its optimiser as it was', async () => {
  const engine = await tinyEngine();
  const config = tinyConfig(world);
  const taskSet = await createNamedTaskSet(config.environment.name, config.environment.options);
  const told: string[] = [];
  const trainer = new Trainer(engine, config, taskSet, wordPolicySource(config, tokenizerFor(taskSet)), {
    onWarning: (text) => told.push(text),
  });
  await trainer.iterate(0);
  const { trainable } = trainer.policy.model;
  engine.write(trainable.variable, new Float32Array(trainable.size).fill(Number.NaN));
  // Two mini-batches: the third step in a row that cannot be made is in the next iteration.
  const { metrics } = await trainer.iterate(1);
  expect(metrics).toMatchObject({ skippedSteps: 2, updates: 0, gradientNorm: 0, policyLoss: 0 });
  expect(told).toEqual([
    expect.stringMatching(/^iteration 2: 2 of 2 optimiser steps were left out, since the gradient of \S+ holds NaN$/),
  ]);
  const { progress } = trainer.optimiser;
  await expect(trainer.iterate(2)).rejects.toMatchObject({
    code: 'non-finite',
    message: expect.stringMatching(
      /^3 optimiser steps in a row could not be made, since the gradient of \S+ holds NaN;/,
    ),
  });
  expect(trainer.optimiser.progress).toEqual(progress);
});
