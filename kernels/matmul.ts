/**
 * Matrix products C = op(A) · op(B) in the three layouts that a linear layer and its gradients need:
 * `nn` A[m, k] · B[k, n], `nt` A[m, k] · B[n, k]ᵀ, `tn` A[k, m]ᵀ · B[k, n]; each for a batch of matrices.
 *
 * `splits` cuts k into that many parts whose products are written apart, C[batch, splits, m, n], for products with a
 * long k and few outputs; `columnSum` adds them up.
 *
 * C and all sums are float32. A product of two operands in float32 is float32 throughout. With an operand that is
 * stored in f16 it is a half product. Both operands are rounded to f16 (to the nearest, ties to even; a finite one
 * beyond ±65504 to that), their products are exact, and the sums are float32. That is what matrix units compute, and
 * every other variant computes the same, so that a precision means the same numbers on every adapter, up to the order
 * of sums.
 */
import shader from '../shaders/matmul.wgsl';
import { type MatmulForm, type MatmulParams, matmulVariants, tilesOf } from './matmulVariants.ts';
import { elementBytes, foldWorkgroups, type RunnableKernel } from './spec.ts';
import type { FloatStorage } from './storage.ts';

type FloatForm = MatmulForm & { readonly b?: FloatStorage };

function matmulKernel(form: FloatForm): RunnableKernel<MatmulParams> {
  const { bias = false, a = 'f32', b = 'f32' } = form;
  return {
    name: matmulName(form),
    shader,
    bindings: {
      a: { dtype: a, access: 'read' },
      b: { dtype: b, access: 'read' },
      ...(bias ? { bias: { dtype: 'f32', access: 'read' } } : {}),
      c: { dtype: 'f32', access: 'write' },
    },
    params: { m: 'u32', n: 'u32', k: 'u32', batch: 'u32', splits: 'u32' },
    variants: matmulVariants(form),
    sizes: ({ m, n, k, batch, splits }) => ({
      a: batch * m * k,
      b: batch * k * n,
      ...(bias ? { bias: n } : {}),
      c: batch * splits * m * n,
    }),
    dispatch: (params, { TILE_M, TILE_N }) =>
      foldWorkgroups(tilesOf(params, { rows: Number(TILE_M), columns: Number(TILE_N) })),
    cost: ({ m, n, k, batch, splits }) => ({
      flops: 2 * batch * m * n * k,
      bytes: batch * (elementBytes[a] * m * k + elementBytes[b] * k * n + 4 * splits * m * n),
    }),
    // Sums of up to 200 products of standard normal numbers, each rounded: about √k · 1e-7 at a time, in any order.
    tolerance: { absolute: 1e-4, relative: 1e-5 },
  };
}

export function matmulName({ layout, bias = false, a = 'f32', b = 'f32' }: MatmulForm): string {
  return `matmul.${layout}${bias ? '.bias' : ''}${a === b && a === 'f32' ? '' : `.${a}x${b}`}`;
}

/**
 * The half products that ops can reach: a linear layer whose weights, activations or both are in f16, and its
 * gradients, which are float32 themselves.
 */
const halfForms: readonly FloatForm[] = [
  { layout: 'nt', b: 'f16' },
  { layout: 'nt', a: 'f16', b: 'f16' },
  { layout: 'nt', bias: true, b: 'f16' },
  { layout: 'nt', bias: true, a: 'f16', b: 'f16' },
  // A low-rank adapter in float32, on activations in f16.
  { layout: 'nt', a: 'f16' },
  // The gradients of the layer's input and of its weight.
  { layout: 'nn', b: 'f16' },
  { layout: 'tn', b: 'f16' },
];

/** Every form that there is a kernel for. */
export const matmulForms: readonly FloatForm[] = [
  { layout: 'nn' },
  { layout: 'nt' },
  { layout: 'tn' },
  { layout: 'nt', bias: true },
  ...halfForms,
];

const matmulKernels = matmulForms.map(matmulKernel);

/** The kernel of a form, or undefined if there is none. */
export function findMatmul(form: MatmulForm): RunnableKernel<MatmulParams> | undefined {
  return matmulKernels.find(({ name }) => name === matmulName(form));
}

export const matmulNn = findMatmul({ layout: 'nn' })!;
export const matmulNt = findMatmul({ layout: 'nt' })!;
export const matmulTn = findMatmul({ layout: 'tn' })!;
