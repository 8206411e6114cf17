/**
 * Linear layers of few rows, which have kernels of their own: what a row becomes does not depend on how many others
 * there are, on GPUs up to rounding.
 */
import { describe, expect, it } from 'vitest';
import { linear } from '../../src/ops/linear.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const [inputs, outputs] = [72, 45];
const random = new Random(3, 'few rows');
const normal = (size: number) => Float32Array.from({ length: size }, () => random.normal());
const rows = normal(40 * inputs);
const weight = constant(normal(outputs * inputs), [outputs, inputs]);
const bias = constant(normal(outputs), [outputs]);

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([1, 3, 4, 8])('a row among %i is what it is among 40', async (count) => {
    const engine = new Engine(await testDevice(adapter));
    const outputsOf = async (rowCount: number) => {
      const x = input('x', [rowCount, inputs]);
      const program = await engine.compile({
        name: 'linear',
        outputs: { plain: linear(x, weight), biased: linear(x, weight, bias) },
      });
      const result = await program.run({ x: rows.slice(0, rowCount * inputs) });
      program.destroy();
      return result;
    };
    const [few, many] = [await outputsOf(count), await outputsOf(40)];
    for (const name of ['plain', 'biased'] as const) {
      const expected = many[name].slice(0, count * outputs);
      // To the bit on adapters on the CPU; on GPUs lanes share the depths of a sum.
      if (engine.profile.kind === 'cpu') expect(few[name]).toEqual(expected);
      for (const [at, value] of few[name].entries()) expect(value).toBeCloseTo(expected[at]!, 4);
    }
  });
});
