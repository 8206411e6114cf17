/** Loss scaling: what it is, that it changes no figure of a step, and why it is there. */
import { describe, expect, it } from 'vitest';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { lossScale } from '../../src/nn/lossScale.ts';
import { storageFor } from '../../src/nn/precision.ts';
import { packColumn, packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { Optimiser, type TrainingSequence } from '../../src/rl/optimise.ts';
import { filled, grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gatherGradients } from '../../src/tensor/gradients.ts';
import { input } from '../../src/tensor/tensor.ts';
import { halfAdapter, needsHalf, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const config = {
  vocabSize: 4096,
  dModel: 16,
  layers: 1,
  heads: 2,
  kvHeads: 1,
  headDim: 8,
  dFf: 24,
  ropeTheta: 100,
  tiedHead: false,
  normEpsilon: 1e-6,
};
const modelIn = (precision: 'f32' | 'f16') =>
  new Transformer(config, decoderSlab(config, 3, 'policy', undefined, storageFor(precision, true)));

/** Turns whose loss is a mean over `share` times as many tokens as they have. */
function turns(share: number): TrainingSequence[] {
  return Array.from({ length: 16 }, (_, turn) => {
    const reply = Array.from({ length: 8 }, (_, i) => (977 * turn + 31 * i * i) % config.vocabSize);
    return {
      ...sequenceOf({ prompt: [turn, 2 * turn], reply }),
      columns: { weight: reply.map(() => 1 / (16 * 8 * share)) },
    };
  });
}

it('is a power of two that follows from the largest weight, and 1 where nothing is rounded', () => {
  expect([1, 3, 1000, 1024, 1025].map((tokens) => lossScale('f16', 1 / tokens))).toEqual([
    64, 256, 65536, 65536, 131072,
  ]);
  expect([lossScale('f32', 1e-3), lossScale('f16', 0)]).toEqual([1, 1]);
});

describe('the gradient of a mean over many tokens', needsHalf, () => {
  it('vanishes from products without it, and is that of float32 with it', async () => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const pairs = turns(64);
    const bucket = replyBucket(pairs);
    const weight = packColumn(
      pairs.map(({ columns }) => columns.weight!),
      bucket,
    );
    const gradientOf = async (precision: 'f32' | 'f16', factor: number) => {
      const model = modelIn(precision);
      const loss = scale(dot(replyGraph(model, bucket).logProbs().logProb, input('weight', [bucket.targets])), -1);
      const gradients = model.slab.variableLike('gradients');
      const updates = [gatherGradients(model.slab, gradients, grad(loss, model.slab.tensors, filled([1], factor)))];
      const program = await engine.compile({ name: 'gradient', updates });
      await program.run({ ...packReplies(pairs, bucket), weight });
      return Float64Array.from(await engine.read(gradients), (value) => value / factor);
    };
    const want = await gradientOf('f32', 1);
    const lengthOf = (values: Float64Array) => Math.sqrt(values.reduce((total, value) => total + value * value, 0));
    const distance = (got: Float64Array) => lengthOf(got.map((value, i) => value - want[i]!)) / lengthOf(want);
    expect(distance(await gradientOf('f16', 1))).toBeGreaterThan(0.02);
    expect(distance(await gradientOf('f16', lossScale('f16', 1 / (64 * 16 * 8))))).toBeLessThan(2e-3);
  });

  it('has the norm that a step reports, whatever the scale', async () => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const options = { microBatchTokens: 64, checkpointing: 'none', seed: 1 } as const;
    const norms = [];
    for (const precision of ['f32', 'f16'] as const) {
      const optimiser = new Optimiser(engine, modelIn(precision), options, ['weight'], ({ logProbs, column }) => {
        const loss = scale(dot(logProbs().logProb, column('weight')), -1);
        return { loss, statistics: loss };
      });
      norms.push((await optimiser.step(turns(1), 1e-3)).gradientNorm);
    }
    expect(norms[1]! / norms[0]!).toBeCloseTo(1, 3);
  });
});
