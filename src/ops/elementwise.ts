/**
 * Elementwise arithmetic, functions and activations. Operands of different shapes are repeated to a common one as in
 * NumPy: shapes are aligned at their last dimension, and a dimension of 1, or one that is not there, is repeated.
 */
import * as kernels from '../../kernels/elementwise.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { addStrided, divideStrided, greaterStrided, multiplyStrided, subtractStrided } from '../../kernels/strided.ts';
import { differentiable, filled } from '../tensor/autograd.ts';
import { constant, launch, type Tensor } from '../tensor/tensor.ts';
import { sumTo } from './reduce.ts';
import { expand } from './shape.ts';
import { broadcastShape, combined } from './strided.ts';

type CountParams = { count: number };

/** What arithmetic takes: a tensor, or a number that is fixed when the program is compiled. */
export type Operand = Tensor | number;

/**
 * a + b.
 * @param a any shape
 * @param b any shape that combines with it
 * @throws {ProxmoError} `shape` if the shapes do not combine
 * @example add(linear(x, weight), bias) // [rows, out] and [out]
 */
export function add(a: Operand, b: Operand): Tensor {
  const [left, right] = [tensorOf(a), tensorOf(b)];
  const y = haveOneShape(left, right) ? binary(kernels.add, left, right) : combined('add', addStrided, left, right);
  return differentiable('add', [left, right], y, (dy) => [sumTo(dy, left.shape), sumTo(dy, right.shape)]);
}

/**
 * a − b.
 * @param a any shape
 * @param b any shape that combines with it
 * @throws {ProxmoError} `shape` if the shapes do not combine
 */
export function subtract(a: Operand, b: Operand): Tensor {
  const [left, right] = [tensorOf(a), tensorOf(b)];
  const y = combined('subtract', subtractStrided, left, right);
  return differentiable('subtract', [left, right], y, (dy) => [
    sumTo(dy, left.shape),
    right.requiresGrad ? times(sumTo(dy, right.shape), -1) : null,
  ]);
}

/**
 * a · b, element by element.
 * @param a any shape
 * @param b any shape that combines with it
 * @throws {ProxmoError} `shape` if the shapes do not combine
 */
export function multiply(a: Operand, b: Operand): Tensor {
  const [left, right] = [tensorOf(a), tensorOf(b)];
  return differentiable('multiply', [left, right], product(left, right), (dy) => [
    left.requiresGrad ? sumTo(product(dy, right), left.shape) : null,
    right.requiresGrad ? sumTo(product(dy, left), right.shape) : null,
  ]);
}

/**
 * a / b, element by element.
 * @param a any shape
 * @param b any shape that combines with it; nowhere 0
 * @throws {ProxmoError} `shape` if the shapes do not combine
 */
export function divide(a: Operand, b: Operand): Tensor {
  const [left, right] = [tensorOf(a), tensorOf(b)];
  const y = quotient(left, right);
  return differentiable('divide', [left, right], y, (dy) => {
    const share = quotient(dy, right);
    return [
      left.requiresGrad ? sumTo(share, left.shape) : null,
      right.requiresGrad ? times(sumTo(product(share, y), right.shape), -1) : null,
    ];
  });
}

/** −x. */
export function negate(x: Tensor): Tensor {
  return scale(x, -1);
}

/**
 * 1 where a > b, 0 elsewhere: a condition for `where`. It is constant almost everywhere, so its gradient is 0.
 * @param a any shape
 * @param b any shape that combines with it
 * @throws {ProxmoError} `shape` if the shapes do not combine
 */
export function greater(a: Operand, b: Operand): Tensor {
  const [left, right] = [tensorOf(a), tensorOf(b)];
  return differentiable('greater', [left, right], combined('greater', greaterStrided, left, right), () => [null, null]);
}

/**
 * a where the condition is not 0, b elsewhere. No gradient flows to what is not taken, whatever its value.
 * @param condition any shape; no gradient flows to it
 * @param a any shape that combines with it
 * @param b any shape that combines with both
 * @throws {ProxmoError} `shape` if the shapes do not combine
 * @example where(greater(x, 0), x, scale(x, 0.01)) // leaky ReLU
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const operands = [condition, tensorOf(a), tensorOf(b)] as const;
  const shape = broadcastShape('where', ...operands.map((each) => each.shape));
  const [isA, left, right] = operands.map((each) => (haveOneShape(each, { shape }) ? each : expand(each, shape))) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const choose = (yes: Tensor, no: Tensor) =>
    launch(kernels.where, { count: isA.size }, { a: isA, b: yes, c: no }, { y: shape }).y;
  return differentiable('where', [isA, left, right], choose(left, right), (dy) => {
    const zeros = filled(shape, 0);
    return [null, left.requiresGrad ? choose(dy, zeros) : null, right.requiresGrad ? choose(zeros, dy) : null];
  });
}

/** factor · x, for a number that is fixed when the program is compiled. */
export function scale(x: Tensor, factor: number): Tensor {
  return differentiable('scale', [x], times(x, factor), (dy) => [times(dy, factor)]);
}

/** max(x, 0); its gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return fromOutput('relu', kernels.relu, kernels.reluBackward, x);
}

/** tanh x. */
export function tanh(x: Tensor): Tensor {
  return fromOutput('tanh', kernels.tanh, kernels.tanhBackward, x);
}

/** σ(x) = 1 / (1 + exp(−x)). */
export function sigmoid(x: Tensor): Tensor {
  return fromOutput('sigmoid', kernels.sigmoid, kernels.sigmoidBackward, x);
}

/** exp(x); infinite above 88.7, where float32 ends. */
export function exp(x: Tensor): Tensor {
  return fromOutput('exp', kernels.exp, kernels.multiply, x);
}

/** ln x, for x above 0; elsewhere it is no number. */
export function log(x: Tensor): Tensor {
  return differentiable('log', [x], unary(kernels.log, x), (dy) => [quotient(dy, x)]);
}

/** √x, for x of 0 or more; its gradient at 0 is infinite, and below 0 it is no number. */
export function sqrt(x: Tensor): Tensor {
  const y = unary(kernels.sqrt, x);
  return differentiable('sqrt', [x], y, (dy) => [times(quotient(dy, y), 0.5)]);
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

/** A function whose derivative is made from its own value. */
function fromOutput(
  op: string,
  kernel: KernelSpec<CountParams>,
  derivative: KernelSpec<CountParams>,
  x: Tensor,
): Tensor {
  const y = unary(kernel, x);
  return differentiable(op, [x], y, (dy) => [binary(derivative, y, dy)]);
}

function product(a: Tensor, b: Tensor): Tensor {
  return haveOneShape(a, b) ? binary(kernels.multiply, a, b) : combined('multiply', multiplyStrided, a, b);
}

function quotient(a: Tensor, b: Tensor): Tensor {
  return combined('divide', divideStrided, a, b);
}

function times(x: Tensor, factor: number): Tensor {
  return launch(kernels.scale, { count: x.size, factor }, { a: x }, { y: x.shape }).y;
}

function tensorOf(operand: Operand): Tensor {
  return typeof operand === 'number' ? constant([operand], []) : operand;
}

function haveOneShape(a: Pick<Tensor, 'shape'>, b: Pick<Tensor, 'shape'>): boolean {
  return a.shape.length === b.shape.length && a.shape.every((extent, axis) => extent === b.shape[axis]);
}
