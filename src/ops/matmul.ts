/** Matrix products, batched, with either operand transposed. */
import { findMatmul } from '../../kernels/matmul.ts';
import type { MatmulForm, MatmulLayout, MatmulParams } from '../../kernels/matmulVariants.ts';
import type { Dtype, RunnableKernel } from '../../kernels/spec.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { type Matrix, storageOfMatrix } from '../tensor/packedMatrix.ts';
import { launch, Tensor } from '../tensor/tensor.ts';
import { columnSum } from './columnSum.ts';

/** How the operands of a product are stored. */
export interface MatmulOptions {
  /** `a` is stored as [k, m]. */
  readonly transposeA?: boolean;
  /** `b` is stored as [n, k]. */
  readonly transposeB?: boolean;
}

/**
 * op(a) · op(b), for one pair of matrices or for a batch of pairs.
 * @param a [m, k] or [batch, m, k]; [k, m] or [batch, k, m] with `transposeA`
 * @param b [k, n] or [batch, k, n]; [n, k] or [batch, n, k] with `transposeB`
 * @returns [m, n] or [batch, m, n]
 * @throws {ProxmoError} `shape` if the shapes do not fit together, or if both operands are to be transposed
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  if (transposeA && transposeB) {
    throw new ProxmoError(
      'shape',
      'matmul transposes one operand at most; swap the operands and transpose the result instead.',
    );
  }
  const output = product(transposeA ? 'tn' : transposeB ? 'nt' : 'nn', a, b);
  return differentiable('matmul', [a, b], output, (dy) => {
    const da = () => (transposeA ? product('nt', b, dy) : product(transposeB ? 'nn' : 'nt', dy, b));
    const db = () => (transposeB ? product('tn', dy, a) : product(transposeA ? 'nn' : 'tn', a, dy));
    return [a.requiresGrad ? da() : null, b.requiresGrad ? db() : null];
  });
}

/**
 * A matrix product that no gradient flows through, in float32. Shapes as in `matmul`. Where one operand is stored in
 * f16, both are rounded to that (kernels/matmul.ts).
 * @param b may be a packed matrix, in the layouts nt and nn
 * @throws {ProxmoError} `shape` if the shapes do not fit together, or if no kernel multiplies operands that are stored
 * so
 */
export function product(layout: MatmulLayout, a: Tensor, b: Matrix): Tensor {
  const { m, n, k, batch } = checkShapes(layout, a, b);
  const shape = a.shape.length === 3 ? [batch, m, n] : [m, n];
  const splits = splitsOf(layout, m, n, k, batch);
  const partial = launch(
    matmulKernelFor({ layout }, a, b),
    { m, n, k, batch, splits },
    { a, b: storageOfMatrix(b) },
    { c: [splits, ...shape] },
  ).c;
  return splits === 1 ? partial.reshape(shape) : columnSum(partial.reshape([splits, m * n])).reshape(shape);
}

/**
 * The kernel for two operands as they are stored.
 * @throws {ProxmoError} `shape` if there is none
 */
export function matmulKernelFor(
  form: Pick<MatmulForm, 'layout' | 'bias'>,
  a: Tensor,
  b: Matrix,
): RunnableKernel<MatmulParams> {
  const kernel = b instanceof Tensor ? floatKernelFor(form, a, b) : a.dtype === 'f32' && b.kernelOfProduct(form);
  if (kernel) return kernel;
  const stored = b instanceof Tensor ? b.dtype : b.type;
  throw new ProxmoError(
    'shape',
    `${operations[form.layout]}${form.bias ? ' + bias' : ''} has no kernel for A in ${a.dtype} and B in ${stored}; convert one of them.`,
  );
}

function floatKernelFor(form: Pick<MatmulForm, 'layout' | 'bias'>, a: Tensor, b: Tensor) {
  return isFloat(a.dtype) && isFloat(b.dtype) ? findMatmul({ ...form, a: a.dtype, b: b.dtype }) : undefined;
}

function isFloat(dtype: Dtype): dtype is FloatStorage {
  return dtype === 'f32' || dtype === 'f16';
}

const operations: Readonly<Record<MatmulLayout, string>> = { nn: 'A · B', nt: 'A · Bᵀ', tn: 'Aᵀ · B' };

/**
 * How many parts k is cut into: several where the product is a weight's gradient, which has a long k (every row of the
 * batch) and few outputs, and so too little to do side by side otherwise. It depends on the shape alone, so that the
 * order of sums is the same on every adapter. Other products are not cut, so that a row of activations does not depend
 * on how many rows there are. Only its last bits do where their number decides between variants that sum in another
 * order: on GPUs (those of kernels/matmulRow.ts, matrix units), and wherever kernels are tuned.
 */
function splitsOf(layout: MatmulLayout, m: number, n: number, k: number, batch: number): number {
  if (layout !== 'tn' || batch !== 1 || m * n === 0) return 1;
  return Math.max(1, Math.min(Math.floor(k / leastSplitDepth), Math.floor(mostPartialSums / (m * n)), mostSplits));
}

const leastSplitDepth = 256;
const mostPartialSums = 2 ** 19;
const mostSplits = 32;

function checkShapes(layout: MatmulLayout, a: Tensor, b: Matrix): { m: number; n: number; k: number; batch: number } {
  const rank = a.shape.length;
  if ((rank !== 2 && rank !== 3) || b.shape.length !== rank) {
    throw new ProxmoError(
      'shape',
      `matmul needs two matrices or two batches of matrices, not ${describe(a)} and ${describe(b)}.`,
    );
  }
  const [m, k] = layout === 'tn' ? [a.dim(-1), a.dim(-2)] : [a.dim(-2), a.dim(-1)];
  const [rows, columns] = b.shape.slice(-2) as [number, number];
  const [n, inner] = layout === 'nt' ? [rows, columns] : [columns, rows];
  const batch = rank === 3 ? a.dim(0) : 1;
  if (k !== inner || (rank === 3 && b.shape[0] !== batch)) {
    throw new ProxmoError(
      'shape',
      `matmul: ${describe(a)} and ${describe(b)} do not fit together for ${operations[layout]}; inner sizes and batches must be equal.`,
    );
  }
  return { m, n, k, batch };
}

function describe({ shape }: Matrix): string {
  return `[${shape.join(', ')}]`;
}
