/** Means, and the loss of regression. */
import { ProxmoError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { axesOf } from './axes.ts';
import { multiply, scale, subtract } from './elementwise.ts';
import { type ReduceOptions, sum } from './reduce.ts';

/**
 * The mean of x, over all of it or along some dimensions.
 * @param x any shape
 * @param axes as those of `sum`
 * @returns `[1]`, or the shape of x without those dimensions
 * @throws {ProxmoError} `shape` if x does not have them, or there is nothing to take the mean of
 * @example mean(x, [1, 2]) // [batch, height, width] to [batch]
 */
export function mean(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const count = axes === undefined ? x.size : axesOf('mean', x, axes).reduce((n, axis) => n * x.shape[axis]!, 1);
  if (count === 0)
    throw new ProxmoError('shape', `mean: [${x.shape.join(', ')}] has no elements there to take the mean of.`);
  return scale(sum(x, axes, options), 1 / count);
}

/**
 * The mean squared error, mean((prediction − target)²).
 * @param prediction any shape
 * @param target the same shape, or one that is repeated to it
 * @returns `[1]`
 * @throws {ProxmoError} `shape` if they do not fit together, or are empty
 */
export function mse(prediction: Tensor, target: Tensor): Tensor {
  const error = subtract(prediction, target);
  return mean(multiply(error, error));
}
