/** RMSNorm and LayerNorm, with gradients in input, weight and bias. */
import { describe, expect, it } from 'vitest';
import { addLayerNorm, layerNorm } from '../../src/ops/layerNorm.ts';
import { addRmsNorm, rmsNorm } from '../../src/ops/rmsNorm.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

function rmsNormOf(x: Float64Array, weight: Float64Array): Float64Array {
  const width = weight.length;
  return x.map((value, at) => {
    const row = x.subarray(at - (at % width), at - (at % width) + width);
    return (value * weight[at % width]!) / Math.sqrt(row.reduce((sum, other) => sum + other * other, 0) / width + 1e-6);
  });
}

function layerNormOf(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const width = weight.length;
  return x.map((value, at) => {
    const row = x.subarray(at - (at % width), at - (at % width) + width);
    const mean = row.reduce((sum, other) => sum + other, 0) / width;
    const variance = row.reduce((sum, other) => sum + (other - mean) ** 2, 0) / width;
    return ((value - mean) / Math.sqrt(variance + 1e-5)) * weight[at % width]! + bias[at % width]!;
  });
}

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    [5, 8],
    [40, 7],
  ])('rmsNorm of [%i, %i]', async (rows, width) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [rows, width], weight: [width] },
      build: ({ x, weight }) => rmsNorm(x, weight),
      reference: ({ x, weight }) => rmsNormOf(x, weight),
    });
    expect(mismatch).toBeNull();
  });

  it.each([
    [5, 8],
    [40, 7],
  ])('layerNorm of [%i, %i]', async (rows, width) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [rows, width], weight: [width], bias: [width] },
      build: ({ x, weight, bias }) => layerNorm(x, weight, bias),
      reference: ({ x, weight, bias }) => layerNormOf(x, weight, bias),
    });
    expect(mismatch).toBeNull();
  });

  const addRmsNormCheck = {
    inputs: { x: [6, 12], residual: [6, 12], weight: [12] },
    reference: ({ x, residual, weight }: Record<'x' | 'residual' | 'weight', Float64Array>) => {
      const sum = x.map((value, at) => value + residual[at]!);
      return [sum, rmsNormOf(sum, weight)];
    },
  } as const;

  it('addRmsNorm, both outputs used', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      ...addRmsNormCheck,
      build: ({ x, residual, weight }) => Object.values(addRmsNorm(x, residual, weight)),
    });
    expect(mismatch).toBeNull();
  });

  it('addLayerNorm, both outputs used', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [21, 12], residual: [21, 12], weight: [12], bias: [12] },
      build: ({ x, residual, weight, bias }) => Object.values(addLayerNorm(x, residual, weight, bias)),
      reference: ({ x, residual, weight, bias }) => {
        const sum = x.map((value, at) => value + residual[at]!);
        return [sum, layerNormOf(sum, weight, bias)];
      },
    });
    expect(mismatch).toBeNull();
  });

  it.each(['sum', 'normed'] as const)('addRmsNorm, only %s used', async (name) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      ...addRmsNormCheck,
      build: ({ x, residual, weight }) => addRmsNorm(x, residual, weight)[name],
      reference: (values) => addRmsNormCheck.reference(values)[name === 'sum' ? 0 : 1]!,
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses a weight of another width', () => {
  expect(() => rmsNorm(input('x', [2, 4]), input('weight', [3]))).toThrow(
    'rmsNorm needs rows [rows, width] and a weight [width]; it was given [2, 4] and [3].',
  );
});

it('refuses a residual of another shape', () => {
  const [x, residual, vector] = [input('x', [2, 4]), input('residual', [3, 4]), input('vector', [4])];
  expect(() => addLayerNorm(x, residual, vector, vector)).toThrow(
    'addLayerNorm needs rows [rows, width], a residual of that shape, a weight [width] and a bias [width]; it was given [2, 4], [3, 4], [4] and [4].',
  );
});
