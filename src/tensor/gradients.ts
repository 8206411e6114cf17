/** Gradients as flat slabs: laid out as their parameters are, and added up over micro-batches. */
import { accumulate as kernel } from '../../kernels/accumulate.ts';
import { ProxmoError } from '../errors.ts';
import { assign, launch, type Tensor } from './tensor.ts';
import type { ParameterSlab, Variable } from './variable.ts';

/**
 * Lays gradients out as the parameters are in their slab. Kernels write them there directly where they can. The padding between parameters is left as it is: zeros.
 * @param target of the slab's size
 * @param gradients one for each of `slab.parameters`, in that order, as `grad` gives them
 * @returns the target's tensor after that, [slab.size]
 * @throws {ProxmoError} `shape`
 */
export function gatherGradients(slab: ParameterSlab, target: Variable, gradients: readonly Tensor[]): Tensor {
  if (target.size !== slab.size) {
    throw new ProxmoError('shape', `${target.name} has ${target.size} elements; gradients of ${slab.variable.name} need ${slab.size}.`);
  }
  const parts = slab.parameters.map(({ name, shape, offset }, index) => {
    const value = gradients[index];
    if (!value || value.size !== shape.reduce((product, extent) => product * extent, 1)) {
      const given = value ? `[${value.shape.join(', ')}]` : 'none';
      throw new ProxmoError('shape', `the gradient of ${name} must be [${shape.join(', ')}]; it is ${given}.`);
    }
    return { offset, value };
  });
  return assign(target.tensor, parts);
}

/**
 * total += values, in the storage of `total`.
 * @param total a variable's tensor, or a part of one
 * @param values as many elements
 * @returns `total` after that
 * @throws {ProxmoError} `shape`
 */
export function accumulate(total: Tensor, values: Tensor): Tensor {
  return launch(kernel, { count: total.size }, { values, total }, { total: total.shape }).total;
}
