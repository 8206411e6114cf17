/** Norms over the heads of queries and keys, with gradients in input and weights. */
import { describe, expect, it } from 'vitest';
import { headNorm } from '../../src/ops/headNorm.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

type Parts = Record<'qkv' | 'weightQ' | 'weightK', Float64Array>;

function headNormOf({ qkv, weightQ, weightK }: Parts, heads: number, kvHeads: number): Float64Array {
  const headDim = weightQ.length;
  return qkv.map((value, at) => {
    const head = Math.floor(at / headDim);
    const kind = head % (heads + 2 * kvHeads);
    if (kind >= heads + kvHeads) return value;
    const elements = qkv.subarray(head * headDim, (head + 1) * headDim);
    const meanSquare = elements.reduce((sum, other) => sum + other * other, 0) / headDim;
    return (value / Math.sqrt(meanSquare + 1e-6)) * (kind < heads ? weightQ : weightK)[at % headDim]!;
  });
}

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([
    { rows: 3, heads: 2, kvHeads: 1, headDim: 8 },
    { rows: 40, heads: 3, kvHeads: 3, headDim: 6 },
  ])('$rows rows of $heads and $kvHeads heads of $headDim', async ({ rows, heads, kvHeads, headDim }) => {
    const mismatch = await gradientMismatch(new Engine(await testDevice(adapter)), {
      inputs: { qkv: [rows, (heads + 2 * kvHeads) * headDim], weightQ: [headDim], weightK: [headDim] },
      build: ({ qkv, weightQ, weightK }) => headNorm(qkv, weightQ, weightK, heads, kvHeads),
      reference: (values) => headNormOf(values, heads, kvHeads),
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses weights that do not fit the heads', () => {
  const [wide, narrow] = [input('wide', [8]), input('narrow', [4])];
  expect(() => headNorm(input('qkv', [2, 32]), wide, narrow, 2, 1)).toThrow(
    'headNorm of 4 heads needs qkv [rows, 4 · headDim]',
  );
  expect(() => headNorm(input('qkv', [2, 24]), wide, wide, 2, 1)).toThrow('it was given [2, 24], [8], [8].');
});
