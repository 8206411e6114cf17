/** Sums of all elements of a tensor, in a fixed order. */
import { broadcast, scaleBy } from '../../kernels/broadcast.ts';
import * as kernels from '../../kernels/reduce.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { accumulate } from '../tensor/gradients.ts';
import { partOf, piecesOf } from '../tensor/pieces.ts';
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
