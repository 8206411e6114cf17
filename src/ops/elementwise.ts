/** Elementwise arithmetic and activations. */
import * as kernels from '../../kernels/elementwise.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

type CountParams = { count: number };

/**
 * a + b.
 * @param a any shape
 * @param b the same shape
 * @throws {ProxmoError} `shape` if the shapes differ
 */
export function add(a: Tensor, b: Tensor): Tensor {
  checkSameShape('add', a, b);
  return differentiable('add', [a, b], binary(kernels.add, a, b), (dy) => [dy, dy]);
}

/**
 * a · b, element by element.
 * @param a any shape
 * @param b the same shape
 * @throws {ProxmoError} `shape` if the shapes differ
 */
export function multiply(a: Tensor, b: Tensor): Tensor {
  checkSameShape('multiply', a, b);
  return differentiable('multiply', [a, b], binary(kernels.multiply, a, b), (dy) => [
    a.requiresGrad ? binary(kernels.multiply, dy, b) : null,
    b.requiresGrad ? binary(kernels.multiply, dy, a) : null,
  ]);
}

/** factor · x, for a number that is fixed when the program is compiled. */
export function scale(x: Tensor, factor: number): Tensor {
  const scaled = (tensor: Tensor) =>
    launch(kernels.scale, { count: tensor.size, factor }, { a: tensor }, { y: tensor.shape }).y;
  return differentiable('scale', [x], scaled(x), (dy) => [scaled(dy)]);
}

/**
 * GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415).
 * @param x any shape
 * @param stored how the result is stored; in f16, so is the copy of x that the backward pass reads
 */
export function gelu(x: Tensor, stored: FloatStorage = 'f32'): Tensor {
  return activation('gelu', kernels.gelu, kernels.geluBackward, x, stored);
}

/** GELU as it is defined, x · Φ(x) (Hendrycks and Gimpel, arXiv 1606.08415); `stored` as for `gelu`. */
export function geluErf(x: Tensor, stored: FloatStorage = 'f32'): Tensor {
  return activation('geluErf', kernels.geluErf, kernels.geluErfBackward, x, stored);
}

/** SiLU, x · σ(x) (Elfwing et al., arXiv 1702.03118). */
export function silu(x: Tensor): Tensor {
  return differentiable('silu', [x], unary(kernels.silu, x), (dy) => [binary(kernels.siluBackward, x, dy)]);
}

function activation(
  op: string,
  forms: typeof kernels.gelu,
  derivative: typeof kernels.geluBackward,
  x: Tensor,
  stored: FloatStorage,
): Tensor {
  if (stored === 'f32' || !x.requiresGrad) {
    return differentiable(op, [x], unary(forms[stored], x), (dy) => [binary(derivative.f32, x, dy)]);
  }
  const { y, saved } = launch(forms.saved, { count: x.size }, { a: x }, { y: x.shape, saved: x.shape });
  return differentiable(op, [x], y, (dy) => [binary(derivative.f16, saved, dy)]);
}

function unary(kernel: KernelSpec<CountParams>, a: Tensor): Tensor {
  return launch(kernel, { count: a.size }, { a }, { y: a.shape }).y;
}

function binary(kernel: KernelSpec<CountParams>, a: Tensor, b: Tensor): Tensor {
  return launch(kernel, { count: a.size }, { a, b }, { y: a.shape }).y;
}

function checkSameShape(op: string, a: Tensor, b: Tensor): void {
  if (a.shape.length === b.shape.length && a.shape.every((extent, axis) => extent === b.shape[axis])) return;
  throw new ProxmoError(
    'shape',
    `${op} needs two tensors of one shape; it was given [${a.shape.join(', ')}] and [${b.shape.join(', ')}].`,
  );
}
