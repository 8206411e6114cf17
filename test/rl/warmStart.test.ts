/** The warm start: behaviour cloning, what it tells of itself, and what it leaves on the device. */
import { describe, expect, it } from 'vitest';
import { Transformer } from '../../src/nn/transformer.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { Scorer } from '../../src/rl/score.ts';
import { cloneBehaviour, withPermutedTokens } from '../../src/rl/warmStart.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
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
    const loss = await cloneBehaviour(engine, new Transformer(sizes, 1, 'policy'), demonstrations, configOf(4), {
      onStep: ({ step, totalSteps, epochLoss }) => {
        told.push({ done: step / totalSteps, loss: epochLoss });
      },
    });
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
      const run = cloneBehaviour(engine, model, demonstrations, configOf(1), {
        onStep: () => {
          throw new Error('stopped');
        },
      });
      await expect(run).rejects.toThrow('stopped');
      await gpu.idle();
      return gpu.allocations.bytes;
    };
    const bytes = await stopped();
    expect(await stopped()).toBe(bytes);
  });
});

describe('interchangeable words', () => {
  const sequence = sequenceOf({ prompt: [5, 1, 6, 2, 7], reply: [1, 3, 9] });

  it('change places everywhere alike, list by list, and nothing else changes', () => {
    const lists = [
      [1, 2, 3],
      [5, 6],
    ];
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { tokens, replies } = withPermutedTokens(sequence, lists, new Random(seed, 'test'));
      expect(replies).toEqual([{ start: 5, length: 3 }]);
      const [a, b, c, d, e, f, g, h] = Array.from(tokens);
      expect([e, h]).toEqual([7, 9]);
      expect(f).toBe(b);
      expect([b, d, g].sort()).toEqual([1, 2, 3]);
      expect([a, c].sort()).toEqual([5, 6]);
      seen.add(tokens.toString());
    }
    expect(seen.size).toBe(12);
  });

  it('are learned in place of each other: what was never shown is known', async () => {
    // The reply is the word before it; words 10 to 17 are shown in one place each, but for 17.
    const shown = Array.from({ length: 7 }, (_, word) =>
      sequenceOf({ prompt: [1 + (word % 3), 10 + word], reply: [10 + word, 30] }),
    );
    const lossOf = async (permuteWords: number) => {
      const engine = new Engine(await testDevice(testAdapters.at(-1)!));
      const model = new Transformer(sizes, 1, 'policy');
      const warmStart = { epochs: 60, batchTurns: 7, learningRate: 2e-2, promptWeight: 0, permuteWords };
      const words = Array.from({ length: 8 }, (_, word) => 10 + word);
      await cloneBehaviour(engine, model, shown, trainConfigSchema.parse({ warmStart }), {
        onStep: () => {},
        interchangeable: [words],
      });
      const [scores] = await new Scorer(engine, model, 64, 1).score([sequenceOf({ prompt: [1, 17], reply: [17] })]);
      return -scores![0]!;
    };
    expect(await lossOf(1)).toBeLessThan(0.5);
    expect(await lossOf(0)).toBeGreaterThan(2);
  });
});
