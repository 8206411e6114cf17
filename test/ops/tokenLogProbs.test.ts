/** Softmax, token log-probabilities with entropy, and cross-entropy. */
import { describe, expect, it } from 'vitest';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { linear } from '../../src/ops/linear.ts';
import { dot } from '../../src/ops/reduce.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { tokenLogProbs } from '../../src/ops/tokenLogProbs.ts';
import { chunkedTokenLogProbs } from '../../src/ops/vocabLoss.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { constant, input, paddingIndex } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { indicesOnDevice } from '../support/indices.ts';

function logSoftmax(logits: Float64Array, width: number, temperature: number): Float64Array {
  return logits.map((logit, at) => {
    const row = logits.subarray(at - (at % width), at - (at % width) + width);
    return logit / temperature - Math.log(row.reduce((sum, other) => sum + Math.exp(other / temperature), 0));
  });
}

const logProbsOf = (logits: Float64Array, width: number, targets: readonly number[], temperature: number) => {
  const logP = logSoftmax(logits, width, temperature);
  return targets.map((target, row) => (target < width ? logP[row * width + target]! : 0));
};

const entropiesOf = (logits: Float64Array, width: number, temperature: number) => {
  const entropies = new Float64Array(logits.length / width);
  logSoftmax(logits, width, temperature).forEach((logP, at) => {
    entropies[Math.floor(at / width)]! -= Math.exp(logP) * logP;
  });
  return entropies;
};

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  describe.each([
    { width: 12, temperature: 1 },
    { width: 7, temperature: 0.4 },
  ])('$width tokens at temperature $temperature', ({ width, temperature }) => {
    const targets = [3, 0, width - 1, paddingIndex, 2];
    const shape = [targets.length, width];
    const build = (logits: Parameters<typeof tokenLogProbs>[0]) =>
      tokenLogProbs(logits, constant(targets, [targets.length], 'u32'), temperature);

    it('log-probability and entropy', async () => {
      const mismatch = await gradientMismatch(await makeEngine(), {
        inputs: { logits: shape },
        build: ({ logits }) => Object.values(build(logits)),
        reference: ({ logits }) => [
          logProbsOf(logits, width, targets, temperature),
          entropiesOf(logits, width, temperature),
        ],
      });
      expect(mismatch).toBeNull();
    });

    it('log-probability alone', async () => {
      const mismatch = await gradientMismatch(await makeEngine(), {
        inputs: { logits: shape },
        build: ({ logits }) => build(logits).logProb,
        reference: ({ logits }) => logProbsOf(logits, width, targets, temperature),
      });
      expect(mismatch).toBeNull();
    });

    it('entropy alone', async () => {
      const mismatch = await gradientMismatch(await makeEngine(), {
        inputs: { logits: shape },
        build: ({ logits }) => build(logits).entropy,
        reference: ({ logits }) => entropiesOf(logits, width, temperature),
      });
      expect(mismatch).toBeNull();
    });
  });

  it('cross-entropy weighs its rows', async () => {
    const targets = [1, 4, 0];
    const weights = [0.5, 0, 0.25];
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { logits: [3, 5] },
      build: ({ logits }) => crossEntropy(logits, constant(targets, [3], 'u32'), constant(weights, [3])),
      reference: ({ logits }) => [
        -logProbsOf(logits, 5, targets, 1).reduce((sum, logProb, row) => sum + weights[row]! * logProb, 0),
      ],
    });
    expect(mismatch).toBeNull();
  });

  it.each(['whole', 'in chunks'])(
    'a target beyond the vocabulary gives NaN, and padding nothing (%s)',
    async (method) => {
      const engine = await makeEngine();
      const hidden = Object.assign(input('hidden', [3, 4]), { requiresGrad: true });
      const head = constant(
        Float32Array.from({ length: 128 * 4 }, (_, i) => Math.sin(i)),
        [128, 4],
      );
      const targets = indicesOnDevice([127, 128, paddingIndex]);
      const { logProb } =
        method === 'whole'
          ? tokenLogProbs(linear(hidden, head), targets)
          : chunkedTokenLogProbs(hidden, [head], targets, 1, 64);
      const ones = constant([1, 1, 1], [3]);
      const [dHidden] = grad(dot(logProb, ones), [hidden]);
      const program = await engine.compile({ name: 'targets', outputs: { logProb, dHidden: dHidden! } });
      const values = Float32Array.from({ length: 12 }, (_, i) => Math.cos(i));
      const result = await program.run({ hidden: values });
      expect(result.logProb[0]).toBeLessThan(0);
      expect(Array.from(result.logProb).slice(1)).toEqual([Number.NaN, 0]);
      expect(Array.from(result.dHidden).map(Number.isNaN)).toEqual([0, 1, 0].flatMap((is) => Array(4).fill(is === 1)));
      expect([...result.dHidden.slice(8)]).toEqual([0, 0, 0, 0]);
    },
  );

  it('cross-entropy refuses targets beyond the vocabulary that the host writes', async () => {
    const engine = await makeEngine();
    const logits = constant(new Float32Array(10), [2, 5]);
    const loss = crossEntropy(logits, input('targets', [2], 'u32'), constant([1, 1], [2]));
    const program = await engine.compile({ name: 'loss', outputs: { loss } });
    await expect(program.run({ targets: Uint32Array.of(4, 5) })).rejects.toMatchObject({
      code: 'data',
      message: 'element 1 of targets is 5, but tokenLogProbs takes indices below 5, or 4294967295 for padding.',
    });
    expect((await program.run({ targets: Uint32Array.of(4, paddingIndex) })).loss[0]).toBeCloseTo(Math.log(5), 5);
  });

  it.each([8, 5])('softmax of width %i', async (width) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [4, width] },
      build: ({ x }) => softmax(x),
      reference: ({ x }) => logSoftmax(x, width, 1).map(Math.exp),
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses a temperature of 0', () => {
  expect(() => tokenLogProbs(input('logits', [2, 3]), input('targets', [2], 'u32'), 0)).toThrow(
    'the temperature is 0; it must be above 0.',
  );
});
