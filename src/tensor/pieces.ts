/** Steps on storage that may lie in several buffers: they run once for each, on the part that it holds. */
import { assign } from './assign.ts';
import { part } from './part.ts';
import type { Piece } from './slabLayout.ts';
import type { Tensor } from './tensor.ts';
import type { Variable } from './variable.ts';

/** What each buffer holds of a tensor, as ranges of its elements; all of it where it is no variable's. */
export function piecesOf(tensor: Tensor): readonly Piece[] {
  const [variable, offset] = rootOf(tensor);
  if (!variable) return [{ start: 0, size: tensor.size }];
  const pieces = variable.pieces.flatMap(({ start, size }) => {
    const first = Math.max(start, offset);
    const end = Math.min(start + size, offset + tensor.size);
    return first < end ? [{ start: first - offset, size: end - first }] : [];
  });
  return pieces.length > 0 ? pieces : [{ start: 0, size: 0 }];
}

/** A range of a tensor's elements, flat; the tensor itself where that is all of it. */
export function partOf(tensor: Tensor, { start, size }: Piece): Tensor {
  return size === tensor.size ? tensor : part(tensor, start, [size]);
}

/**
 * Storage after each of its pieces was updated in place.
 * @param pieces those of the tensor
 * @param updated one for each of them
 */
export function joined(tensor: Tensor, pieces: readonly Piece[], updated: readonly Tensor[]): Tensor {
  if (pieces.length === 1) return updated[0]!;
  return assign(
    tensor,
    pieces.map(({ start }, index) => ({ offset: start, value: updated[index]! })),
  );
}

/** The variable that holds a tensor, if one does, and where the tensor begins in it. */
function rootOf(tensor: Tensor): [variable: Variable | null, offset: number] {
  const { source } = tensor;
  if (source.kind === 'variable') return [source.variable, 0];
  if (source.kind === 'view') {
    const [variable, offset] = rootOf(source.of);
    return [variable, offset + source.offset];
  }
  return source.kind === 'step' && source.inPlaceOf ? rootOf(source.inPlaceOf) : [null, 0];
}
