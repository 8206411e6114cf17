/** What matrix products are checked against, and with: their results in float64, shapes to test and shapes to bench. */
import { roundToHalf } from './cast.ts';
import { findMatmul, matmulForms } from './matmul.ts';
import { rowShapes } from './matmulRow.ts';
import { type MatmulForm, type MatmulLayout, type MatmulParams, operandOf } from './matmulVariants.ts';
import type { KernelCase, KernelSpec } from './spec.ts';
import { clampedToHalf } from './storage.ts';

/** Depths of a split are a multiple of this (as in shaders/matmul.wgsl). */
const splitGrain = 16;

/** Operands of a half product, rounded. */
function halfOperands({
  a,
  b,
  ...others
}: Readonly<Record<string, Float64Array>>): Readonly<Record<string, Float64Array>> {
  return { a: a!.map(toHalf), b: b!.map(toHalf), ...others };
}

function toHalf(x: number): number {
  return roundToHalf(clampedToHalf(x));
}

/** The products in float64. */
export function multiply(
  layout: MatmulLayout,
  { a, b, bias }: Readonly<Record<string, Float64Array>>,
  { m, n, k, batch, splits }: MatmulParams,
): Float64Array {
  const c = new Float64Array(batch * splits * m * n);
  const depth = Math.ceil(k / splits / splitGrain) * splitGrain;
  for (let output = 0; output < batch * splits; output++) {
    const matrix = Math.floor(output / splits);
    const start = (output % splits) * depth;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = bias?.[column] ?? 0;
        for (let i = start; i < Math.min(k, start + depth); i++) {
          const left = layout === 'tn' ? i * m + row : row * k + i;
          const right = layout === 'nt' ? column * k + i : i * n + column;
          sum += a![matrix * m * k + left]! * b![matrix * k * n + right]!;
        }
        c[(output * m + row) * n + column] = sum;
      }
    }
  }
  return c;
}

function shape(m: number, n: number, k: number, batch = 1, splits = 1): KernelCase<MatmulParams> {
  return { params: { m, n, k, batch, splits } };
}

const cases = [
  shape(1, 1, 1),
  shape(0, 4, 8),
  { ...shape(4, 8, 0), note: 'nothing to sum' },
  shape(5, 7, 3),
  shape(33, 20, 66),
  shape(64, 64, 64),
  shape(129, 132, 20),
  { ...shape(40, 72, 36, 3), note: 'a batch' },
  { ...shape(16, 24, 200, 1, 4), note: 'splits' },
  { ...shape(7, 5, 103, 2, 9), note: 'more splits than there are depths for' },
];

/** Numbers that f16 does not hold: too large ones, ties, and multiples of less than 2^-24. */
const unfit = [65504, 65519, 65520, 70_000, -1e6, 1e30, 2049, 2051, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 0.1, -1 / 3];
const unfitSmall = [2 ** -14 - 2 ** -26, 3 * 2 ** -25, 5 * 2 ** -25, 2 ** -25, 1.5 * 2 ** -25, 2 ** -26, -1e-7, 1e-30];

/**
 * An operand in float32 that has to be rounded, multiplied with a diagonal matrix, so that each element of C is one
 * product.
 */
function roundingCases({ a = 'f32', b = 'f32' }: MatmulForm): KernelCase<MatmulParams>[] {
  if (a === b) return [];
  const diagonal = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? [1, 65504, 4096, 0.375][i % 4]! : 0));
  const round = (values: readonly number[], note: string): KernelCase<MatmulParams> => {
    const lines = values.length / 4;
    const { params } = a === 'f32' ? shape(lines, 4, 4) : shape(4, lines, 4);
    return { params, inputs: () => (a === 'f32' ? { a: values, b: diagonal } : { a: diagonal, b: values }), note };
  };
  const values = [...unfit, ...unfitSmall];
  return [
    round([...values, ...values, ...values, ...values], 'rounding'),
    round([1, Number.NaN, 2, 3, 4, 5, 6, 7], 'NaN stays NaN'),
  ];
}

/** A square product, one of a decoding step, and those of small transformers' layers. */
const benchCases = [
  shape(512, 512, 512),
  shape(64, 256, 64),
  shape(2048, 64, 64),
  shape(2048, 128, 64),
  shape(2048, 256, 64),
  shape(4096, 128, 128),
  shape(2048, 512, 128),
];

/** The same layers' weight gradients. */
const gradientBenchCases = [
  shape(512, 512, 512),
  shape(64, 64, 2048, 1, 8),
  shape(128, 64, 2048, 1, 8),
  shape(256, 64, 2048, 1, 8),
  shape(128, 128, 4096, 1, 16),
  shape(512, 128, 2048, 1, 8),
];

/** The kernels of all forms, with what they are checked against. */
export const matmulKernels: readonly KernelSpec<MatmulParams>[] = matmulForms.map((form) => {
  const { layout } = form;
  return {
    ...findMatmul(form)!,
    reference: (inputs, params) => ({
      c: multiply(layout, operandOf(form) === 'f16' ? halfOperands(inputs) : inputs, params),
    }),
    cases: [
      ...cases,
      ...roundingCases(form),
      ...(layout === 'nt' ? rowShapes.map((params) => ({ params, note: 'few rows' })) : []),
    ],
    benchCases: layout === 'tn' ? gradientBenchCases : benchCases,
  };
});
