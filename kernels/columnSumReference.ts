/** What sums over rows are checked against, and with: their results in float64, shapes to test and shapes to bench. */
import { type ColumnSumParams, columnSum, columnSumPair, runsOf, summedMatrices } from './columnSum.ts';
import type { KernelCase, KernelSpec } from './spec.ts';

function sumsOf(x: Float64Array, params: ColumnSumParams): Float64Array {
  const { rows, columns, run } = params;
  const y = new Float64Array(runsOf(params) * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      y[Math.floor(row / run) * columns + column]! += x[row * columns + column]!;
  }
  return y;
}

const cases: readonly KernelCase<ColumnSumParams>[] = [
  { params: { rows: 1, columns: 1, run: 1 } },
  { params: { rows: 0, columns: 5, run: 8 } },
  { params: { rows: 8, columns: 0, run: 8 } },
  { params: { rows: 37, columns: 70, run: 10 } },
  { params: { rows: 1024, columns: 64, run: 32 } },
  { params: { rows: 3, columns: 1030, run: 100 } },
];

/** The kernels, with what they are checked against. */
export const columnSumKernels: readonly KernelSpec<ColumnSumParams>[] = [columnSum, columnSumPair].map((kernel) => ({
  ...kernel,
  reference: (inputs, params) =>
    Object.fromEntries(summedMatrices.flatMap(([x, y]) => (inputs[x] ? [[y, sumsOf(inputs[x], params)]] : []))),
  cases,
  benchCases: [{ params: { rows: 4096, columns: 128, run: 64 } }],
}));
