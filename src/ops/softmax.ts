/** Softmax over the last dimension of a matrix. */
import * as kernels from '../../kernels/softmax.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * exp(x) / Σ exp(x), the sum over each row. Mask an element with −1e30.
 * @param x [rows, width]
 * @returns [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function softmax(x: Tensor): Tensor {
  if (x.shape.length !== 2)
    throw new ProxmoError('shape', `softmax needs [rows, width]; it was given [${x.shape.join(', ')}].`);
  const params = { rows: x.dim(0), width: x.dim(1) };
  const { y } = launch(kernels.softmax, params, { x }, { y: x.shape });
  return differentiable('softmax', [x], y, (dy) => [
    launch(kernels.softmaxBackward, params, { dy, y }, { dx: x.shape }).dx,
  ]);
}
