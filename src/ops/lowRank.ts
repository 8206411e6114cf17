/** What low-rank adapters add to a linear layer (Hu et al., LoRA, arXiv 2106.09685), and the dropout before it. */
import { addColumns, takeColumns } from '../../kernels/addColumns.ts';
import * as kernels from '../../kernels/dropout.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { linear } from './linear.ts';
import { storageOf } from './storage.ts';

export interface LowRankOptions {
  /** Column of y that the first of the update's columns is added to. */
  readonly start: number;
  /** The update's factor, α / rank. */
  readonly factor: number;
}

/**
 * y, with factor · x · downᵀ · upᵀ added to its columns from `start` on. It takes y's storage: nothing else may read y
 * afterwards.
 * @param y [rows, width], what an op has just made
 * @param x [rows, in]
 * @param down [rank, in], "A"
 * @param up [out, rank], "B"
 * @returns [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function addLowRank(y: Tensor, x: Tensor, down: Tensor, up: Tensor, options: LowRankOptions): Tensor {
  return addToColumns(y, linear(linear(x, down), up), options);
}

/** y, with factor · update, [rows, columns], added to its columns from `start` on; else as `addLowRank`. */
export function addToColumns(y: Tensor, update: Tensor, { start, factor }: LowRankOptions): Tensor {
  const [width, columns] = [y.dim(-1), update.dim(1)];
  if (y.shape.length !== 2 || y.dim(0) !== update.dim(0) || start + columns > width) {
    throw new ProxmoError(
      'shape',
      `addLowRank cannot add [${update.shape.join(', ')}] at column ${start} of [${y.shape.join(', ')}]; rows must be equal and columns fit.`,
    );
  }
  const params = { count: update.size, columns, width, start, factor };
  const { total } = launch(addColumns, params, { part: update, total: y }, { total: y.shape });
  return differentiable('addLowRank', [y, update], total, (dy) => [
    dy,
    launch(takeColumns, params, { total: dy }, { part: update.shape }).part,
  ]);
}

/**
 * Zeroes elements with a probability and scales the others by 1 / (1 − probability).
 * @param x any shape, in f32 or f16, as the result is stored; the gradient is in f32
 * @param seed u32 [2]; the mask follows from it, the stream and the element's index
 * @param probability in [0, 1)
 * @throws {ProxmoError} `config` if the probability is not in range
 */
export function dropout(x: Tensor, seed: Tensor, stream: number, probability: number): Tensor {
  if (!(probability >= 0 && probability < 1)) {
    throw new ProxmoError('config', `the dropout probability is ${probability}; it must be at least 0 and below 1.`);
  }
  if (probability === 0) return x;
  const params = { count: x.size, stream, keep: 1 - probability };
  const masked = (values: Tensor) =>
    launch(kernels.dropout[storageOf('dropout', [values])], params, { x: values, seed }, { y: x.shape }).y;
  return differentiable('dropout', [x], masked(x), (dy) => [masked(dy)]);
}
