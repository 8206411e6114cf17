/** Activations in f16: ops give what they give in float32, rounded, and gradients in float32, for odd sizes too. */
import { describe, expect, it } from 'vitest';
import { widen } from '../../kernels/cast.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { attention } from '../../src/ops/attention.ts';
import { add, gelu, geluErf } from '../../src/ops/elementwise.ts';
import { geglu, swiglu } from '../../src/ops/gatedLinear.ts';
import { decodeAttention } from '../../src/ops/kvCache.ts';
import { dropout } from '../../src/ops/lowRank.ts';
import { norm } from '../../src/ops/norm.ts';
import { dot } from '../../src/ops/reduce.ts';
import { splitHeadsWithRope } from '../../src/ops/rope.ts';
import { differentiable, filled, gradientsOf } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input, launch, type Shape, type Tensor } from '../../src/tensor/tensor.ts';
import { halfAdapter, needsHalf, testDevice } from '../support/adapters.ts';

const indices = (values: readonly number[]) => constant(values, [values.length], 'u32');

/** x in float32, with its gradient. */
function widened(x: Tensor): Tensor {
  if (x.dtype === 'f32') return x;
  return differentiable('widened', [x], launch(widen, { count: x.size }, { x }, { y: x.shape }).y, (dy) => [dy]);
}

interface Op {
  readonly name: string;
  readonly x: Shape;
  readonly build: (x: Tensor, stored: FloatStorage) => readonly Tensor[];
}

const heads = { heads: 3, kvHeads: 1, headDim: 4, frequencies: constant([1, 0.1], [2]) };
const segments = { segmentStart: indices([0, 0, 0, 3, 3]), segmentEnd: indices([3, 3, 3, 5, 5]) };
const split = (x: Tensor, stored: FloatStorage) =>
  splitHeadsWithRope(x, indices([0, 1, 2, 0, 1]), { ...heads, stored });
const vector = (width: number) =>
  constant(
    Array.from({ length: width }, (_, i) => 1 + i / 10),
    [width],
  );

const ops: readonly Op[] = [
  {
    name: 'rmsNorm',
    x: [5, 7],
    build: (x, stored) => [norm('rmsNorm', { x, weight: vector(7), epsilon: 1e-6, stored }).normed],
  },
  {
    name: 'addLayerNorm',
    x: [3, 8],
    build: (x, stored) => {
      const { sum, normed } = norm('addLayerNorm', {
        x,
        residual: x,
        weight: vector(8),
        bias: vector(8),
        epsilon: 1e-5,
        stored,
      });
      return [sum, normed];
    },
  },
  { name: 'gelu', x: [5, 7], build: (x, stored) => [gelu(x, stored)] },
  { name: 'geluErf', x: [16], build: (x, stored) => [geluErf(x, stored)] },
  { name: 'swiglu', x: [3, 10], build: (x, stored) => [swiglu(x, stored)] },
  { name: 'geglu', x: [3, 10], build: (x, stored) => [geglu(x, stored)] },
  { name: 'splitHeadsWithRope', x: [5, 20], build: (x, stored) => Object.values(split(x, stored)) },
  {
    name: 'attention of such heads',
    x: [5, 20],
    build: (x, stored) => {
      const { q, k, v } = split(x, stored);
      return [attention(q, k, v, segments)];
    },
  },
  {
    name: 'dropout',
    x: [3, 9],
    build: (x, stored) => [dropout(gelu(x, stored), constant([1, 2], [2], 'u32'), 0, 0.3)],
  },
];

describe('results in f16', needsHalf, () => {
  it.each(ops)('of $name', async ({ x: shape, build }) => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const random = new Random(1, 'storage');
    const normal = (size: number) => Float32Array.from({ length: size }, () => random.normal());
    const x = input('x', shape);
    x.requiresGrad = true;
    const graphs = (['f32', 'f16'] as const).map((stored) => build(x, stored));
    expect(graphs[1]!.at(-1)!.dtype).toBe('f16');
    const weights = graphs[0]!.map(({ size }) => constant(normal(size), [size]));
    const ends = graphs.map((results) => {
      const wide = results.map(widened);
      const loss = wide.map((y, i) => dot(y.reshape([y.size]), weights[i]!)).reduce((a, b) => add(a, b));
      const gradient = gradientsOf(loss, filled([1], 1)).get(x)!;
      expect(gradient.dtype).toBe('f32');
      return { wide, gradient };
    });
    const outputs = Object.fromEntries(
      ends.flatMap(({ wide, gradient }, form) => [
        [`dx${form}`, gradient],
        ...wide.map((y, i) => [`y${i}.${form}`, y]),
      ]),
    );
    const result = await (await engine.compile({ name: 'forms', outputs: outputs as Record<string, Tensor> })).run({
      x: normal(x.size),
    });
    for (const name of ['dx', ...graphs[0]!.map((_, i) => `y${i}.`)]) {
      const [single, half] = [result[`${name}0`]!, result[`${name}1`]!];
      // Operands and results are off by up to 2^-11 of themselves; sums of a few of them by as much of the largest.
      const largest = Math.max(...single.map(Math.abs));
      for (const [i, value] of single.entries())
        expect(Math.abs(half[i]! - value), `${name} ${i}`).toBeLessThan(2e-3 * largest);
    }
  });
});

it('refuse heads that are stored in different ways', () => {
  const [q, k] = [input('q', [4, 2, 8], 'f16'), input('k', [4, 1, 8])];
  const message = 'attention needs tensors that are all in f32 or all in f16; it was given f16 and f32.';
  expect(() => attention(q, k, k, { segmentStart: indices([0, 0, 0, 0]), segmentEnd: indices([4, 4, 4, 4]) })).toThrow(
    message,
  );
  const cache = input('cache', [1, 9, 1, 8]);
  expect(() => decodeAttention(input('q', [1, 2, 8], 'f16'), cache, cache, indices([0]), indices([4]))).toThrow(
    'decodeAttention needs tensors that are all in',
  );
});
