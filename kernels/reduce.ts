/**
 * Sums over all elements of a tensor, in two launches: runs of elements to partial sums, then those to one. The order
 * is fixed on an adapter. A row of the table is the term that is summed, in WGSL and in float64.
 */
import shader from '../shaders/reduce.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelSpec } from './spec.ts';

/** `run`: elements of each partial sum. */
export type ReduceParams = { count: number; run: number };

interface Row {
  readonly name: string;
  readonly inputs: readonly ('a' | 'b')[];
  readonly wgsl: string;
  readonly reference: (a: number, b: number) => number;
  /** Take the square root of each result. */
  readonly root?: boolean;
}

/** Partial sums of `count` elements; at least one, so that nothing sums to 0. */
export const runsOf = ({ count, run }: ReduceParams): number => Math.max(1, Math.ceil(count / run));

function kernelOfRow({ name, inputs, wgsl, reference, root = false }: Row): KernelSpec<ReduceParams> {
  const read: BindingSpec = { dtype: 'f32', access: 'read' };
  return defineKernel<ReduceParams>({
    name,
    shader,
    bindings: {
      ...Object.fromEntries(inputs.map((input) => [input, read])),
      partial: { dtype: 'f32', access: 'write' },
    },
    params: { count: 'u32', run: 'u32' },
    // `count | run` is a multiple of 4 where both are.
    variants: rowVariants<ReduceParams>(inputs, { TERM: wgsl, ROOT: root }, ({ count, run }) => count | run),
    sizes: (params) => ({
      ...Object.fromEntries(inputs.map((input) => [input, params.count])),
      partial: runsOf(params),
    }),
    dispatch: (params, constants) => rowDispatch({ rows: runsOf(params) }, constants),
    cost: (params) => ({
      flops: inputs.length * params.count,
      bytes: 4 * (inputs.length * params.count + runsOf(params)),
    }),
    reference: ({ a, b }, params) => ({
      partial: Float64Array.from({ length: runsOf(params) }, (_, r) => {
        let sum = 0;
        for (let i = r * params.run; i < Math.min(params.count, (r + 1) * params.run); i++)
          sum += reference(a![i]!, b?.[i] ?? 0);
        return root ? Math.sqrt(sum) : sum;
      }),
    }),
    cases: [
      { count: 1, run: 1 },
      { count: 0, run: 256 },
      { count: 63, run: 20 },
      { count: 1000, run: 256 },
      { count: 1028, run: 1028 },
    ].map((params) => ({
      params,
      ...(root ? { inputs: (random: () => number) => positive(params.count, random) } : {}),
    })),
    benchCases: [{ params: { count: 1 << 20, run: 1024 } }],
    // Sums of up to 1,028 numbers of size about 1, each addition rounded.
    tolerance: { absolute: 1e-4, relative: 1e-5 },
  });
}

const positive = (count: number, random: () => number) => ({ a: Array.from({ length: count }, () => random() ** 2) });

/** Σ a */
export const sumRuns = kernelOfRow({ name: 'sumRuns', inputs: ['a'], wgsl: 'a[i]', reference: (a) => a });

/** Σ a · b */
export const dotRuns = kernelOfRow({
  name: 'dotRuns',
  inputs: ['a', 'b'],
  wgsl: 'a[i] * b[i]',
  reference: (a, b) => a * b,
});

/** Σ a² */
export const squareRuns = kernelOfRow({
  name: 'squareRuns',
  inputs: ['a'],
  wgsl: 'a[i] * a[i]',
  reference: (a) => a * a,
});

/** √Σ a */
export const rootSumRuns = kernelOfRow({
  name: 'rootSumRuns',
  inputs: ['a'],
  wgsl: 'a[i]',
  reference: (a) => a,
  root: true,
});

export const reduceKernels = [sumRuns, dotRuns, squareRuns, rootSumRuns] as const;
