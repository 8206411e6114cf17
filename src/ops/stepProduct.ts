/**
 * Products of one row together with the norms, activations and residual additions between them
 * (kernels/stepProduct.ts), for decoding a single reply. No gradient flows through them.
 */
import {
  groupColumns,
  type StepEnds,
  type StepParams,
  type StepWeight,
  stepProductOf,
} from '../../kernels/stepProduct.ts';
import { type Matrix, PackedMatrix, storageOfMatrix } from '../tensor/packedMatrix.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/** What the products behind an RMSNorm read of the row that it norms. */
export interface ScaledRow {
  /** `[1, width]`: the row times the norm's weight. */
  readonly scaled: Tensor;
  /** `[width / 8]`: sums of the row's squares. */
  readonly squares: Tensor;
  readonly epsilon: number;
}

/** Whether a matrix `[out, in]` can be multiplied so. */
export function isStepMatrix(matrix: Matrix): boolean {
  const isStored = matrix instanceof PackedMatrix || matrix.dtype === 'f32';
  return isStored && matrix.shape.every((extent) => extent % groupColumns === 0);
}

/**
 * norm(x) · weightᵀ + bias, or with an activation that of its gates.
 * @param weight `[out, in]`, as `isStepMatrix` has it; of gates, those of all gates, then of what they gate
 * @param bias `[out]`
 * @returns `[1, out]`, of gates `[1, out / 2]`
 */
export function normedProduct(
  { scaled, squares, epsilon }: ScaledRow,
  weight: Matrix,
  ends: Exclude<StepEnds, 'residual'>,
  bias?: Tensor,
): Tensor {
  const kernel = stepProductOf({ ends, bias: bias !== undefined, weight: storedAs(weight) });
  const [outputs] = weight.shape as [number, number];
  const inputs = { a: scaled, b: storageOfMatrix(weight), squares, ...(bias ? { bias } : {}) };
  return launch(kernel, paramsOf(weight, epsilon), inputs, { c: [1, ends === 'normed' ? outputs : outputs / 2] }).c;
}

/**
 * residual + x · weightᵀ, and what the products behind its norm read.
 * @param x `[1, in]`
 * @param weight `[out, in]`, as `isStepMatrix` has it
 * @param residual `[1, out]`
 * @param norm `[out]`, the weight of the next norm
 */
export function residualProduct(
  x: Tensor,
  weight: Matrix,
  residual: Tensor,
  { weight: gain, epsilon }: { readonly weight: Tensor; readonly epsilon: number },
): { readonly sum: Tensor; readonly row: ScaledRow } {
  const kernel = stepProductOf({ ends: 'residual', weight: storedAs(weight) });
  const [outputs] = weight.shape as [number, number];
  const shapes = { c: [1, outputs], scaled: [1, outputs], squares: [outputs / groupColumns] };
  const inputs = { a: x, b: storageOfMatrix(weight), residual, gain };
  const { c: sum, scaled, squares } = launch(kernel, paramsOf(weight, epsilon), inputs, shapes);
  return { sum, row: { scaled, squares, epsilon } };
}

function storedAs(matrix: Matrix): StepWeight {
  return matrix instanceof PackedMatrix ? matrix.type : 'f32';
}

function paramsOf({ shape: [n = 0, k = 0] }: Matrix, epsilon: number): StepParams {
  return { m: 1, n, k, batch: 1, splits: 1, epsilon };
}
