/** Values written into parts of storage. */
import { copy, copyU32 } from '../../kernels/copy.ts';
import type { RunnableKernel } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { type AssignStep, bindingGrain, startOf, Tensor, takeId } from './tensor.ts';

/**
 * Writes values into parts of a variable's tensor, or of a scratch tensor, and returns the tensor after that. Where a
 * value is made by a kernel in the same program, the kernel writes it there directly.
 * @param parts `offset` counts elements; the part begins where kernels can bind it, as those of `part`
 * @throws {ProxmoError} `shape` if one begins elsewhere, reaches past the end or has another dtype
 */
export function assign(target: Tensor, parts: readonly { readonly offset: number; readonly value: Tensor }[]): Tensor {
  const grain = bindingGrain(target.dtype);
  for (const { offset, value } of parts) {
    if ((startOf(target) + offset) % grain !== 0 || offset + value.size > target.size || value.dtype !== target.dtype) {
      throw new ProxmoError(
        'shape',
        `cannot assign ${value.size} elements of ${value.dtype} at ${offset} of ${target.size} of ${target.dtype}: parts start at multiples of ${grain}, end within the target and have its type.`,
      );
    }
  }
  // Words are copied as they are, whatever they hold.
  const copying = (target.dtype === 'f32' ? copy : copyU32) as unknown as RunnableKernel;
  const step: AssignStep = { kind: 'assign', id: takeId(), target, parts, copy: copying };
  return new Tensor(target.shape, target.dtype, { kind: 'step', step, inPlaceOf: target });
}
