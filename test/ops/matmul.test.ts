/** Matrix products: every layout, batched and not, with gradients against float64. */
import { describe, expect, it } from 'vitest';
import { matmul } from '../../src/ops/matmul.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input, sizeOf } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

type Arrays = Readonly<Record<string, Float64Array>>;

/** op(a) · op(b) in float64 for a [batch, m, k] and b [batch, k, n], stored as the options say. */
const reference =
  ([batch, m, n, k]: readonly [number, number, number, number], transposeA: boolean, transposeB: boolean) =>
  ({ a, b }: Arrays) =>
    Float64Array.from({ length: batch * m * n }, (_, index) => {
      const [matrix, row, column] = [Math.floor(index / (m * n)), Math.floor(index / n) % m, index % n];
      let sum = 0;
      for (let i = 0; i < k; i++) {
        const left = transposeA ? i * m + row : row * k + i;
        const right = transposeB ? column * k + i : i * n + column;
        sum += a![matrix * m * k + left]! * b![matrix * k * n + right]!;
      }
      return sum;
    });

describe.each(testAdapters)('matmul on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    ['A · B', false, false],
    ['A · Bᵀ', false, true],
    ['Aᵀ · B', true, false],
  ])('has the values and gradients of %s', async (_, transposeA, transposeB) => {
    const engine = await makeEngine();
    const [batch, m, n, k] = [3, 5, 4, 6];
    const shapeA = transposeA ? [k, m] : [m, k];
    const shapeB = transposeB ? [n, k] : [k, n];
    const one = await gradientMismatch(engine, {
      inputs: { a: shapeA, b: shapeB },
      build: ({ a, b }) => matmul(a, b, { transposeA, transposeB }),
      reference: reference([1, m, n, k], transposeA, transposeB),
    });
    expect(one, 'one pair').toBeNull();
    const several = await gradientMismatch(engine, {
      inputs: { a: [batch, ...shapeA], b: [batch, ...shapeB] },
      build: ({ a, b }) => matmul(a, b, { transposeA, transposeB }),
      reference: reference([batch, m, n, k], transposeA, transposeB),
    });
    expect(several, 'a batch').toBeNull();
  });

  it('sums a long k in parts', async () => {
    const [m, n, k] = [3, 2, 2100];
    const engine = await makeEngine();
    const program = await engine.compile({
      name: 'long',
      outputs: { c: matmul(input('a', [k, m]), input('b', [k, n]), { transposeA: true }) },
    });
    expect(program.dispatches).toBe(2);
    const a = Float32Array.from({ length: k * m }, (_, i) => Math.sin(i));
    const b = Float32Array.from({ length: k * n }, (_, i) => Math.cos(3 * i));
    const { c } = await program.run({ a, b });
    const want = reference([1, m, n, k], true, false)({ a: Float64Array.from(a), b: Float64Array.from(b) });
    for (let i = 0; i < sizeOf([m, n]); i++) expect(c[i]).toBeCloseTo(want[i]!, 3);
  });

  it('gives zeros where k is 0', async () => {
    const engine = await makeEngine();
    const program = await engine.compile({
      name: 'empty',
      outputs: { c: matmul(input('a', [2, 0]), input('b', [0, 3])) },
    });
    expect([...(await program.run({ a: new Float32Array(0), b: new Float32Array(0) })).c]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('matmul', () => {
  it('says which shapes do not fit', () => {
    expect(() => matmul(input('a', [2, 3]), input('b', [4, 5]))).toThrow(
      '[2, 3] and [4, 5] do not fit together for A · B',
    );
    expect(() => matmul(input('a', [2, 2, 3]), input('b', [3, 3, 5]))).toThrow('inner sizes and batches must be equal');
    expect(() => matmul(input('a', [2, 3]), input('b', [1, 3, 5]))).toThrow('two matrices or two batches of matrices');
    expect(() => matmul(input('a', [3, 2]), input('b', [5, 3]), { transposeA: true, transposeB: true })).toThrow(
      'one operand at most',
    );
  });
});
