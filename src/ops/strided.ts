/** Tensors read by strides: repeated along dimensions, or with these in another order. No gradient flows through it. */
import { fill } from '../../kernels/fill.ts';
import type { KernelSpec, Params } from '../../kernels/spec.ts';
import { mostDimensions, type StridedDimension, strided, stridedParams } from '../../kernels/strided.ts';
import { ProxmoError } from '../base/errors.ts';
import { launch, type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts';

/**
 * The shape that tensors of these shapes have together, as in NumPy: shapes are aligned at their last dimension, and a
 * dimension of 1, or one that is not there, is repeated.
 * @param op for the message
 * @throws {ProxmoError} `shape` if two extents of a dimension differ and neither is 1
 */
export function broadcastShape(op: string, ...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const extent = extents.find((one) => one !== 1) ?? 1;
    if (extents.every((one) => one === 1 || one === extent)) return extent;
    const given = shapes.map((shape) => `[${shape.join(', ')}]`).join(' and ');
    throw new ProxmoError(
      'shape',
      `${op} cannot combine ${given}: counted from the last, dimensions must be equal, or 1 in all but one.`,
    );
  });
}

/** x repeated along dimensions that it does not have, or has with 1. @param shape as `broadcastShape` gives it */
export function repeated(x: Tensor, shape: Shape): Tensor {
  return copied('expand', x, shape, repeatingStrides(x.shape, shape));
}

/** x with its dimensions in another order. @param order of each dimension of the result, the one of x that it is */
export function reordered(x: Tensor, order: readonly number[]): Tensor {
  const strides = stridesOf(x.shape);
  const shape = order.map((axis) => x.shape[axis]!);
  return copied(
    'permute',
    x,
    shape,
    order.map((axis) => strides[axis]!),
  );
}

/** f(a, b) for tensors that are repeated to a common shape. @param kernel a binary one of kernels/strided.ts */
export function combined(op: string, kernel: KernelSpec, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShape(op, a.shape, b.shape);
  if (sizeOf(shape) === 0) return zerosFrom([a, b], shape);
  const params = paramsOf(op, shape, repeatingStrides(a.shape, shape), repeatingStrides(b.shape, shape));
  return launch(kernel, params, { a, b }, { y: shape }).y;
}

/** Zeros that stand for what is made of tensors without elements, which no kernel reads. */
export function zerosFrom(unread: readonly Tensor[], shape: Shape): Tensor {
  return launch(fill, { count: sizeOf(shape), value: 0 }, {}, { y: shape }, { unread }).y;
}

function copied(op: string, x: Tensor, shape: Shape, strides: readonly number[]): Tensor {
  if (sizeOf(shape) === 0) return zerosFrom([x], shape);
  return launch(
    strided,
    paramsOf(
      op,
      shape,
      strides,
      strides.map(() => 0),
    ),
    { a: x },
    { y: shape },
  ).y;
}

/** By how much the index of an element grows along each dimension. */
function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Strides of a tensor that is read under a larger shape: 0 along what is repeated. */
function repeatingStrides(from: Shape, to: Shape): number[] {
  const strides = stridesOf(from);
  return to.map((_, axis) => {
    const own = axis - to.length + from.length;
    return own < 0 || from[own] === 1 ? 0 : strides[own]!;
  });
}

/** Dimensions of 1 are left out, and joined are those that lie one behind the other in both operands. */
function paramsOf(op: string, shape: Shape, a: readonly number[], b: readonly number[]): Params {
  const joined: StridedDimension[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const [extent, last] = [shape[axis]!, joined.at(-1)];
    if (extent === 1) continue;
    const next = { extent, a: a[axis]!, b: b[axis]! };
    const follows = last && next.a === last.extent * last.a && next.b === last.extent * last.b;
    if (follows) joined[joined.length - 1] = { ...last, extent: last.extent * extent };
    else joined.push(next);
  }
  if (joined.length <= mostDimensions) return stridedParams(joined);
  throw new ProxmoError(
    'shape',
    `${op} of [${shape.join(', ')}] goes through ${joined.length} dimensions in different ways, where ${mostDimensions} are possible; reshape, and do it in two steps.`,
  );
}
