/** Gradients that would be silent zeros, or a part of the truth, are computed or refused. */
import { describe, expect, it } from 'vitest';
import { copy } from '../../kernels/copy.ts';
import { add, multiply } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { part } from '../../src/tensor/part.ts';
import { recomputed } from '../../src/tensor/recompute.ts';
import { constant, input, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { ParameterSlab } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const trained = (name: string, shape: readonly number[]) => Object.assign(input(name, shape), { requiresGrad: true });
const total = (x: Tensor) => dot(x, constant(new Float32Array(x.size).fill(1), x.shape));
/** A step without a backward pass. */
const opaque = (x: Tensor) => launch(copy, { count: x.size }, { x }, { y: x.shape }).y;

describe('grad refuses', () => {
  it('a tensor without requiresGrad', () => {
    const [w, x] = [trained('w', [3]), input('x', [3])];
    expect(() => grad(total(multiply(w, x)), [w, x])).toThrow(
      /gradient of a tensor f32 \[3\] that has none: .* set requiresGrad/,
    );
    const frozen = new ParameterSlab('p', [{ name: 'w', shape: [3], decay: true, initial: null }]).frozen();
    expect(() => grad(total(multiply(w, frozen.get('w'))), frozen.tensors)).toThrow(
      expect.objectContaining({ code: 'graph' }),
    );
  });

  it('second derivatives', () => {
    const w = trained('w', [3]);
    const [first] = grad(total(multiply(multiply(w, w), w)), [w]);
    expect(() => grad(total(multiply(first!, first!)), [w])).toThrow(
      expect.objectContaining({ code: 'graph', message: expect.stringMatching(/^there are no second derivatives: /) }),
    );
  });

  it('a loss that also depends on a parameter through a step without a backward pass', () => {
    const w = trained('w', [3]);
    for (const loss of [total(opaque(w)), total(add(w, opaque(w))), total(multiply(w, opaque(multiply(w, w))))])
      expect(() => grad(loss, [w])).toThrow(/^grad cannot go through copy, on which the loss depends/);
  });

  it('such a step within a part that is computed again', () => {
    const [w, x] = [trained('w', [3]), trained('x', [3])];
    expect(() => recomputed(x, (inner) => multiply(opaque(inner), w))).toThrow(/^grad cannot go through copy/);
    expect(() => recomputed(x, (inner) => multiply(inner, opaque(w)))).toThrow(/^grad cannot go through copy/);
  });
});

it('grad takes steps without a backward pass that do not depend on its parameters', () => {
  const [w, x] = [trained('w', [3]), trained('x', [3])];
  const loss = total(multiply(w, opaque(x)));
  expect(grad(loss, [w])[0]!.shape).toEqual([3]);
  expect(() => grad(loss, [w, x])).toThrow(/^grad cannot go through copy/);
});

describe.each(testAdapters)('on %s', (adapter) => {
  it('gradients go through parts', async () => {
    const engine = new Engine(await testDevice(adapter));
    const weights = Float32Array.from({ length: 70 }, (_, i) => 1 + i);
    const mismatch = await gradientMismatch(engine, {
      inputs: { x: [3, 64] },
      build: ({ x }) => {
        const [middle, last] = [part(x, 64, [64]), part(part(x, 64, [2, 64]), 64, [7])];
        return [multiply(middle, middle), multiply(last, constant(weights.subarray(0, 7), [7])), part(x, 0, [5])];
      },
      reference: ({ x }) => [
        x.slice(64, 128).map((value) => value * value),
        x.slice(128, 135).map((value, i) => value * weights[i]!),
        x.slice(0, 5),
      ],
    });
    expect(mismatch).toBeNull();
  });
});
