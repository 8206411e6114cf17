/** The whole transformer: loss and gradient against a float64 reference, packing, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { packColumn, packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import { Transformer, type TransformerConfig } from '../../src/nn/transformer.ts';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { gelu, relu } from '../../src/ops/elementwise.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { Value } from '../support/scalarGrad.ts';
import { sequenceOf } from '../support/sequences.ts';
import { referenceLoss } from '../support/transformerReference.ts';

const config: TransformerConfig = {
  vocabSize: 11,
  dModel: 12,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 4,
  dFf: 20,
  ropeTheta: 100,
  tiedHead: true,
  normEpsilon: 1e-6,
};
const pairs = [
  { prompt: [1, 2, 3, 4], reply: [5, 6] },
  { prompt: [7], reply: [8, 9, 10] },
  { prompt: [3, 3], reply: [0] },
].map(sequenceOf);
const pairWeights = [0.5, 0.25, 1];

/** What the packed batch predicts, sequence by sequence. */
const sequences = pairs.map(({ prompt, reply }, index) => ({
  tokens: [...prompt, ...reply.slice(0, -1)],
  targets: [...prompt.slice(1).map(() => -1), ...reply],
  weight: pairWeights[index]!,
}));

describe.each(testAdapters)('on %s', (adapter) => {
  it("takes an activation of one's own, which the forms made of it keep", async () => {
    const engine = new Engine(await testDevice(adapter));
    const form = { ...config, mlp: 'gelu' } as const;
    const bucket = replyBucket(pairs);
    const logitsOf = async (model: Transformer) => {
      const { logits } = replyGraph(model, bucket);
      const outputs = { logits: logits! };
      const program = await engine.compile({ name: 'logits', outputs, optionalInputs: ['targets'] });
      return (await program.run(packReplies(pairs, bucket))).logits;
    };
    const own = new Transformer(form, 7, 'own', null, {}, (x) => relu(x));
    const values = await logitsOf(own);
    expect(values).not.toEqual(await logitsOf(new Transformer(form, 7)));
    expect(await logitsOf(new Transformer(form, 7, 'same', null, {}, (x) => gelu(x)))).toEqual(
      await logitsOf(new Transformer(form, 7)),
    );
    expect(await logitsOf(own.inTraining({ checkpointing: 'block' }))).toEqual(values);
    expect(await logitsOf(own.withoutAdapters())).toEqual(values);
  });

  it.each([true, false])('has the loss and the gradient of the float64 reference (tied head: %s)', async (tiedHead) => {
    const engine = new Engine(await testDevice(adapter));
    const model = new Transformer({ ...config, tiedHead }, 7);
    const { slab } = model;
    const bucket = replyBucket(pairs);
    const { logits, targets } = replyGraph(model, bucket);
    const loss = crossEntropy(logits, targets, input('weight', [bucket.targets]));
    const gradients = grad(
      loss,
      slab.parameters.map(({ tensor }) => tensor),
    );
    const outputs: Record<string, Tensor> = Object.fromEntries(
      slab.parameters.map(({ name }, index) => [name, gradients[index]!]),
    );
    const program = await engine.compile({ name: 'loss', outputs: { ...outputs, loss } as Record<string, Tensor> });
    const weight = packColumn(
      pairs.map(({ reply }, index) => reply.map(() => pairWeights[index]!)),
      bucket,
    );
    const result = await program.run({ ...packReplies(pairs, bucket), weight });

    const initial = slab.variable.initial!;
    const weights = new Map(
      slab.parameters.map(({ name, offset, tensor }) => [
        name,
        Array.from({ length: tensor.size }, (_, i) => new Value(initial[offset + i]!)),
      ]),
    );
    const expected = referenceLoss({ ...config, tiedHead }, weights, sequences);
    expected.backward();
    expect(result.loss![0]).toBeCloseTo(expected.data, 4);
    for (const [name, values] of weights) {
      const got = result[name]!;
      const norm = Math.hypot(...values.map(({ gradient }) => gradient));
      const error = Math.hypot(...values.map(({ gradient }, i) => gradient - got[i]!));
      expect(error / norm, name).toBeLessThan(1e-4);
    }
  });
});

it('holds no weights on the host where they are loaded later', () => {
  expect(new Transformer(config, null).slab.variable.initial).toBeNull();
});

describe('a configuration that cannot be', () => {
  it.each([
    [{ heads: 3 }, 'policy.heads (3) must be a multiple of policy.kvHeads (2)'],
    [{ headDim: 6 }, 'policy.headDim is 6'],
    [{ layers: 0 }, 'policy.layers is 0'],
    [{ dModel: 1.5 }, 'policy.dModel is 1.5'],
    [{ ropeTheta: 0 }, 'policy.ropeTheta is 0; it must be above 0 unless positions are learned'],
    [{ positions: 'learned', maxPositions: 8 }, 'policy.ropeTheta is 100, but positions are learned'],
    [{ positions: 'learned', ropeTheta: 0 }, 'policy.maxPositions is not set; learned positions need it'],
    [{ ropeScaling: { kind: 'dynamic' } }, 'policy.maxPositions is not set; dynamic rope scaling needs it'],
  ] as const)('%j is refused', (change, message) => {
    expect(() => new Transformer({ ...config, ...change }, 1)).toThrow(message);
  });
});
