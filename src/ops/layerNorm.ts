/** Layer normalisation (Ba et al., arXiv 1607.06450). */
import * as kernels from '../../kernels/layerNorm.ts';
import { layerNormWeightGradient, normWeightRuns } from '../../kernels/normWeightGradient.ts';
import { ProxmoError } from '../errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { columnSum } from './columnSum.ts';
import { weightGradientParams } from './rmsNorm.ts';

/**
 * (x − mean) / √(variance + epsilon) · weight + bias, mean and variance over each row.
 * @param x [rows, width]
 * @param weight [width]
 * @param bias [width]
 * @returns [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  checkShapes(x, weight, bias);
  const [rows, width] = [x.dim(0), x.dim(1)];
  const outputs = { y: x.shape, mean: [rows], scale: [rows] };
  const { y, mean, scale } = launch(kernels.layerNorm, { rows, width, epsilon }, { x, weight, bias }, outputs);
  return differentiable('layerNorm', [x, weight, bias], y, (dy) => [
    x.requiresGrad ? launch(kernels.layerNormBackward, { rows, width }, { dy, x, weight, mean, scale }, { dx: x.shape }).dx : null,
    weight.requiresGrad ? weightGradient(dy, x, mean, scale) : null,
    bias.requiresGrad ? columnSum(dy) : null,
  ]);
}

function weightGradient(dy: Tensor, x: Tensor, mean: Tensor, scale: Tensor): Tensor {
  const params = weightGradientParams(x);
  const outputs = { partial: [normWeightRuns(params), params.width] };
  return columnSum(launch(layerNormWeightGradient, params, { dy, x, mean, scale }, outputs).partial);
}

function checkShapes(x: Tensor, weight: Tensor, bias: Tensor): void {
  const fits = x.shape.length === 2 && [weight, bias].every(({ shape }) => shape.length === 1 && shape[0] === x.dim(1));
  if (fits) return;
  const given = [x, weight, bias].map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
  throw new ProxmoError('shape', `layerNorm needs rows [rows, width], a weight [width] and a bias [width]; it was given ${given}.`);
}
