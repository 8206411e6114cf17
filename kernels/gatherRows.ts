/**
 * Rows of a table by index, and the gradient of that. The gradient needs the inverse of the index table, which a kernel
 * of its own builds as linked lists.
 */

import shader from '../shaders/gather_rows.wgsl';
import backwardShader from '../shaders/gather_rows_backward.wgsl';
import listsShader from '../shaders/gather_rows_lists.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { defineKernel, elementBytes, type KernelCase } from './spec.ts';

/** `count` positions read rows of a table of [tableRows, width]. */
export type GatherRowsParams = { count: number; tableRows: number; width: number };
type GatherListsParams = { count: number; tableRows: number };

/** The end of a list. */
const none = 0xffffffff;

/** Indices into the table and a few beyond it. */
export function someIndices({ count, tableRows }: GatherListsParams, random: () => number): number[] {
  return Array.from({ length: count }, (_, i) =>
    i % 7 === 3 ? tableRows + i : Math.floor(Math.abs(random()) * 1e6) % Math.max(1, tableRows),
  );
}

/** Positions that read each row, ascending. */
function positionsByRow(indices: ArrayLike<number>, tableRows: number): number[][] {
  const positions = Array.from({ length: tableRows }, (): number[] => []);
  for (let i = 0; i < indices.length; i++) positions[indices[i]!]?.push(i);
  return positions;
}

function listsOf(indices: ArrayLike<number>, tableRows: number): { head: Uint32Array; next: Uint32Array } {
  const head = new Uint32Array(tableRows).fill(none);
  const next = new Uint32Array(indices.length).fill(none);
  positionsByRow(indices, tableRows).forEach((positions, row) => {
    head[row] = positions[0] ?? none;
    positions.forEach((position, at) => {
      next[position] = positions[at + 1] ?? none;
    });
  });
  return { head, next };
}

const shapes: readonly GatherRowsParams[] = [
  { count: 1, tableRows: 1, width: 1 },
  { count: 0, tableRows: 3, width: 4 },
  { count: 5, tableRows: 3, width: 7 },
  { count: 300, tableRows: 70, width: 12 },
  { count: 40, tableRows: 3000, width: 16 },
  { count: 4100, tableRows: 5, width: 8 },
];
const embeddingBench: GatherRowsParams = { count: 8192, tableRows: 300, width: 64 };
const selectionBench: GatherRowsParams = { count: 1000, tableRows: 8192, width: 64 };
const benches = [embeddingBench, selectionBench];

const forwardCase = (params: GatherRowsParams): KernelCase<GatherRowsParams> => ({
  params,
  inputs: (random) => ({ indices: someIndices(params, random) }),
});
const listsCase = ({ count, tableRows }: GatherListsParams): KernelCase<GatherListsParams> => ({
  params: { count, tableRows },
  inputs: (random) => ({ indices: someIndices({ count, tableRows }, random) }),
});
const backwardCase = (params: GatherRowsParams): KernelCase<GatherRowsParams> => ({
  params,
  inputs: (random) =>
    listsOf(someIndices(params, random), params.tableRows) as unknown as Readonly<Record<string, ArrayLike<number>>>,
});

/** y[i, :] = table[indices[i], :]; zeros where the index lies beyond the table. */
const gatherRowsFrom = (dtype: 'f32' | 'f16') =>
  defineKernel<GatherRowsParams>({
    name: dtype === 'f32' ? 'gatherRows' : `gatherRows.${dtype}`,
    shader,
    bindings: {
      table: { dtype, access: 'read' },
      indices: { dtype: 'u32', access: 'read' },
      y: { dtype: 'f32', access: 'write' },
    },
    params: { count: 'u32', tableRows: 'u32', width: 'u32' },
    variants: rowVariants(['table', 'y']),
    sizes: ({ count, tableRows, width }) => ({ table: tableRows * width, indices: count, y: count * width }),
    dispatch: ({ count }, constants) => rowDispatch({ rows: count }, constants),
    cost: ({ count, width }) => ({ flops: 0, bytes: count * ((elementBytes[dtype] + 4) * width + 4) }),
    reference: ({ table, indices }, { count, width }) => ({
      y: Float64Array.from(
        { length: count * width },
        (_, at) => table![indices![Math.floor(at / width)]! * width + (at % width)] ?? 0,
      ),
    }),
    cases: shapes.map(forwardCase),
    benchCases: benches.map(forwardCase),
    tuningCase: forwardCase,
    // A copy; every f16 is a float32.
    tolerance: { absolute: 0, relative: 0 },
  });

export const gatherRows = gatherRowsFrom('f32');
/** For a table that is stored in f16. */
export const gatherRowsHalf = gatherRowsFrom('f16');

/** The positions that read each row, as linked lists in ascending order: head [tableRows], next [count]. */
export const gatherRowsLists = defineKernel<GatherListsParams>({
  name: 'gatherRowsLists',
  shader: listsShader,
  bindings: {
    indices: { dtype: 'u32', access: 'read' },
    head: { dtype: 'u32', access: 'write' },
    next: { dtype: 'u32', access: 'write' },
  },
  params: { count: 'u32', tableRows: 'u32' },
  variants: [
    // Every bucket reads all indices, so a CPU takes few, and a GPU enough to keep each of its cores busy.
    {
      label: 'buckets16',
      constants: { WORKGROUP: 8, BUCKETS: 16, STAGED: false },
      prefer: ({ kind }) => kind === 'cpu',
    },
    { label: 'staged16384', constants: { WORKGROUP: 128, BUCKETS: 16_384, STAGED: true } },
    { label: 'buckets1024', constants: { WORKGROUP: 64, BUCKETS: 1024, STAGED: false } },
  ],
  sizes: ({ count, tableRows }) => ({ indices: count, head: tableRows, next: count }),
  dispatch: (_, { WORKGROUP, BUCKETS }) => [Number(BUCKETS) / Number(WORKGROUP), 1, 1],
  cost: ({ count, tableRows }) => ({ flops: 0, bytes: 4 * (2 * count + tableRows) }),
  reference: ({ indices }, { tableRows }) =>
    listsOf(indices!, tableRows) as unknown as Readonly<Record<string, ArrayLike<number>>>,
  cases: shapes.map(listsCase),
  benchCases: benches.map(listsCase),
  tuningCase: listsCase,
  // Whole numbers.
  tolerance: { absolute: 0, relative: 0 },
});

/** Gradient of `gatherRows` in the table, from the lists. */
export const gatherRowsBackward = defineKernel<GatherRowsParams>({
  name: 'gatherRowsBackward',
  shader: backwardShader,
  bindings: {
    dy: { dtype: 'f32', access: 'read' },
    head: { dtype: 'u32', access: 'read' },
    next: { dtype: 'u32', access: 'read' },
    dTable: { dtype: 'f32', access: 'write' },
  },
  params: { count: 'u32', tableRows: 'u32', width: 'u32' },
  variants: rowVariants(['dy', 'dTable']),
  sizes: ({ count, tableRows, width }) => ({
    dy: count * width,
    head: tableRows,
    next: count,
    dTable: tableRows * width,
  }),
  dispatch: ({ tableRows }, constants) => rowDispatch({ rows: tableRows }, constants),
  cost: ({ count, tableRows, width }) => ({
    flops: count * width,
    bytes: 4 * ((count + tableRows) * width + count + tableRows),
  }),
  reference: ({ dy, head, next }, { tableRows, width }) => {
    const dTable = new Float64Array(tableRows * width);
    for (let row = 0; row < tableRows; row++) {
      for (let i = head![row]!; i !== none; i = next![i]!) {
        for (let column = 0; column < width; column++) dTable[row * width + column]! += dy![i * width + column]!;
      }
    }
    return { dTable };
  },
  cases: shapes.map(backwardCase),
  benchCases: benches.map(backwardCase),
  tuningCase: backwardCase,
  // Sums of up to 1,000 standard normal numbers, of size about 30, each addition rounded.
  tolerance: { absolute: 1e-4, relative: 1e-5 },
});

export const gatherRowsKernels = [gatherRows, gatherRowsHalf, gatherRowsLists, gatherRowsBackward] as const;
