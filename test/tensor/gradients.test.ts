/** Gradients in slabs. */
import { describe, expect, it } from 'vitest';
import { multiply } from '../../src/ops/elementwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { accumulate, gatherGradients } from '../../src/tensor/gradients.ts';
import { input } from '../../src/tensor/tensor.ts';
import { ParameterSlab, Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const makeSlab = () =>
  new ParameterSlab('weights', [
    { name: 'a', shape: [3], decay: true, initial: [1, 2, 3] },
    { name: 'b', shape: [70], decay: false, initial: new Float32Array(70).fill(1) },
  ]);

describe.each(testAdapters)('on %s', (adapter) => {
  it('adds up the gradients of micro-batches, laid out as the parameters', async () => {
    const engine = new Engine(await testDevice(adapter));
    const slab = makeSlab();
    const micro = new Variable('micro', [slab.size]);
    const total = new Variable('total', [slab.size]);
    const loss = sum(multiply(slab.get('a'), input('x', [3])));
    const gradients = grad(loss, [slab.get('a'), slab.get('b')]);
    const after = accumulate(total.tensor, gatherGradients(slab, micro, gradients));
    const program = await engine.compile({ name: 'micro-batch', updates: [after], outputs: { loss } });
    expect([...(await program.run({ x: Float32Array.of(1, 2, 3) })).loss]).toEqual([14]);
    await program.run({ x: Float32Array.of(10, 20, 30) });
    const values = await engine.read(total);
    expect([...values.subarray(0, 4)]).toEqual([11, 22, 33, 0]);
    expect(values.subarray(64).every((value) => value === 0)).toBe(true);
  });
});

it('says which gradient has the wrong shape', () => {
  const slab = makeSlab();
  const target = new Variable('gradients', [slab.size]);
  expect(() => gatherGradients(slab, target, [input('a', [3]), input('b', [7])])).toThrow(
    'the gradient of b must be [70]; it is [7].',
  );
  expect(() => gatherGradients(slab, new Variable('small', [64]), [])).toThrow(
    'small has 64 elements; gradients of weights need 256.',
  );
});
