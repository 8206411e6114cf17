/**
 * The ops of a transformer on rows so short that every number can be checked by hand. What each test expects stands in
 * it as a number; other tests hold the same ops at real sizes against references in float64.
 */
import { describe, expect, it } from 'vitest';
import { attention } from '../../src/ops/attention.ts';
import { embedding } from '../../src/ops/embedding.ts';
import { geglu, swiglu } from '../../src/ops/gatedLinear.ts';
import { headNorm } from '../../src/ops/headNorm.ts';
import { layerNorm } from '../../src/ops/layerNorm.ts';
import { linear } from '../../src/ops/linear.ts';
import { dot } from '../../src/ops/reduce.ts';
import { rmsNorm } from '../../src/ops/rmsNorm.ts';
import { splitHeadsWithRope } from '../../src/ops/rope.ts';
import { tokenLogProbs } from '../../src/ops/tokenLogProbs.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { constant, input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const of = (...values: number[]) => constant(values, [values.length]);
const row = (...values: number[]) => constant(values, [1, values.length]);
const integers = (...values: number[]) => constant(values, [values.length], 'u32');

// Adding 0 makes -0 what it looks like.
const rounded = (values: Iterable<number>) => Array.from(values, (value) => Math.round(1e4 * value) / 1e4 + 0);

describe.each(testAdapters)('on %s', (adapter) => {
  /** Values, to four digits behind the point. */
  async function valuesOf(y: Tensor): Promise<number[]> {
    const program = await new Engine(await testDevice(adapter)).compile({ name: 'values', outputs: { y } });
    return rounded((await program.run({})).y!);
  }

  /** The gradient in x of the sum of `build(x)`, each element of it times a weight. */
  async function gradientOf(x: number[][], build: (x: Tensor) => Tensor, weights: number[]): Promise<number[]> {
    const variable = input('x', [x.length, x[0]!.length]);
    variable.requiresGrad = true;
    const y = build(variable);
    const [dx] = grad(dot(y, constant(weights, y.shape)), [variable]);
    // With y, since the gradient of a sum of products reads no x.
    const outputs = { y, dx: dx! };
    const program = await new Engine(await testDevice(adapter)).compile({ name: 'gradient', outputs });
    return rounded((await program.run({ x: Float32Array.from(x.flat()) })).dx!);
  }

  it('linear: [1, 2] · [[3, 4], [5, 6]]ᵀ + [0, 100] is [1·3 + 2·4, 1·5 + 2·6 + 100]', async () => {
    const weight = constant([3, 4, 5, 6], [2, 2]);
    expect(await valuesOf(linear(row(1, 2), weight, of(0, 100)))).toEqual([11, 117]);
    // An input's gradient is its column of weights, as the outputs' gradients weigh it: [3 + 10·5, 4 + 10·6].
    expect(await gradientOf([[1, 2]], (x) => linear(x, weight), [1, 10])).toEqual([53, 64]);
  });

  it('rmsNorm: [3, 4] has the mean square 12.5, so it is divided by 3.5355', async () => {
    expect(await valuesOf(rmsNorm(row(3, 4), of(1, 10)))).toEqual([0.8485, 11.3137]);
    // d(x₁/r) = (r² - x₁²/2) / r³ = (12.5 - 4.5) / 44.1942, and -x₁x₂/2 / r³ = -6 / 44.1942 in x₂.
    expect(await gradientOf([[3, 4]], (x) => rmsNorm(x, of(1, 10)), [1, 0])).toEqual([0.181, -0.1358]);
  });

  it('layerNorm: [1, 3] has mean 2 and deviation 1', async () => {
    expect(await valuesOf(layerNorm(row(1, 3), of(1, 10), of(0.5, 0)))).toEqual([-0.5, 10]);
  });

  it('headNorm: of a query [3, 4], a key [0, 2] and a value, the value stays', async () => {
    const normed = headNorm(row(3, 4, 0, 2, 7, 8), of(1, 1), of(1, 10), 1, 1);
    expect(await valuesOf(normed)).toEqual([0.8485, 1.1314, 0, 14.1421, 7, 8]);
  });

  it('rope: an angle of 90° a position turns [1, 2] to [-2, 1], then to [-1, -2]; values stay', async () => {
    const one = [1, 2, 1, 2, 1, 2];
    const layout = { heads: 1, kvHeads: 1, headDim: 2, frequencies: of(Math.PI / 2) };
    const { q, k, v } = splitHeadsWithRope(constant([one, one, one].flat(), [3, 6]), integers(0, 1, 2), layout);
    for (const turned of [q, k]) expect(await valuesOf(turned)).toEqual([1, 2, -2, 1, -1, -2]);
    expect(await valuesOf(v)).toEqual([1, 2, 1, 2, 1, 2]);
  });

  it('swiglu and geglu: gates 0 and 1 let through nothing, and 0.7311 or 0.8412', async () => {
    // silu(1) = 1 / (1 + 1/e); gelu(1) is 1 times the normal distribution at 1, by its tanh form.
    expect(await valuesOf(swiglu(row(0, 1, 5, 10)))).toEqual([0, 7.3106]);
    expect(await valuesOf(geglu(row(0, 1, 5, 10)))).toEqual([0, 8.4119]);
    // In a gate of 0, silu and gelu have the slope 1/2; in what is let through, the gate itself.
    expect(await gradientOf([[0, 1, 5, 10]], swiglu, [1, 0])).toEqual([2.5, 0, 0, 0]);
    expect(await gradientOf([[0, 1, 5, 10]], geglu, [1, 1])).toEqual([2.5, 10.8296, 0, 0.8412]);
  });

  it('embedding: rows by their number; the gradient of a row that is taken twice is added up', async () => {
    const take = (table: Tensor) => embedding(table, integers(2, 0, 2));
    expect(await valuesOf(take(constant([1, 2, 3, 4, 5, 6], [3, 2])))).toEqual([5, 6, 1, 2, 5, 6]);
    const table = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    expect(await gradientOf(table, take, [1, 2, 10, 20, 100, 200])).toEqual([10, 20, 0, 0, 101, 202]);
  });

  it('attention: the first token sees itself alone, the second shares 1 : 3 by its scores 0 and ln 3', async () => {
    // Scores are q · k / √headDim: 2·0 / 2 and 2·ln 3 / 2.
    const q = constant([2, 0, 0, 0, 2, 0, 0, 0], [2, 1, 4]);
    const k = constant([0, 0, 0, 0, Math.log(3), 0, 0, 0], [2, 1, 4]);
    const v = constant([8, 1, 0, 0, 4, 1, 0, 4], [2, 1, 4]);
    const together = { segmentStart: integers(0, 0), segmentEnd: integers(2, 2) };
    expect(await valuesOf(attention(q, k, v, together))).toEqual([8, 1, 0, 0, 5, 1, 0, 3]);
    // In sequences of their own, each sees itself.
    const apart = { segmentStart: integers(0, 1), segmentEnd: integers(1, 2) };
    expect(await valuesOf(attention(q, k, v, apart))).toEqual([8, 1, 0, 0, 4, 1, 0, 4]);
  });

  it('tokenLogProbs: logits 0 and ln 3 are the chances 1/4 and 3/4', async () => {
    const logits = constant([0, Math.log(3), 0, Math.log(3)], [2, 2]);
    const { logProb, entropy } = tokenLogProbs(logits, integers(0, 1), 1);
    expect(await valuesOf(logProb)).toEqual([-1.3863, -0.2877]);
    // 1/4 · 1.3863 + 3/4 · 0.2877.
    expect(await valuesOf(entropy)).toEqual([0.5623, 0.5623]);
    // What was drawn, less the chances: [1 - 1/4, 0 - 3/4].
    const drawn = (x: Tensor) => tokenLogProbs(x, integers(0), 1).logProb;
    expect(await gradientOf([[0, Math.log(3)]], drawn, [1])).toEqual([0.75, -0.75]);
  });
});
