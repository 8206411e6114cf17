/** LayerNorm by rows, and its gradient in the input. */

import shader from '../shaders/layer_norm.wgsl';
import backwardShader from '../shaders/layer_norm_backward.wgsl';
import { type RowParams, rowDispatch, rowShapes, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel } from './spec.ts';

type LayerNormParams = { rows: number; width: number; epsilon: number };
type LayerNormBackwardParams = { rows: number; width: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
// As for RMSNorm. A row of one element has variance 0: its scale is 1 / √epsilon, about 300, and multiplies the roundings.
const tolerance = { absolute: 2e-5, relative: 1e-5 };
const withEpsilon = ({ rows, width }: RowParams) => ({ params: { rows, width, epsilon: 1e-5 } });
const bench = { rows: 8192, width: 64 };

/** y = (x − mean) / √(variance + epsilon) · weight + bias for each row; `scale` is the factor of each row before the weight. */
export const layerNorm = defineKernel<LayerNormParams>({
  name: 'layerNorm',
  shader,
  bindings: { x: read, weight: read, bias: read, y: write, mean: write, scale: write },
  params: { rows: 'u32', width: 'u32', epsilon: 'f32' },
  variants: rowVariants(['x', 'weight', 'bias', 'y']),
  sizes: ({ rows, width }) => ({ x: rows * width, weight: width, bias: width, y: rows * width, mean: rows, scale: rows }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 4 * (2 * rows * width + 2 * width + 2 * rows) }),
  reference: ({ x, weight, bias }, { rows, width, epsilon }) => {
    const [y, mean, scale] = [new Float64Array(rows * width), new Float64Array(rows), new Float64Array(rows)];
    for (let row = 0; row < rows; row++) {
      const values = x!.subarray(row * width, (row + 1) * width);
      const rowMean = values.reduce((sum, value) => sum + value, 0) / width;
      const variance = values.reduce((sum, value) => sum + (value - rowMean) ** 2, 0) / width;
      mean[row] = rowMean;
      scale[row] = 1 / Math.sqrt(variance + epsilon);
      for (let i = 0; i < width; i++) y[row * width + i] = (values[i]! - rowMean) * scale[row]! * weight![i]! + bias![i]!;
    }
    return { y, mean, scale };
  },
  cases: rowShapes.map(withEpsilon),
  benchCases: [withEpsilon(bench)],
  tolerance,
});

/** Gradient of `layerNorm` in x. */
export const layerNormBackward = defineKernel<LayerNormBackwardParams>({
  name: 'layerNormBackward',
  shader: backwardShader,
  bindings: { dy: read, x: read, weight: read, mean: read, scale: read, dx: write },
  params: { rows: 'u32', width: 'u32' },
  variants: rowVariants(['dy', 'x', 'weight', 'dx']),
  sizes: ({ rows, width }) => ({ dy: rows * width, x: rows * width, weight: width, mean: rows, scale: rows, dx: rows * width }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 12 * rows * width, bytes: 4 * (3 * rows * width + width + 2 * rows) }),
  reference: ({ dy, x, weight, mean, scale }, { rows, width }) => {
    const dx = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const normed = (i: number) => (x![row * width + i]! - mean![row]!) * scale![row]!;
      const gradient = (i: number) => dy![row * width + i]! * weight![i]!;
      let [meanGradient, meanProduct] = [0, 0];
      for (let i = 0; i < width; i++) {
        meanGradient += gradient(i) / width;
        meanProduct += (gradient(i) * normed(i)) / width;
      }
      for (let i = 0; i < width; i++) dx[row * width + i] = scale![row]! * (gradient(i) - meanGradient - normed(i) * meanProduct);
    }
    return { dx };
  },
  cases: rowShapes.map((params) => ({ params: { ...params } })),
  benchCases: [{ params: bench }],
  tolerance,
});

export const layerNormKernels = [layerNorm, layerNormBackward] as const;
