/** Heads with rotary positions, and their gradient. */
import { describe, expect, it } from 'vitest';
import { splitHeadsWithRope } from '../../src/ops/rope.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { constant, input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const positions = [0, 1, 2, 0, 700];

/** Angles for a base `theta`; none for 0. */
function frequenciesOf(headDim: number, theta: number): Tensor {
  const angles = Array.from({ length: headDim / 2 }, (_, pair) => (theta === 0 ? 0 : theta ** ((-2 * pair) / headDim)));
  return constant(angles, [headDim / 2]);
}

/** One part (q, k or v): `count` heads from head `first` on. */
function partOf(
  qkv: Float64Array,
  allHeads: number,
  first: number,
  count: number,
  headDim: number,
  theta: number,
): Float64Array {
  const part = new Float64Array(positions.length * count * headDim);
  positions.forEach((position, row) => {
    for (let head = 0; head < count; head++) {
      for (let i = 0; i < headDim; i++) {
        const start = (row * allHeads + first + head) * headDim;
        const pair = i % (headDim / 2);
        const angle = theta === 0 ? 0 : position * theta ** ((-2 * pair) / headDim);
        const partner = i < headDim / 2 ? -qkv[start + i + headDim / 2]! : qkv[start + pair]!;
        part[(row * count + head) * headDim + i] = qkv[start + i]! * Math.cos(angle) + partner * Math.sin(angle);
      }
    }
  });
  return part;
}

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    { heads: 2, kvHeads: 1, headDim: 8, theta: 10_000 },
    { heads: 3, kvHeads: 3, headDim: 6, theta: 500 },
    { heads: 2, kvHeads: 2, headDim: 4, theta: 0 },
    { heads: 2, kvHeads: 1, headDim: 8, theta: 100, queryScale: 2.5 },
  ])(
    'splits and turns $heads and $kvHeads heads of $headDim, theta $theta, scale $queryScale',
    async ({ theta, ...sizes }) => {
      const { heads, kvHeads, headDim, queryScale = 1 } = sizes;
      const layout = { ...sizes, frequencies: frequenciesOf(headDim, theta) };
      const all = heads + 2 * kvHeads;
      const mismatch = await gradientMismatch(await makeEngine(), {
        inputs: { qkv: [positions.length, all * headDim] },
        build: ({ qkv }) =>
          Object.values(splitHeadsWithRope(qkv, constant(positions, [positions.length], 'u32'), layout)),
        reference: ({ qkv }) => [
          partOf(qkv, all, 0, heads, headDim, theta).map((value) => queryScale * value),
          partOf(qkv, all, heads, kvHeads, headDim, theta),
          partOf(qkv, all, heads + kvHeads, kvHeads, headDim, 0),
        ],
      });
      expect(mismatch).toBeNull();
    },
  );

  it('takes a part that does not reach the loss as a gradient of zeros', async () => {
    const layout = { heads: 1, kvHeads: 1, headDim: 4, frequencies: frequenciesOf(4, 100) };
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { qkv: [positions.length, 12] },
      build: ({ qkv }) => splitHeadsWithRope(qkv, constant(positions, [positions.length], 'u32'), layout).k,
      reference: ({ qkv }) => partOf(qkv, 3, 1, 1, 4, 100),
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses a projection of another width', () => {
  const layout = { heads: 2, kvHeads: 1, headDim: 4, frequencies: frequenciesOf(4, 100) };
  expect(() => splitHeadsWithRope(input('qkv', [3, 12]), input('positions', [3], 'u32'), layout)).toThrow(
    'qkv [rows, 16]',
  );
});
