/** The linear layer: values and gradients against float64, and only the gradients that are asked for. */
import { describe, expect, it } from 'vitest';
import { linear } from '../../src/ops/linear.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { gradientMismatch } from '../support/gradientCheck.ts';

type Arrays = Readonly<Record<string, Float64Array>>;

const reference =
  (rows: number, inputs: number, outputs: number) =>
  ({ x, weight, bias }: Arrays) =>
    Float64Array.from({ length: rows * outputs }, (_, index) => {
      const [row, output] = [Math.floor(index / outputs), index % outputs];
      let sum = bias?.[output] ?? 0;
      for (let i = 0; i < inputs; i++) sum += x![row * inputs + i]! * weight![output * inputs + i]!;
      return sum;
    });

describe.each(testAdapters)('linear on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it('has the values and gradients of x · Wᵀ', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [9, 6], weight: [5, 6] },
      build: ({ x, weight }) => linear(x, weight),
      reference: reference(9, 6, 5),
    });
    expect(mismatch).toBeNull();
  });

  it('has the values and gradients of x · Wᵀ + b, also over many rows', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [1030, 3], weight: [4, 3], bias: [4] },
      build: ({ x, weight, bias }) => linear(x, weight, bias),
      reference: reference(1030, 3, 4),
    });
    expect(mismatch).toBeNull();
  });
});

describe('linear', () => {
  const gradientsOf = (x: Tensor, weight: Tensor, bias?: Tensor) => {
    const y = linear(x, weight, bias);
    return y.op?.backward([input('dy', y.shape)]).map((gradient) => gradient?.shape ?? null);
  };
  const trainable = (name: string, shape: number[]) => Object.assign(input(name, shape), { requiresGrad: true });

  it('computes gradients only for inputs that need one', () => {
    expect(gradientsOf(trainable('x', [2, 3]), input('w', [4, 3]))).toEqual([[2, 3], null]);
    expect(gradientsOf(input('x', [2, 3]), trainable('w', [4, 3]), input('b', [4]))).toEqual([null, [4, 3], null]);
    expect(gradientsOf(input('x', [2, 3]), input('w', [4, 3]), trainable('b', [4]))).toEqual([null, null, [4]]);
    expect(linear(input('x', [2, 3]), input('w', [4, 3])).op).toBeNull();
  });

  it('says which shapes do not fit', () => {
    expect(() => linear(input('x', [2, 3]), input('w', [4, 5]))).toThrow('it was given [2, 3], [4, 5]');
    expect(() => linear(input('x', [2, 3]), input('w', [4, 3]), input('b', [3]))).toThrow('it was given [2, 3], [4, 3], [3]');
  });
});
