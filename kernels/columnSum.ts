/**
 * Sums over the rows of a matrix, in runs of rows, so that a long matrix is summed in two launches: first y[runs, columns] with `run` rows each, then the
 * partial sums in one run. The order is fixed.
 */
import shader from '../shaders/column_sum.wgsl';
import { defineKernel, foldWorkgroups, type Variant } from './spec.ts';

/** `run`: rows that one invocation sums. */
export type ColumnSumParams = { rows: number; columns: number; run: number };

const runsOf = ({ rows, run }: ColumnSumParams) => Math.max(1, Math.ceil(rows / run));

/** Small workgroups for software adapters, so that every core has some. */
const variants = [16, 64].flatMap((workgroup) =>
  [4, 1].map(
    (width): Variant<ColumnSumParams> => ({
      label: `columns${workgroup}.${width === 4 ? 'vec4' : 'scalar'}.f32`,
      constants: { WORKGROUP: workgroup, WIDTH: width, ELEMENT: width === 4 ? 'vec4<f32>' : 'f32' },
      ...(width === 4 ? { vector: { x: 4, y: 4 } } : {}),
      requires: (_, { columns }) => columns % width === 0,
      prefer: ({ kind }) => (kind === 'cpu') === (workgroup === 16),
    }),
  ),
);

export const columnSum = defineKernel<ColumnSumParams>({
  name: 'columnSum',
  shader,
  bindings: { x: { dtype: 'f32', access: 'read' }, y: { dtype: 'f32', access: 'write' } },
  params: { rows: 'u32', columns: 'u32', run: 'u32' },
  variants,
  sizes: ({ rows, columns, ...rest }) => ({ x: rows * columns, y: runsOf({ rows, columns, ...rest }) * columns }),
  dispatch: (params, { WORKGROUP, WIDTH }) => {
    const across = Math.ceil(params.columns / Number(WIDTH) / Number(WORKGROUP));
    return foldWorkgroups(across * runsOf(params));
  },
  cost: (params) => ({ flops: params.rows * params.columns, bytes: 4 * params.columns * (params.rows + runsOf(params)) }),
  reference: ({ x }, params) => {
    const { rows, columns, run } = params;
    const y = new Float64Array(runsOf(params) * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) y[Math.floor(row / run) * columns + column]! += x![row * columns + column]!;
    }
    return { y };
  },
  cases: [
    { params: { rows: 1, columns: 1, run: 1 } },
    { params: { rows: 0, columns: 5, run: 8 } },
    { params: { rows: 8, columns: 0, run: 8 } },
    { params: { rows: 37, columns: 70, run: 10 } },
    { params: { rows: 1024, columns: 64, run: 32 } },
    { params: { rows: 3, columns: 1030, run: 100 } },
  ],
  benchCases: [{ params: { rows: 4096, columns: 128, run: 64 } }],
  // A sum of up to 1,024 standard normal numbers, of size about √rows, each addition rounded.
  tolerance: { absolute: 1e-4, relative: 1e-5 },
});
