/** Sums of all elements of a tensor, or along some of its dimensions, in a fixed order. */
import { broadcast, scaleBy } from '../../kernels/broadcast.ts';
import * as kernels from '../../kernels/reduce.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { accumulate } from '../tensor/gradients.ts';
import { partOf, piecesOf } from '../tensor/pieces.ts';
import { launch, type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts';
import { axesOf } from './axes.ts';
import { columnSum } from './columnSum.ts';
import { reordered, repeated, zerosFrom } from './strided.ts';

/** What becomes of dimensions that are summed. */
export interface ReduceOptions {
  /** Dimensions that are summed stay, with 1 element, so that the result still combines with x. Default: false. */
  readonly keepDims?: boolean;
}

/**
 * Σ x, over all of it or along some dimensions.
 * @param x any shape
 * @param axes dimensions to sum over; negative numbers count from the last. Default: all elements, to `[1]`
 * @returns `[1]`, or the shape of x without those dimensions
 * @throws {ProxmoError} `shape` if x does not have them
 * @example sum(x, -1) // [rows, columns] to [rows]
 */
export function sum(x: Tensor, axes?: number | readonly number[], { keepDims = false }: ReduceOptions = {}): Tensor {
  if (axes === undefined) {
    return differentiable('sum', [x], reduce(kernels.sumRuns, { a: x }, kernels.sumRuns), (dy) => [
      launch(broadcast, { count: x.size }, { factor: dy }, { y: x.shape }).y,
    ]);
  }
  const along = axesOf('sum', x, axes);
  const kept = x.shape.map((extent, axis) => (along.includes(axis) ? 1 : extent));
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !along.includes(axis));
  const total = along.length === 0 ? x : sumAlong(x, along);
  return differentiable('sum', [x], total.reshape(shape), (dy) => [repeated(dy.reshape(kept), x.shape)]);
}

/**
 * A gradient that was repeated to a larger shape, summed to what it was. No gradient flows through it.
 * @param x of the larger shape
 * @param shape what was repeated, as `broadcastShape` has it
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((extent, axis) =>
    axis < lead || (shape[axis - lead] === 1 && extent !== 1) ? [axis] : [],
  );
  return (axes.length === 0 ? x : sumAlong(x, axes)).reshape(shape);
}

/** Σ x along dimensions, in ascending order, as a flat tensor. */
function sumAlong(x: Tensor, axes: readonly number[]): Tensor {
  const last = axes.at(-1)!;
  let first = last;
  while (axes.includes(first - 1)) first--;
  const [before, summed, after] = [x.shape.slice(0, first), x.shape.slice(first, last + 1), x.shape.slice(last + 1)];
  const total = sumOfMiddle(x, sizeOf(before), sizeOf(summed), sizeOf(after)).reshape([...before, ...after]);
  const rest = axes.filter((axis) => axis < first);
  return rest.length === 0 ? total : sumAlong(total, rest);
}

/** Σ over the middle one of three dimensions. */
function sumOfMiddle(x: Tensor, outer: number, middle: number, inner: number): Tensor {
  if (x.size === 0) return zerosFrom([x], [outer * inner]);
  if (outer === 1 && inner === 1) return reduce(kernels.sumRuns, { a: x }, kernels.sumRuns);
  if (inner === 1) {
    return launch(kernels.sumRuns, { count: x.size, run: middle }, { a: x }, { partial: [outer] }).partial;
  }
  const rows = outer === 1 ? x : reordered(x.reshape([outer, middle, inner]), [1, 0, 2]);
  return columnSum(rows.reshape([middle, outer * inner]));
}

/**
 * Σ a · b.
 * @param a any shape
 * @param b as many elements
 * @returns [1]
 * @throws {ProxmoError} `shape` if the numbers of elements differ
 */
export function dot(a: Tensor, b: Tensor): Tensor {
  if (a.size !== b.size) {
    throw new ProxmoError(
      'shape',
      `dot needs two tensors of one size; it was given [${a.shape.join(', ')}] and [${b.shape.join(', ')}].`,
    );
  }
  return differentiable('dot', [a, b], reduce(kernels.dotRuns, { a, b }, kernels.sumRuns), (dy) => [
    a.requiresGrad ? scaledBy(b, dy, a) : null,
    b.requiresGrad ? scaledBy(a, dy, b) : null,
  ]);
}

/**
 * √Σ x². No gradient flows through it. Not finite if an element is not, or if the sum of squares overflows.
 * @param x any shape; where it lies in several buffers, their sums are added in order
 * @returns [1]
 */
export function norm(x: Tensor): Tensor {
  const partials = piecesOf(x).map((piece) => partialSums(kernels.squareRuns, { a: partOf(x, piece) }));
  const [only] = partials;
  if (only && partials.length === 1) return total(kernels.rootSumRuns, only);
  const squares = partials
    .map((partial) => total(kernels.sumRuns, partial))
    .reduce((sum, square) => accumulate(sum, square));
  return total(kernels.rootSumRuns, squares);
}

/** x · factor, for a factor of one element, in the shape of another tensor. */
function scaledBy(x: Tensor, factor: Tensor, like: Tensor): Tensor {
  return launch(scaleBy, { count: x.size }, { x, factor }, { y: like.shape }).y;
}

function reduce(
  first: KernelSpec<kernels.ReduceParams>,
  inputs: Readonly<Record<string, Tensor>>,
  second: KernelSpec<kernels.ReduceParams>,
): Tensor {
  return total(second, partialSums(first, inputs));
}

/**
 * About √count runs of √count elements, as many steps in sequence here as in what adds them up; runs are multiples of
 * 4.
 */
function partialSums(spec: KernelSpec<kernels.ReduceParams>, inputs: Readonly<Record<string, Tensor>>): Tensor {
  const count = Object.values(inputs)[0]!.size;
  const params = { count, run: Math.max(256, 4 * Math.ceil(Math.sqrt(count) / 4)) };
  return launch(spec, params, inputs, { partial: [kernels.runsOf(params)] }).partial;
}

function total(spec: KernelSpec<kernels.ReduceParams>, partial: Tensor): Tensor {
  return launch(spec, { count: partial.size, run: partial.size }, { a: partial }, { partial: [1] }).partial;
}
