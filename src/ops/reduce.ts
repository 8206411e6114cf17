/** Sums of all elements of a tensor, in a fixed order. */
import { broadcast, scaleBy } from '../../kernels/broadcast.ts';
import * as kernels from '../../kernels/reduce.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { ProxmoError } from '../errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * Σ x.
 * @param x any shape
 * @returns [1]
 */
export function sum(x: Tensor): Tensor {
  return differentiable('sum', [x], reduce(kernels.sumRuns, { a: x }, kernels.sumRuns), (dy) => [
    launch(broadcast, { count: x.size }, { factor: dy }, { y: x.shape }).y,
  ]);
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
    throw new ProxmoError('shape', `dot needs two tensors of one size; it was given [${a.shape.join(', ')}] and [${b.shape.join(', ')}].`);
  }
  return differentiable('dot', [a, b], reduce(kernels.dotRuns, { a, b }, kernels.sumRuns), (dy) => [
    a.requiresGrad ? scaledBy(b, dy, a) : null,
    b.requiresGrad ? scaledBy(a, dy, b) : null,
  ]);
}

/**
 * √Σ x². No gradient flows through it. Not finite if an element is not, or if the sum of squares overflows.
 * @param x any shape
 * @returns [1]
 */
export function norm(x: Tensor): Tensor {
  return reduce(kernels.squareRuns, { a: x }, kernels.rootSumRuns);
}

/** x · factor, for a factor of one element, in the shape of another tensor. */
function scaledBy(x: Tensor, factor: Tensor, like: Tensor): Tensor {
  return launch(scaleBy, { count: x.size }, { x, factor }, { y: like.shape }).y;
}

/** About √count runs of √count elements, as many steps in sequence in either launch; runs are multiples of 4. */
function reduce(
  first: KernelSpec<kernels.ReduceParams>,
  inputs: Readonly<Record<string, Tensor>>,
  second: KernelSpec<kernels.ReduceParams>,
): Tensor {
  const count = Object.values(inputs)[0]!.size;
  const params = { count, run: Math.max(256, 4 * Math.ceil(Math.sqrt(count) / 4)) };
  const runs = kernels.runsOf(params);
  const { partial } = launch(first, params, inputs, { partial: [runs] });
  return launch(second, { count: runs, run: runs }, { a: partial }, { partial: [1] }).partial;
}
