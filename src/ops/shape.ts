/** Tensors in another form: repeated, transposed, cut and joined. `Tensor.reshape` is the one that costs nothing. */
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts';
import { axisOf } from './axes.ts';
import { columnsOf, sideBySide } from './columns.ts';
import { sumTo } from './reduce.ts';
import { broadcastShape, reordered, repeated, zerosFrom } from './strided.ts';

/**
 * x repeated along new leading dimensions and along those that it has with 1, as NumPy's `broadcast_to`.
 * @param x any shape that fits
 * @param shape of the result
 * @throws {ProxmoError} `shape` if x does not fit
 * @example expand(bias, [rows, 4]) // from [4]: the same row `rows` times
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  const together = broadcastShape('expand', x.shape, shape);
  if (sizeOf(together) !== sizeOf(shape) || together.length !== shape.length) {
    throw new ProxmoError(
      'shape',
      `expand cannot make [${shape.join(', ')}] of [${x.shape.join(', ')}]: only dimensions of 1 can grow.`,
    );
  }
  return differentiable('expand', [x], repeated(x, shape), (dy) => [sumTo(dy, x.shape)]);
}

/**
 * x with its dimensions in another order.
 * @param x any shape
 * @param order of each dimension of the result, the one of x that it is; negative numbers count from the last
 * @throws {ProxmoError} `shape` if the order does not name each dimension once
 * @example permute(x, [0, 2, 1, 3]) // [batch, time, heads, width] to [batch, heads, time, width]
 */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  const axes = order.map((axis) => axisOf('permute', x, axis));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    throw new ProxmoError(
      'shape',
      `permute of [${x.shape.join(', ')}] needs each of its ${x.shape.length} dimensions once; it was given [${order.join(', ')}].`,
    );
  }
  const inverse = axes.map((_, axis) => axes.indexOf(axis));
  return differentiable('permute', [x], reordered(x, axes), (dy) => [reordered(dy, inverse)]);
}

/**
 * x with its last two dimensions exchanged.
 * @param x `[…, rows, columns]`
 * @returns `[…, columns, rows]`
 * @throws {ProxmoError} `shape` if x has fewer than two
 */
export function transpose(x: Tensor): Tensor {
  const rank = x.shape.length;
  if (rank < 2) {
    throw new ProxmoError('shape', `transpose needs two dimensions or more; it was given [${x.shape.join(', ')}].`);
  }
  const axes = x.shape.map((_, axis) => axis);
  return permute(x, [...axes.slice(0, -2), rank - 1, rank - 2]);
}

/**
 * Elements `start` to `end` of a dimension, `end` excluded.
 * @param x any shape
 * @param axis negative numbers count from the last
 * @param start negative numbers count from the end, as in `Array.slice`
 * @param end default: the extent of the dimension
 * @throws {ProxmoError} `shape` if they are not within it
 * @example slice(x, 1, 2, 5) // columns 2, 3 and 4 of a matrix
 */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  const along = axisOf('slice', x, axis);
  const extent = x.shape[along]!;
  const [first, last] = [start, end ?? extent].map((at) => (at < 0 ? at + extent : at)) as [number, number];
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || last > extent || first > last) {
    throw new ProxmoError(
      'shape',
      `slice: ${start} to ${end ?? extent} is not within dimension ${axis} of [${x.shape.join(', ')}], which has ${extent} elements.`,
    );
  }
  if (first === 0 && last === extent) return x;
  const shape = x.shape.with(along, last - first);
  if (sizeOf(shape) === 0) return differentiable('slice', [x], zerosFrom([x], shape), () => [null]);
  const inner = sizeOf(x.shape.slice(along + 1));
  const rows = x.reshape([sizeOf(x.shape.slice(0, along)), extent * inner]);
  return columnsOf(rows, first * inner, (last - first) * inner).reshape(shape);
}

/**
 * Tensors one behind the other along a dimension.
 * @param parts of one shape but for that dimension
 * @param axis negative numbers count from the last
 * @throws {ProxmoError} `shape` if there are none, or other dimensions differ
 * @example concat([x, y], 1) // [rows, a] and [rows, b] to [rows, a + b]
 */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw new ProxmoError('shape', 'concat needs one tensor or more; it was given none.');
  const along = axisOf('concat', first, axis);
  const fits = ({ shape }: Tensor) =>
    shape.length === first.shape.length &&
    shape.every((extent, other) => other === along || extent === first.shape[other]);
  if (!parts.every(fits)) {
    const given = parts.map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
    throw new ProxmoError('shape', `concat: ${given} differ in other dimensions than ${axis}.`);
  }
  const filled = parts.filter(({ size }) => size > 0);
  if (filled.length < 2) return filled[0] ?? first;
  const outer = sizeOf(first.shape.slice(0, along));
  const rows = filled.map((part) => part.reshape([outer, part.size / outer]));
  const extent = parts.reduce((sum, part) => sum + part.shape[along]!, 0);
  return sideBySide(rows).reshape(first.shape.with(along, extent));
}
