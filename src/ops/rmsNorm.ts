/** Root-mean-square normalisation (Zhang and Sennrich, arXiv 1910.07467). */
import { type NormWeightParams, normWeightRuns, rmsNormWeightGradient } from '../../kernels/normWeightGradient.ts';
import * as kernels from '../../kernels/rmsNorm.ts';
import { ProxmoError } from '../errors.ts';
import { differentiable, differentiableMany } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { columnSum } from './columnSum.ts';

/**
 * x / √(mean(x²) + epsilon) · weight, the mean over each row.
 * @param x [rows, width]
 * @param weight [width]
 * @returns [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon = 1e-6): Tensor {
  checkShapes('rmsNorm', x, weight);
  const [rows, width] = [x.dim(0), x.dim(1)];
  const { y, scale } = launch(kernels.rmsNorm, { rows, width, epsilon }, { x, weight }, { y: x.shape, scale: [rows] });
  return differentiable('rmsNorm', [x, weight], y, (dy) => [
    x.requiresGrad ? launch(kernels.rmsNormBackward, { rows, width }, { dy, x, weight, scale }, { dx: x.shape }).dx : null,
    weight.requiresGrad ? weightGradient(dy, x, scale) : null,
  ]);
}

/**
 * A residual addition and the norm after it, in one pass: sum = x + residual, normed = rmsNorm(sum).
 * @param x [rows, width]
 * @param residual [rows, width]
 * @param weight [width]
 * @returns both [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function addRmsNorm(x: Tensor, residual: Tensor, weight: Tensor, epsilon = 1e-6): { readonly sum: Tensor; readonly normed: Tensor } {
  checkShapes('addRmsNorm', x, weight);
  checkShapes('addRmsNorm', residual, weight);
  const [rows, width] = [x.dim(0), x.dim(1)];
  const outputs = { sum: x.shape, y: x.shape, scale: [rows] };
  const { sum, y: normed, scale } = launch(kernels.addRmsNorm, { rows, width, epsilon }, { x, residual, weight }, outputs);
  differentiableMany('addRmsNorm', [x, residual, weight], [sum, normed], ([dSum, dy]) => {
    if (!dy) return [dSum ?? null, dSum ?? null, null];
    const inputs = { dy, x: sum, weight, scale };
    const { dx } = dSum
      ? launch(kernels.addRmsNormBackward, { rows, width }, { ...inputs, dSum }, { dx: x.shape })
      : launch(kernels.rmsNormBackward, { rows, width }, inputs, { dx: x.shape });
    return [dx, dx, weight.requiresGrad ? weightGradient(dy, sum, scale) : null];
  });
  return { sum, normed };
}

function weightGradient(dy: Tensor, x: Tensor, scale: Tensor): Tensor {
  const params = weightGradientParams(x);
  const outputs = { partial: [normWeightRuns(params), params.width] };
  return columnSum(launch(rmsNormWeightGradient, params, { dy, x, scale }, outputs).partial);
}

/** At most 64 partial sums, each of at least 16 rows. */
export function weightGradientParams(x: Tensor): NormWeightParams {
  const [rows, width] = [x.dim(0), x.dim(1)];
  return { rows, width, run: Math.max(16, Math.ceil(rows / 64)) };
}

function checkShapes(op: string, x: Tensor, weight: Tensor): void {
  if (x.shape.length === 2 && weight.shape.length === 1 && x.dim(1) === weight.dim(0)) return;
  const given = [x, weight].map(({ shape }) => `[${shape.join(', ')}]`).join(' and ');
  throw new ProxmoError('shape', `${op} needs rows [rows, width] and a weight [width]; it was given ${given}.`);
}
