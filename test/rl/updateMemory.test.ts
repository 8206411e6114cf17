/** Memory of an update: bounded by the micro-batch, however many rows a rollout has. */
import { describe, expect, it } from 'vitest';
import { Transformer } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { Optimiser, type TrainingSequence } from '../../src/rl/optimise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const config = {
  vocabSize: 64,
  dModel: 16,
  layers: 1,
  heads: 1,
  kvHeads: 1,
  headDim: 16,
  dFf: 32,
  ropeTheta: 10_000,
  tiedHead: true,
  normEpsilon: 1e-5,
} as const;

/** Turns of 50 prompt tokens and 6 reply tokens. */
const turns = (count: number): TrainingSequence[] =>
  Array.from({ length: count }, (_, turn) => ({
    ...sequenceOf({ prompt: Array.from({ length: 50 }, (_, i) => (turn + 7 * i) % 64), reply: [1, 2, 3, 4, 5, 6] }),
    columns: { weight: new Array(6).fill(1 / (6 * count)) },
  }));

function optimiserOf(engine: Engine, model: Transformer): Optimiser {
  const options = { microBatchTokens: 1024, checkpointing: 'none', seed: 1, weightDecay: 0 } as const;
  return new Optimiser(engine, model, options, ['weight'], ({ logProbs, column }) => {
    const loss = scale(dot(logProbs().logProb, column('weight')), -1);
    return { loss, statistics: loss };
  });
}

describe.each(testAdapters)('an update on %s', (adapter) => {
  it('takes no more memory and makes no new buffer for ten times the rows', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const model = new Transformer(config, 1, 'policy');
    const optimiser = optimiserOf(engine, model);
    await optimiser.step(turns(36), 1e-3);
    const [bytes, made] = [gpu.allocations.bytes, gpu.allocations.made];
    const { statistics } = await optimiser.step(turns(360), 1e-3);
    expect(statistics).toHaveLength(20);
    expect(gpu.allocations.bytes).toBe(bytes);
    expect(gpu.allocations.made).toBe(made);
    optimiser.destroy();
  });

  it('leaves no buffer behind', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const model = new Transformer(config, 1, 'policy');
    const update = async () => {
      const optimiser = optimiserOf(engine, model);
      await optimiser.step(turns(12), 1e-3);
      optimiser.destroy();
      await gpu.idle();
      return gpu.allocations.bytes;
    };
    // The first makes what the weights and all programs share.
    const bytes = await update();
    expect(await update()).toBe(bytes);
  });
});
