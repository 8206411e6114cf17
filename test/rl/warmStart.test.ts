/** The warm start: behaviour cloning, what it tells of itself, and what it leaves on the device. */
import { describe, expect, it } from 'vitest';
import { Transformer } from '../../src/nn/transformer.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { cloneBehaviour } from '../../src/rl/warmStart.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const sizes = {
  vocabSize: 32,
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

const demonstrations = Array.from({ length: 8 }, (_, turn) =>
  sequenceOf({ prompt: [1 + turn, 20, 21], reply: [9 + turn, 30] }),
);

/** Mini-batches of 3, 3 and 2 turns. */
const configOf = (epochs: number) =>
  trainConfigSchema.parse({ warmStart: { epochs, batchTurns: 3, learningRate: 3e-2, promptWeight: 0 } });

describe.each(testAdapters)('the warm start on %s', (adapter) => {
  it('learns the replies, and tells after each step how many of all are done', async () => {
    const engine = new Engine(await testDevice(adapter));
    const told: { done: number; loss: number }[] = [];
    const loss = await cloneBehaviour(
      engine,
      new Transformer(sizes, 1, 'policy'),
      demonstrations,
      configOf(4),
      (done, current) => {
        told.push({ done, loss: current });
      },
    );
    expect(told.map(({ done }) => done)).toEqual(Array.from({ length: 12 }, (_, step) => (step + 1) / 12));
    expect(told.at(-1)?.loss).toBe(loss);
    expect(told[0]!.loss).toBeGreaterThan(3);
    expect(loss).toBeLessThan(2.5);
  });

  it('frees its moments and programs where it is stopped', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const model = new Transformer(sizes, 1, 'policy');
    const stopped = async () => {
      const run = cloneBehaviour(engine, model, demonstrations, configOf(1), () => {
        throw new Error('stopped');
      });
      await expect(run).rejects.toThrow('stopped');
      await gpu.idle();
      return gpu.allocations.bytes;
    };
    const bytes = await stopped();
    expect(await stopped()).toBe(bytes);
  });
});
