/** Gradients as flat slabs: laid out as their parameters are, and added up over micro-batches. */
import { accumulate as kernel } from '../../kernels/accumulate.ts';
import { ProxmoError } from '../base/errors.ts';
import { assign } from './assign.ts';
import { joined, partOf, piecesOf } from './pieces.ts';
import { launch, type Tensor } from './tensor.ts';
import type { ParameterSlab, Variable } from './variable.ts';

/**
 * Lays gradients out as the parameters are in their slab. Kernels write them there directly where they can. The padding
 * between parameters is left as it is: zeros.
 * @param target `slab.variableLike(…)`
 * @param gradients one for each of `slab.tensors`, in that order, as `grad` gives them
 * @returns the target's tensor after that, [slab.size]
 * @throws {ProxmoError} `shape`
 */
export function gatherGradients(slab: ParameterSlab, target: Variable, gradients: readonly Tensor[]): Tensor {
  if (target.size !== slab.size) {
    throw new ProxmoError(
      'shape',
      `${target.name} has ${target.size} elements; gradients of ${slab.variable.name} need ${slab.size}.`,
    );
  }
  let index = 0;
  const values = slab.parameters.flatMap(({ name, parts }) =>
    parts.map(({ shape, size, source }) => {
      const value = gradients[index++];
      if (!value || value.size !== size) {
        const given = value ? `[${value.shape.join(', ')}]` : 'none';
        throw new ProxmoError('shape', `the gradient of ${name} must be [${shape.join(', ')}]; it is ${given}.`);
      }
      return { offset: source.kind === 'view' ? source.offset : 0, value };
    }),
  );
  return assign(target.tensor, values);
}

/**
 * total += values, in the storage of `total`.
 * @param total a variable's tensor, or a part of one
 * @param values as many elements
 * @returns `total` after that
 * @throws {ProxmoError} `shape`
 */
export function accumulate(total: Tensor, values: Tensor): Tensor {
  const pieces = piecesOf(total);
  const updated = pieces.map((piece) => {
    const part = partOf(total, piece);
    return launch(kernel, { count: piece.size }, { values: partOf(values, piece), total: part }, { total: part.shape })
      .total;
  });
  return joined(total, pieces, updated);
}
