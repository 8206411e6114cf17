/** RMSNorm by rows, alone or fused with the residual addition before it, and its gradients. */

import shader from '../shaders/rms_norm.wgsl';
import backwardShader from '../shaders/rms_norm_backward.wgsl';
import { type RowParams, rowDispatch, rowShapes, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelSpec } from './spec.ts';

type RmsNormParams = { rows: number; width: number; epsilon: number };
type RmsNormBackwardParams = { rows: number; width: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
// inverseSqrt is good to 2 ulp, a row's sum of squares to a few more. The gradient subtracts terms of like size.
const tolerance = { absolute: 1e-5, relative: 1e-5 };
const withEpsilon = ({ rows, width }: RowParams) => ({ params: { rows, width, epsilon: 1e-6 } });
const bench = { rows: 8192, width: 64 };

function rowScales(x: Float64Array, { rows, width, epsilon }: RmsNormParams): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    const squares = x.subarray(row * width, (row + 1) * width).reduce((sum, value) => sum + value * value, 0);
    return 1 / Math.sqrt(squares / width + epsilon);
  });
}

function normed(x: Float64Array, weight: Float64Array, params: RmsNormParams): { y: Float64Array; scale: Float64Array } {
  const scale = rowScales(x, params);
  return { y: x.map((value, at) => value * scale[Math.floor(at / params.width)]! * weight[at % params.width]!), scale };
}

function inputGradient(
  { dy, x, weight, scale }: Readonly<Record<string, Float64Array>>,
  { rows, width }: RmsNormBackwardParams,
): Float64Array {
  const dx = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const rowScale = scale![row]!;
    let products = 0;
    for (let i = 0; i < width; i++) products += dy![row * width + i]! * weight![i]! * x![row * width + i]!;
    for (let i = 0; i < width; i++) {
      const at = row * width + i;
      dx[at] = rowScale * dy![at]! * weight![i]! - (x![at]! * rowScale ** 3 * products) / width;
    }
  }
  return dx;
}

/** y = x / √(mean(x²) + epsilon) · weight for each row; `scale` is the factor of each row before the weight. */
export const rmsNorm = defineKernel<RmsNormParams>({
  name: 'rmsNorm',
  shader,
  bindings: { x: read, weight: read, y: write, scale: write },
  params: { rows: 'u32', width: 'u32', epsilon: 'f32' },
  variants: rowVariants(['x', 'weight', 'y'], { RESIDUAL: false }),
  sizes: ({ rows, width }) => ({ x: rows * width, weight: width, y: rows * width, scale: rows }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 4 * rows * width, bytes: 4 * (2 * rows * width + width + rows) }),
  reference: ({ x, weight }, params) => normed(x!, weight!, params),
  cases: rowShapes.map(withEpsilon),
  benchCases: [withEpsilon(bench)],
  tolerance,
});

/** `rmsNorm` of sum = x + residual, which is kept. */
export const addRmsNorm = defineKernel<RmsNormParams>({
  name: 'addRmsNorm',
  shader,
  bindings: { x: read, residual: read, weight: read, sum: write, y: write, scale: write },
  params: { rows: 'u32', width: 'u32', epsilon: 'f32' },
  variants: rowVariants(['x', 'residual', 'weight', 'sum', 'y'], { RESIDUAL: true }),
  sizes: ({ rows, width }) => {
    const size = rows * width;
    return { x: size, residual: size, weight: width, sum: size, y: size, scale: rows };
  },
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 5 * rows * width, bytes: 4 * (4 * rows * width + width + rows) }),
  reference: ({ x, residual, weight }, params) => {
    const sum = x!.map((value, at) => value + residual![at]!);
    return { sum, ...normed(sum, weight!, params) };
  },
  cases: rowShapes.map(withEpsilon),
  benchCases: [withEpsilon(bench)],
  tolerance,
});

function backwardKernel(residual: boolean): KernelSpec<RmsNormBackwardParams> {
  return defineKernel<RmsNormBackwardParams>({
    name: residual ? 'addRmsNormBackward' : 'rmsNormBackward',
    shader: backwardShader,
    bindings: { dy: read, x: read, weight: read, scale: read, ...(residual ? { dSum: read } : {}), dx: write },
    params: { rows: 'u32', width: 'u32' },
    variants: rowVariants(['dy', 'x', 'weight', ...(residual ? ['dSum'] : []), 'dx'], { RESIDUAL: residual }),
    sizes: ({ rows, width }) => {
      const size = rows * width;
      return { dy: size, x: size, weight: width, scale: rows, ...(residual ? { dSum: size } : {}), dx: size };
    },
    dispatch: rowDispatch,
    cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 4 * ((residual ? 4 : 3) * rows * width + width + rows) }),
    reference: (inputs, params) => ({
      dx: inputGradient(inputs, params).map((value, at) => value + (residual ? inputs.dSum![at]! : 0)),
    }),
    cases: rowShapes.map((params) => ({ params: { ...params } })),
    benchCases: [{ params: bench }],
    tolerance,
  });
}

/** Gradient of `rmsNorm` in x. */
export const rmsNormBackward = backwardKernel(false);

/** Gradient of `addRmsNorm` in x and in the residual, which is one and the same; dSum is the gradient of the sum from elsewhere. */
export const addRmsNormBackward = backwardKernel(true);

export const rmsNormKernels = [rmsNorm, addRmsNorm, rmsNormBackward, addRmsNormBackward] as const;
