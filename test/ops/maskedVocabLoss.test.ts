/**
 * Log-probabilities among allowed tokens over chunks of the vocabulary: what the logits as a whole give, whatever lies
 * in a chunk, and the gradient of a float64 reference.
 */
import { describe, expect, it } from 'vitest';
import { Transformer } from '../../src/nn/transformer.ts';
import { type AllowedTokens, maskLogits } from '../../src/ops/allowedTokens.ts';
import { add } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { linearOfParts } from '../../src/ops/rowParts.ts';
import { tokenLogProbs } from '../../src/ops/tokenLogProbs.ts';
import { chunkedTokenLogProbs } from '../../src/ops/vocabLoss.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { plan } from '../../src/tensor/planner.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input, paddingIndex, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const [width, chunk] = [12, 64];

/** Targets of rows and what they are drawn from; an empty list allows every token. Chunks are of 64 tokens. */
const rows = [
  { allowed: [], target: 130 },
  { allowed: [5], target: 5 },
  { allowed: [0, 63, 64, 127, 128, 256], target: 64 },
  { allowed: [254, 255, 256], target: 256 },
  { allowed: [70, 90], target: 90 },
  { allowed: [1, 200], target: 1 },
  // No token of its own: it is as unlikely as can be, and has no gradient of its own.
  { allowed: [3, 100], target: 200 },
  { allowed: [10, 20], target: paddingIndex },
];
const vocab = 257;
const targets = () =>
  constant(
    rows.map(({ target }) => target),
    [rows.length],
    'u32',
  );

/** The lists of allowed tokens one after another. */
function allowedTokens(): AllowedTokens {
  let end = 0;
  const ranges = rows.flatMap(({ allowed }) => [(end += allowed.length) - allowed.length, allowed.length]);
  const tokens = rows.flatMap(({ allowed }) => allowed);
  return { ranges: constant(ranges, [rows.length, 2], 'u32'), tokens: constant(tokens, [tokens.length], 'u32') };
}

type Method = (hidden: Tensor, head: readonly Tensor[], temperature: number) => { logProb: Tensor; entropy: Tensor };
const whole: Method = (hidden, head, temperature) =>
  tokenLogProbs(maskLogits(linearOfParts(hidden, head), allowedTokens()), targets(), temperature);
const chunked: Method = (hidden, head, temperature) =>
  chunkedTokenLogProbs(hidden, head, targets(), temperature, chunk, allowedTokens());

/** Log-probability and entropy of each row's target among its allowed tokens, in float64. */
function reference(
  hidden: Float64Array,
  head: Float64Array,
  temperature: number,
): readonly [Float64Array, Float64Array] {
  const [logProbs, entropies] = [new Float64Array(rows.length), new Float64Array(rows.length)];
  for (const [row, { allowed, target }] of rows.entries()) {
    const kept = allowed.length === 0 ? Array.from({ length: vocab }, (_, token) => token) : allowed;
    const logitOf = (token: number) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += hidden[row * width + i]! * head[token * width + i]!;
      return sum / temperature;
    };
    const logits = kept.map(logitOf);
    const largest = Math.max(...logits);
    const logTotal = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    const index = kept.indexOf(target);
    logProbs[row] = index < 0 ? 0 : logits[index]! - logTotal;
    entropies[row] = -logits.reduce((sum, logit) => sum + Math.exp(logit - logTotal) * (logit - logTotal), 0);
  }
  return [logProbs, entropies];
}

/** Without the log-probability of a target that is not allowed, which is about −1e30. */
const ordinary = (value: number) => (value < -1e29 ? 0 : value);

describe.each(testAdapters)('on %s', (adapter) => {
  // The head in one part, and in parts that chunks do not fit into.
  it.each([
    [[vocab], 0.7],
    [[100, 100, 57], 1],
    [[64, 192, 1], 3],
  ])('gives what the logits as a whole give: parts of %j rows, temperature %f', async (parts, temperature) => {
    const engine = new Engine(await testDevice(adapter));
    const random = new Random(7, 'masked vocabulary');
    const variableOf = (name: string, shape: [number, number]) => {
      const values = Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal() / 2);
      const variable = new Variable(name, shape, 'f32', values);
      variable.tensor.requiresGrad = true;
      return variable.tensor;
    };
    const hidden = variableOf('hidden', [rows.length, width]);
    const head = parts.map((count, index) => variableOf(`head ${index}`, [count, width]));
    const weights = Float32Array.from({ length: 2 * rows.length }, () => random.normal());
    const run = async (method: Method) => {
      const { logProb, entropy } = method(hidden, head, temperature);
      const weight = (start: number) => constant(weights.subarray(start, start + rows.length), [rows.length]);
      const loss = add(dot(logProb, weight(0)), dot(entropy, weight(rows.length)));
      const gradients = grad(loss, [hidden, ...head]);
      const named = Object.fromEntries(gradients.map((gradient, index) => [`gradient ${index}`, gradient]));
      return (await engine.compile({ name: 'masked', outputs: { logProb, entropy, ...named } })).run();
    };
    const [got, want] = [await run(chunked), await run(whole)] as Record<string, Float32Array>[];
    for (const [name, wanted] of Object.entries(want!)) {
      const scale = Math.max(1, ...wanted.map(ordinary).map(Math.abs));
      const errors = Array.from(wanted, (value, index) => Math.abs(ordinary(value) - ordinary(got![name]![index]!)));
      expect(Math.max(...errors) / scale, name).toBeLessThan(1e-6);
    }
    expect([...got!.logProb!].map((value) => value < -1e29)).toEqual(rows.map(({ target }) => target === 200));
    expect(got!.logProb![7]).toBe(0);
    expect([got!.logProb![1], got!.entropy![1]]).toEqual([0, 0]);
  });

  it('has the values and gradients of the reference', async () => {
    const engine = new Engine(await testDevice(adapter));
    const temperature = 0.7;
    // The row whose target is not allowed is left out: nothing near −1e30 has central differences.
    const possible = rows.findIndex(({ target }) => target === 200);
    const kept = (values: ArrayLike<number>) =>
      Float64Array.from(values, (value, index) => (index === possible ? 0 : value));
    const mask = () => constant(kept(new Float32Array(rows.length).fill(1)), [rows.length]);
    const mismatch = await gradientMismatch(engine, {
      inputs: { hidden: [rows.length, width], first: [100, width], second: [vocab - 100, width] },
      build: ({ hidden, first, second }) => {
        const { logProb, entropy } = chunked(hidden, [first, second], temperature);
        return [dot(logProb, mask()), dot(entropy, mask())];
      },
      reference: ({ hidden, first, second }) =>
        reference(hidden, Float64Array.of(...first, ...second), temperature).map((values) =>
          Float64Array.of(kept(values).reduce((sum, value) => sum + value, 0)),
        ),
    });
    expect(mismatch).toBeNull();
  });
});

it('holds no more logits than those of a chunk, however large the vocabulary', () => {
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
  const model = new Transformer({ ...sizes, vocabSize: 151_936 }, null);
  const [count, edges] = [4096, 1024];
  const allowed = { ranges: input('ranges', [count, 2], 'u32'), tokens: input('tokens', [edges], 'u32') };
  const hidden = input('hidden', [count, 16]);
  hidden.requiresGrad = true;
  const { logProb } = model.tokenLogProbs(hidden, input('targets', [count], 'u32'), 1, allowed);
  const [gradient] = grad(dot(logProb, input('weights', [count])), [hidden]);
  const { slots, memory } = plan([logProb, gradient!], []);
  expect(Math.max(...slots)).toBeLessThanOrEqual(2 ** 25);
  // The logits of a chunk, masked ones and their gradient; not all at once.
  expect(memory.planned).toBeLessThan(2.5 * 2 ** 25);
});
