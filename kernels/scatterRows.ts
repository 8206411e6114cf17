/** Puts rows into a table by index, in place; `gatherRows` takes them out again. */
import shader from '../shaders/scatter_rows.wgsl';
import { defineKernel, elementBytes, foldWorkgroups, type KernelCase } from './spec.ts';

/** `count` rows go to a table of [tableRows, width]. */
type ScatterRowsParams = { count: number; tableRows: number; width: number };

/** Index of a row that goes nowhere. */
export const noRow = 0xffffffff;

/** Distinct indices, from the end of the table on; every fifth row goes nowhere. */
function caseOf(params: ScatterRowsParams): KernelCase<ScatterRowsParams> {
  const { count, tableRows } = params;
  const indices = Array.from({ length: count }, (_, i) => (i % 5 === 3 || i >= tableRows ? noRow : tableRows - 1 - i));
  return { params, inputs: () => ({ indices }) };
}

const scatterRowsFrom = (dtype: 'f32' | 'f16') =>
  defineKernel<ScatterRowsParams>({
    name: dtype === 'f32' ? 'scatterRows' : `scatterRows.${dtype}`,
    shader,
    bindings: {
      table: { dtype: 'f32', access: 'readWrite' },
      x: { dtype, access: 'read' },
      indices: { dtype: 'u32', access: 'read' },
    },
    params: { count: 'u32', tableRows: 'u32', width: 'u32' },
    variants: [
      {
        label: 'vec4.f32',
        constants: { WORKGROUP: 64, WIDTH: 4, ELEMENT: 'vec4<f32>' },
        vector: { table: 4, x: 4 },
        requires: (_, { width }) => width % 4 === 0,
      },
      { label: 'scalar.f32', constants: { WORKGROUP: 64, WIDTH: 1, ELEMENT: 'f32' } },
    ],
    sizes: ({ count, tableRows, width }) => ({ table: tableRows * width, x: count * width, indices: count }),
    dispatch: ({ count, width }, { WORKGROUP, WIDTH }) =>
      foldWorkgroups(Math.ceil((count * width) / Number(WIDTH) / Number(WORKGROUP))),
    cost: ({ count, width }) => ({ flops: 0, bytes: count * ((elementBytes[dtype] + 4) * width + 4) }),
    reference: ({ table, x, indices }, { count, tableRows, width }) => {
      const updated = Float64Array.from(table!);
      for (let row = 0; row < count; row++) {
        const target = indices![row]!;
        if (target < tableRows) updated.set(x!.subarray(row * width, (row + 1) * width), target * width);
      }
      return { table: updated };
    },
    cases: [
      { count: 1, tableRows: 1, width: 1 },
      { count: 0, tableRows: 3, width: 4 },
      { count: 9, tableRows: 4, width: 7 },
      { count: 130, tableRows: 3000, width: 12 },
    ].map(caseOf),
    benchCases: [caseOf({ count: 128, tableRows: 6400, width: 512 })],
    tuningCase: caseOf,
    // A copy; every f16 is a float32.
    tolerance: { absolute: 0, relative: 0 },
  });

export const scatterRows = {
  f32: scatterRowsFrom('f32'),
  /** From rows that are stored in f16. */
  f16: scatterRowsFrom('f16'),
} as const;
