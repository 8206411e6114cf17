/** Sums over all elements. */
import { describe, expect, it } from 'vitest';
import { dot, norm, sum } from '../../src/ops/reduce.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([1, 12, 301])('sum of %i elements', async (count) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [count] },
      build: ({ x }) => sum(x),
      reference: ({ x }) => [x.reduce((total, value) => total + value, 0)],
    });
    expect(mismatch).toBeNull();
  });

  it.each([1, 12, 301])('dot of %i elements', async (count) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { a: [count], b: [count] },
      build: ({ a, b }) => dot(a, b),
      reference: ({ a, b }) => [a.reduce((total, value, i) => total + value * b[i]!, 0)],
    });
    expect(mismatch).toBeNull();
  });

  it('norm of many elements, of none, and of some that are not finite', async () => {
    const engine = await makeEngine();
    const sizes = { many: 100_003, none: 0, infinite: 5, overflowing: 5, notANumber: 5 };
    const outputs = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, norm(input(name, [size]))]));
    const program = await engine.compile({ name: 'norms', outputs });
    const result = await program.run({
      many: new Float32Array(sizes.many).fill(0.5),
      none: new Float32Array(0),
      infinite: Float32Array.of(1, 2, Infinity, 0, 0),
      overflowing: Float32Array.of(1, 2, 1e30, 0, 0),
      notANumber: Float32Array.of(1, 2, Number.NaN, 0, 0),
    });
    expect(result.many![0]).toBeCloseTo(0.5 * Math.sqrt(sizes.many), 3);
    expect(result.none![0]).toBe(0);
    expect([result.infinite![0], result.overflowing![0], result.notANumber![0]].map(Number.isFinite)).toEqual([
      false,
      false,
      false,
    ]);
  });
});

it('refuses a dot product of different sizes', () => {
  expect(() => dot(input('a', [3]), input('b', [4]))).toThrow(
    'dot needs two tensors of one size; it was given [3] and [4].',
  );
});
