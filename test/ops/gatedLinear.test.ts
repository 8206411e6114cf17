/** The gated activations and their gradients. */
import { describe, expect, it } from 'vitest';
import { geglu, swiglu } from '../../src/ops/gatedLinear.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const silu = (x: number) => x / (1 + Math.exp(-x));
const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([
    ['silu', 8, swiglu, silu],
    ['silu', 5, swiglu, silu],
    ['gelu', 8, geglu, gelu],
    ['gelu', 5, geglu, gelu],
  ] as const)('%s of the first %i elements of a row times the rest', async (_, width, op, activation) => {
    const mismatch = await gradientMismatch(new Engine(await testDevice(adapter)), {
      inputs: { gateUp: [6, 2 * width] },
      build: ({ gateUp }) => op(gateUp),
      reference: ({ gateUp }) =>
        Float64Array.from({ length: 6 * width }, (_, at) => {
          const gate = gateUp[at + Math.floor(at / width) * width]!;
          return activation(gate) * gateUp[at + (Math.floor(at / width) + 1) * width]!;
        }),
    });
    expect(mismatch).toBeNull();
  });
});

it.each([
  ['swiglu', swiglu],
  ['geglu', geglu],
] as const)('%s refuses an odd width', (name, op) => {
  expect(() => op(input('gateUp', [2, 5]))).toThrow(`${name} needs [rows, 2 · dFf]; it was given [2, 5].`);
});
