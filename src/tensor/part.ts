/** Contiguous parts of tensors, in the storage of these. */
import { accumulate } from '../../kernels/accumulate.ts';
import { fill } from '../../kernels/fill.ts';
import { ProxmoError } from '../base/errors.ts';
import { assign } from './assign.ts';
import { bindingGrain, launch, type Shape, sizeOf, startOf, type Tensor, viewOf } from './tensor.ts';

/**
 * A contiguous part, from element `offset` on. Shares storage. Differentiable.
 * @param offset such that the part begins at a multiple of 256 bytes of the tensor's storage, where kernels can bind
 * it: of 64 elements of 4 bytes, or 128 of f16
 * @throws {ProxmoError} `shape` if it begins elsewhere, or reaches past the end
 * @example part(x, 64, [2, 64]) // the second and third of 64 elements each
 */
export function part(tensor: Tensor, offset: number, shape: Shape): Tensor {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + sizeOf(shape) > tensor.size) {
    throw new ProxmoError(
      'shape',
      `elements ${offset} to ${offset + sizeOf(shape)} are not within a tensor of ${tensor.size}.`,
    );
  }
  const grain = bindingGrain(tensor.dtype);
  if ((startOf(tensor) + offset) % grain !== 0) {
    throw new ProxmoError(
      'shape',
      `a part cannot begin at element ${startOf(tensor) + offset} of ${tensor.dtype} storage: no kernel can bind it there; begin at a multiple of ${grain}.`,
    );
  }
  return viewOf('part', tensor, offset, shape, (dy) => placed(dy, offset, tensor.shape));
}

/** Zeros of a shape, with values from element `offset` on. */
function placed(values: Tensor, offset: number, shape: Shape): Tensor {
  const zeros = launch(fill, { count: sizeOf(shape), value: 0 }, {}, { y: shape }).y;
  const total = part(zeros, offset, values.shape);
  const updated = launch(accumulate, { count: values.size }, { values, total }, { total: values.shape }).total;
  return assign(zeros, [{ offset, value: updated }]);
}
