/**
 * Log-probabilities over chunks of the vocabulary: values and gradients are those of `tokenLogProbs`, and the logits of
 * the batch never exist.
 */
import { describe, expect, it } from 'vitest';
import { Transformer } from '../../src/nn/transformer.ts';
import { add } from '../../src/ops/elementwise.ts';
import { embedding } from '../../src/ops/embedding.ts';
import { linear } from '../../src/ops/linear.ts';
import { dot } from '../../src/ops/reduce.ts';
import { tokenLogProbs } from '../../src/ops/tokenLogProbs.ts';
import { chunkedTokenLogProbs } from '../../src/ops/vocabLoss.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { plan } from '../../src/tensor/planner.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input, paddingIndex, type Tensor } from '../../src/tensor/tensor.ts';
import { ParameterSlab } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const [rows, width] = [9, 12];
const random = new Random(3, 'vocabulary');
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());

/** The last two are padding, and in the vocabulary's last chunk. */
const targetsOf = (vocab: number) => [0, 1, 63, 64, 70 % vocab, 127 % vocab, vocab - 2, paddingIndex, vocab - 1];

type Method = (
  hidden: Tensor,
  head: Tensor,
  targets: Tensor,
  temperature: number,
) => { logProb: Tensor; entropy: Tensor };
const whole: Method = (hidden, head, targets, temperature) => tokenLogProbs(linear(hidden, head), targets, temperature);
const chunked: Method = (hidden, head, targets, temperature) =>
  chunkedTokenLogProbs(hidden, [head], targets, temperature, 64);

/**
 * A weighted sum of log-probabilities and entropies of `hidden`, with its gradients; the head is also an embedding
 * table if tied.
 */
function graphOf(
  method: Method,
  vocab: number,
  isTied: boolean,
  values: { hidden: Float32Array; head: Float32Array; weights: Float32Array },
) {
  const slab = new ParameterSlab('p', [
    { name: 'hidden', shape: [rows, width], decay: true, initial: values.hidden },
    { name: 'head', shape: [vocab, width], decay: true, initial: values.head },
  ]);
  const tokens = constant([5, 5, 0, 1, 2, 3, 4, 64, 65], [rows], 'u32');
  const hidden = isTied ? add(slab.get('hidden'), embedding(slab.get('head'), tokens)) : slab.get('hidden');
  const { logProb, entropy } = method(hidden, slab.get('head'), constant(targetsOf(vocab), [rows], 'u32'), 0.7);
  const loss = add(
    dot(logProb, constant(values.weights.subarray(0, rows), [rows])),
    dot(entropy, constant(values.weights.subarray(rows), [rows])),
  );
  const [dHidden, dHead] = grad(loss, [slab.get('hidden'), slab.get('head')]);
  return { logProb, entropy, dHidden: dHidden!, dHead: dHead! };
}

describe.each(testAdapters)('on %s', (adapter) => {
  // One chunk, whole chunks, and a last chunk of one token.
  it.each([
    [66, false],
    [128, false],
    [257, false],
    [257, true],
  ])('%i tokens (tied head: %s)', async (vocab, isTied) => {
    const engine = new Engine(await testDevice(adapter));
    const values = { hidden: normals(rows * width), head: normals(vocab * width), weights: normals(2 * rows) };
    const run = async (method: Method) => {
      const program = await engine.compile({ name: 'vocabulary', outputs: graphOf(method, vocab, isTied, values) });
      return program.run();
    };
    const [got, want] = [await run(chunked), await run(whole)];
    for (const name of ['logProb', 'entropy', 'dHidden', 'dHead'] as const) {
      const scale = Math.max(1, ...want[name].map(Math.abs));
      const error = Math.max(...Array.from(want[name], (value, index) => Math.abs(value - got[name][index]!)));
      expect(error / scale, name).toBeLessThan(2e-6);
    }
    expect(got.logProb[7]).toBe(0);
  });
});

it('holds no more logits than those of a chunk', () => {
  const vocab = 10 * 64;
  const values = { hidden: normals(rows * width), head: normals(vocab * width), weights: normals(2 * rows) };
  const largestOf = (method: Method) => {
    const { logProb, entropy, dHidden } = graphOf(method, vocab, false, values);
    return Math.max(...plan([logProb, entropy, dHidden], []).slots);
  };
  expect(largestOf(whole)).toBe(rows * vocab * 4);
  expect(largestOf(chunked)).toBe(rows * 64 * 4);
});

it('is what a transformer computes where the logits would be large', () => {
  const sizes = {
    dModel: 16,
    layers: 1,
    heads: 1,
    kvHeads: 1,
    headDim: 16,
    dFf: 16,
    ropeTheta: 100,
    tiedHead: true,
    normEpsilon: 1e-6,
  };
  const slotsOf = (vocabSize: number, targets: number) => {
    const model = new Transformer({ ...sizes, vocabSize }, null);
    const { logProb, entropy } = model.tokenLogProbs(
      input('hidden', [targets, 16]),
      input('targets', [targets], 'u32'),
    );
    return plan([logProb, entropy], []).slots;
  };
  expect(Math.max(...slotsOf(2 ** 15, 2 ** 10))).toBe(2 ** 27);
  // A chunk is a quarter of the bound at most.
  expect(Math.max(...slotsOf(2 ** 15, 2 ** 10 + 64))).toBeLessThanOrEqual(2 ** 25);
  expect(Math.max(...slotsOf(151_936, 8192))).toBe(2 ** 25);
});

it('says what does not fit', () => {
  const targets = input('targets', [2], 'u32');
  expect(() => chunkedTokenLogProbs(input('h', [2, 3]), [input('w', [5, 4])], targets, 1, 64)).toThrow(
    'it was given [2, 3], [5, 4] and u32 [2]',
  );
  expect(() => chunkedTokenLogProbs(input('h', [2, 3]), [input('w', [5, 3])], targets, 0, 64)).toThrow(
    'the temperature is 0',
  );
  expect(() => chunkedTokenLogProbs(input('h', [2, 3]), [input('w', [5, 3])], targets, 1, 0)).toThrow(
    'a chunk has 0 tokens',
  );
});
