/** Attention over packed sequences, and its gradients. */
import { describe, expect, it } from 'vitest';
import { attentionReference, noWindow, packSegments } from '../../kernels/attentionReference.ts';
import { attention, type Segments } from '../../src/ops/attention.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const segmentsOf = (lengths: readonly number[]): Segments => {
  const { segmentStart, segmentEnd } = packSegments(lengths);
  return {
    segmentStart: constant(segmentStart, [segmentStart.length], 'u32'),
    segmentEnd: constant(segmentEnd, [segmentEnd.length], 'u32'),
  };
};
const normal = (size: number, purpose: string) => {
  const random = new Random(1, purpose);
  return Float32Array.from({ length: size }, () => random.normal());
};
const rowsOf = (lengths: readonly number[]) => lengths.reduce((sum, length) => sum + length, 0);

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    { lengths: [5, 1, 9], heads: 4, kvHeads: 2, headDim: 16 },
    { lengths: [3, 1, 1], heads: 3, kvHeads: 1, headDim: 4 },
    { lengths: [7, 1, 5], heads: 4, kvHeads: 2, headDim: 16, window: 3 },
  ])(
    'matches float64 and its differences: $heads heads of $headDim over $kvHeads key heads, window $window',
    async ({ lengths, window = noWindow, ...sizes }) => {
      const { heads, kvHeads, headDim } = sizes;
      const rows = rowsOf(lengths);
      const { segmentStart } = packSegments(lengths);
      const mismatch = await gradientMismatch(await makeEngine(), {
        inputs: { q: [rows, heads, headDim], k: [rows, kvHeads, headDim], v: [rows, kvHeads, headDim] },
        build: ({ q, k, v }) => attention(q, k, v, segmentsOf(lengths), window),
        reference: ({ q, k, v }) => attentionReference(q, k, v, segmentStart, { rows, ...sizes, window }).y,
      });
      expect(mismatch).toBeNull();
    },
  );

  /** y, dq, dk and dv of a pack whose sum is the loss of the given weights. */
  async function run(lengths: readonly number[], q: Float32Array, k: Float32Array, v: Float32Array) {
    const rows = rowsOf(lengths);
    const tensors = [input('q', [rows, 4, 16]), input('k', [rows, 2, 16]), input('v', [rows, 2, 16])] as const;
    for (const tensor of tensors) tensor.requiresGrad = true;
    const y = attention(...tensors, segmentsOf(lengths));
    const [dq, dk, dv] = y.op!.backward([input('dy', y.shape)]);
    const program = await (await makeEngine()).compile({
      name: 'attention',
      outputs: { y, dq: dq!, dk: dk!, dv: dv! },
    });
    return program.run({ q: q.slice(), k: k.slice(), v: v.slice(), dy: q.slice() });
  }

  it('gives each packed sequence what it gives the sequence alone', async () => {
    const lengths = [19, 1, 42, 2];
    const [q, k, v] = [normal(64 * 64, 'q'), normal(64 * 32, 'k'), normal(64 * 32, 'v')];
    const packed = await run(lengths, q, k, v);
    let first = 0;
    for (const length of lengths) {
      const end = first + length;
      const rowsIn = (values: ArrayLike<number>) => {
        const width = values.length / 64;
        return Float32Array.from(values).slice(first * width, end * width);
      };
      const alone = await run([length], rowsIn(q), rowsIn(k), rowsIn(v));
      for (const name of ['y', 'dq', 'dk', 'dv'] as const) {
        const difference = Math.max(...rowsIn(packed[name]).map((value, i) => Math.abs(value - alone[name][i]!)));
        // The same sums, in tiles that start elsewhere.
        expect(difference, `${name} of the sequence of ${length}`).toBeLessThan(1e-5);
      }
      first = end;
    }
  });

  it('lets no row see a later one or another sequence', async () => {
    const lengths = [7, 5];
    const [q, k, v] = [normal(12 * 64, 'q'), normal(12 * 32, 'k'), normal(12 * 32, 'v')];
    const before = await run(lengths, q, k, v);
    v.fill(100, 6 * 32, 7 * 32);
    const after = await run(lengths, q, k, v);
    const changed = Array.from({ length: 12 }, (_, row) => row).filter((row) =>
      after.y.slice(row * 64, (row + 1) * 64).some((value, i) => value !== before.y[row * 64 + i]),
    );
    expect(changed).toEqual([6]);
  });

  it('stays finite for scores of a thousand', async () => {
    const q = normal(10 * 64, 'q').map((value) => 100 * value);
    const k = normal(10 * 32, 'k').map((value) => 100 * value);
    const result = await run([10], q, k, normal(10 * 32, 'v'));
    expect([...result.y, ...result.dq, ...result.dk, ...result.dv].every(Number.isFinite)).toBe(true);
  });
});

describe('wrong shapes', () => {
  const make = (heads: number, kvHeads: number, headDim: number) => () =>
    attention(
      input('q', [3, heads, headDim]),
      input('k', [3, kvHeads, headDim]),
      input('v', [3, kvHeads, headDim]),
      segmentsOf([3]),
    );

  it('refuses heads that cannot be grouped', () => {
    expect(make(4, 3, 16)).toThrow('attention: 4 heads cannot share 3 key heads; use a multiple of the key heads.');
  });

  it('refuses head dimensions without a kernel', () => {
    expect(make(2, 2, 18)).toThrow(
      'attention: a head dimension of 18 has no kernel; use a multiple of 4 from 4 to 256.',
    );
    expect(make(2, 2, 260)).toThrow('a head dimension of 260 has no kernel');
  });

  it('refuses tables of another length', () => {
    const tensors = [input('q', [3, 2, 8]), input('k', [3, 2, 8]), input('v', [3, 2, 8])] as const;
    expect(() => attention(...tensors, segmentsOf([4]))).toThrow(
      'segmentStart is u32[4], but 3 elements of u32 are needed',
    );
  });
});

it('asks for no gradient where nothing needs one', () => {
  const loss = attention(input('q', [1, 1, 4]), input('k', [1, 1, 4]), input('v', [1, 1, 4]), segmentsOf([1]));
  expect(loss.requiresGrad).toBe(false);
  expect(() => grad(loss, [])).toThrow('grad needs a loss of one element');
});
