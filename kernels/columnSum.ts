/**
 * Sums over the rows of a matrix, in runs of rows, so that a long matrix is summed in two launches: first y[runs,
 * columns] with `run` rows each, then the partial sums in one run. The order is fixed.
 */
import shader from '../shaders/column_sum.wgsl';
import { type AdapterProfile, foldWorkgroups, type RunnableKernel, type Variant } from './spec.ts';

/** `run`: rows of a partial sum. */
export type ColumnSumParams = { rows: number; columns: number; run: number };

export const runsOf = ({ rows, run }: ColumnSumParams) => Math.max(1, Math.ceil(rows / run));

/** Matrices that one launch sums, and their sums. */
export const summedMatrices = [
  ['x', 'y'],
  ['x2', 'y2'],
] as const;

function kernelOf(name: string, count: 1 | 2): RunnableKernel<ColumnSumParams> {
  const pairs = summedMatrices.slice(0, count);
  return {
    name,
    shader,
    bindings: {
      ...Object.fromEntries(pairs.map(([x]) => [x, { dtype: 'f32', access: 'read' }])),
      ...Object.fromEntries(pairs.map(([, y]) => [y, { dtype: 'f32', access: 'write' }])),
    },
    params: { rows: 'u32', columns: 'u32', run: 'u32' },
    variants: variantsOf(count),
    sizes: (params) =>
      Object.fromEntries(
        pairs.flatMap(([x, y]) => [
          [x, params.rows * params.columns],
          [y, runsOf(params) * params.columns],
        ]),
      ),
    dispatch: (params, { COLUMNS, WIDTH }) => {
      const across = Math.ceil(params.columns / Number(WIDTH) / Number(COLUMNS));
      return foldWorkgroups(across * runsOf(params));
    },
    cost: (params) => ({
      flops: count * params.rows * params.columns,
      bytes: 4 * count * params.columns * (params.rows + runsOf(params)),
    }),
    // A sum of up to 1,024 standard normal numbers, of size about √rows, each addition rounded.
    tolerance: { absolute: 1e-4, relative: 1e-5 },
  };
}

/** Runs that an invocation sums alone before a GPU shares them among the invocations of a workgroup. */
const shortRun = 8;

/**
 * Small workgroups for software adapters, so that every core has some. GPUs have an invocation for each column of a
 * short run, 16 for one of a longer run.
 */
const layouts = [
  { columns: 16, depth: 1, prefer: ({ kind }: AdapterProfile) => kind === 'cpu' },
  {
    columns: 16,
    depth: 16,
    prefer: ({ kind }: AdapterProfile, { run }: ColumnSumParams) => kind === 'gpu' && run > shortRun,
  },
  { columns: 64, depth: 1 },
] as const;

function variantsOf(count: 1 | 2): readonly Variant<ColumnSumParams>[] {
  const vector = Object.fromEntries(
    summedMatrices
      .slice(0, count)
      .flat()
      .map((name) => [name, 4 as const]),
  );
  return layouts.flatMap(({ columns, depth, ...rest }) =>
    [4, 1].map((width) => ({
      ...rest,
      label: `columns${columns}${depth === 1 ? '' : `x${depth}`}.${width === 4 ? 'vec4' : 'scalar'}.f32`,
      constants: {
        ...{ COLUMNS: columns, DEPTH: depth, SHARED: depth > 1, PAIR: count === 2 },
        ...{ WIDTH: width, ELEMENT: width === 4 ? 'vec4<f32>' : 'f32' },
      },
      vector: width === 4 ? vector : {},
      requires: (_, params) => params.columns % width === 0,
    })),
  );
}

export const columnSum = kernelOf('columnSum', 1);

/** Two matrices of one shape at once. */
export const columnSumPair = kernelOf('columnSumPair', 2);
