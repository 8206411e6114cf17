/** Elementwise ops and their gradients. */
import { describe, expect, it } from 'vitest';
import { add, gelu, geluErf, multiply, scale, silu } from '../../src/ops/elementwise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const geluOf = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Φ by the midpoint rule from 0 on. */
function normalCdf(x: number): number {
  const steps = 2000;
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += Math.exp(-0.5 * ((x * (i + 0.5)) / steps) ** 2);
  return 0.5 + (sum * x) / steps / Math.sqrt(2 * Math.PI);
}

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    ['add', add, (a: number, b: number) => a + b],
    ['multiply', multiply, (a: number, b: number) => a * b],
  ] as const)('%s', async (_, op, reference) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { a: [3, 5], b: [3, 5] },
      build: ({ a, b }) => op(a, b),
      reference: ({ a, b }) => a.map((value, i) => reference(value, b[i]!)),
    });
    expect(mismatch).toBeNull();
  });

  it.each([
    ['scale', (x: Parameters<typeof scale>[0]) => scale(x, -1.5), (x: number) => -1.5 * x],
    ['gelu', gelu, geluOf],
    ['geluErf', geluErf, (x: number) => x * normalCdf(x)],
    ['silu', silu, (x: number) => x * sigmoid(x)],
  ] as const)('%s', async (_, op, reference) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [4, 7] },
      build: ({ x }) => op(x),
      reference: ({ x }) => x.map(reference),
    });
    expect(mismatch).toBeNull();
  });

  it('adds up the gradients of a tensor that is both operands', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [6] },
      build: ({ x }) => multiply(x, x),
      reference: ({ x }) => x.map((value) => value * value),
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses tensors of different shapes', () => {
  expect(() => add(input('a', [2, 3]), input('b', [3, 2]))).toThrow(
    'add needs two tensors of one shape; it was given [2, 3] and [3, 2].',
  );
});
