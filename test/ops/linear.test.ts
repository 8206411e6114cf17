/**
 * The linear layer: values and gradients against float64, stored in float32 or f16, and only the gradients that are
 * asked for.
 */
import { describe, expect, it } from 'vitest';
import { roundToHalf } from '../../kernels/cast.ts';
import { linear } from '../../src/ops/linear.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { constant, input, type Tensor } from '../../src/tensor/tensor.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

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

describe(`linear with operands in f16 on ${halfAdapter}`, needsHalf, () => {
  const [rows, inputs, outputs] = [9, 6, 4];
  const wave = (count: number, step: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(step * (i + 1)));
  const given = {
    x: wave(rows * inputs, 1.1),
    weight: wave(outputs * inputs, 2.3),
    bias: wave(outputs, 0.7),
    dy: wave(rows * outputs, 1.9),
  };

  /** y and its gradients in float64. A product rounds both operands where one is stored in f16. */
  function expected(xType: 'f32' | 'f16', weightType: 'f32' | 'f16', bias: Float32Array | undefined) {
    const operand = (values: Float32Array, ...types: string[]) =>
      Float64Array.from(values, (value) => (types.includes('f16') ? roundToHalf(value) : value));
    const y = reference(
      rows,
      inputs,
      outputs,
    )({
      x: operand(given.x, xType, weightType),
      weight: operand(given.weight, xType, weightType),
      ...(bias ? { bias: Float64Array.from(bias) } : {}),
    });
    const [dyForX, weight] = [operand(given.dy, weightType), operand(given.weight, weightType)];
    const [dyForWeight, x] = [operand(given.dy, xType), operand(given.x, xType)];
    const dx = new Float64Array(rows * inputs);
    const dWeight = new Float64Array(outputs * inputs);
    for (let row = 0; row < rows; row++)
      for (let output = 0; output < outputs; output++)
        for (let i = 0; i < inputs; i++) {
          dx[row * inputs + i]! += dyForX[row * outputs + output]! * weight[output * inputs + i]!;
          dWeight[output * inputs + i]! += dyForWeight[row * outputs + output]! * x[row * inputs + i]!;
        }
    return { y, dx, dWeight };
  }

  it.each([
    ['the weight', 'f32', 'f16', given.bias],
    ['x and the weight', 'f16', 'f16', given.bias],
    ['x and the weight, without a bias', 'f16', 'f16', undefined],
    ['x', 'f16', 'f32', undefined],
  ] as const)('rounds both operands of a product for %s', async (_, xType, weightType, bias) => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const x = Object.assign(constant(given.x, [rows, inputs], xType), { requiresGrad: true });
    const weight = Object.assign(constant(given.weight, [outputs, inputs], weightType), { requiresGrad: true });
    const y = linear(x, weight, bias && input('bias', [outputs]));
    const [dx, dWeight] = y.op!.backward([input('dy', [rows, outputs])]);
    const program = await engine.compile({ name: 'half', outputs: { y, dx: dx!, dWeight: dWeight! } });
    const result = await program.run({ dy: given.dy, ...(bias ? { bias } : {}) });
    const want = expected(xType, weightType, bias);
    for (const name of ['y', 'dx', 'dWeight'] as const)
      for (let i = 0; i < want[name].length; i++)
        expect(result[name][i], `${name}[${i}]`).toBeCloseTo(want[name][i]!, 5);
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
    expect(() => linear(input('x', [2, 3]), input('w', [4, 3]), input('b', [3]))).toThrow(
      'it was given [2, 3], [4, 3], [3]',
    );
  });

  it('says which types it has no kernel for', () => {
    const bias = input('b', [4]);
    expect(() => linear(input('x', [2, 3], 'f16'), input('w', [4, 3]), bias)).toThrow(
      'A · Bᵀ + bias has no kernel for A in f16 and B in f32',
    );
    expect(() => linear(input('x', [2, 3], 'u32'), input('w', [4, 3]))).toThrow(
      'A · Bᵀ has no kernel for A in u32 and B in f32',
    );
  });
});
