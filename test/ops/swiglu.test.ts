/** The gated activation and its gradient. */
import { describe, expect, it } from 'vitest';
import { swiglu } from '../../src/ops/swiglu.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([8, 5])('silu of the first %i elements of a row times the rest', async (width) => {
    const mismatch = await gradientMismatch(new Engine(await testDevice(adapter)), {
      inputs: { gateUp: [6, 2 * width] },
      build: ({ gateUp }) => swiglu(gateUp),
      reference: ({ gateUp }) =>
        Float64Array.from({ length: 6 * width }, (_, at) => {
          const gate = gateUp[at + Math.floor(at / width) * width]!;
          return (gate / (1 + Math.exp(-gate))) * gateUp[at + (Math.floor(at / width) + 1) * width]!;
        }),
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses an odd width', () => {
  expect(() => swiglu(input('gateUp', [2, 5]))).toThrow('swiglu needs [rows, 2 · dFf]; it was given [2, 5].');
});
