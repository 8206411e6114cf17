/** Rows less the mean of their group, scaled to length 1: what cosines are products of. `shaders/centre_rows.wgsl`. */
import shader from '../shaders/centre_rows.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { defineKernel, type KernelCase } from './spec.ts';

/** `rows` is a multiple of `stride`, the rows of a group. */
type CentreRowsParams = { rows: number; stride: number; width: number };

/**
 * A row whose distance from the mean is less than this share of its length is the mean: float32 has 1e-7 for a number,
 * and a mean of a few thousand equal ones may be off by some 1e-5.
 */
export const leastDistance = 1e-4;

const groupsOf = ({ rows, stride }: CentreRowsParams) => Math.ceil(rows / Math.max(1, stride));

/** @param distinct every row has its own values; otherwise those of a group are equal */
function caseOf(params: CentreRowsParams, counts: readonly number[], distinct = true): KernelCase<CentreRowsParams> {
  const { rows, stride, width } = params;
  return {
    params,
    ...(distinct ? {} : { note: 'equal rows' }),
    inputs: (random) => {
      const x = Array.from({ length: rows * width }, random).map(Math.fround);
      const sums = new Float64Array(groupsOf(params) * width);
      for (let row = 0; row < rows; row++) {
        const group = Math.floor(row / stride);
        const isPadding = row % stride >= counts[group]!;
        for (let column = 0; column < width; column++) {
          const at = row * width + column;
          x[at] = isPadding ? 0 : distinct ? x[at]! + 3 : (x[group * stride * width + column] ?? 0);
          sums[group * width + column]! += x[at]!;
        }
      }
      return { x, sums, counts };
    },
  };
}

export const centreRows = defineKernel<CentreRowsParams>({
  name: 'centreRows',
  shader,
  bindings: {
    x: { dtype: 'f32', access: 'read' },
    sums: { dtype: 'f32', access: 'read' },
    counts: { dtype: 'u32', access: 'read' },
    y: { dtype: 'f32', access: 'write' },
  },
  params: { rows: 'u32', stride: 'u32', width: 'u32' },
  variants: rowVariants(['x', 'sums', 'y'], { LEAST: leastDistance ** 2 }),
  sizes: (params) => ({
    x: params.rows * params.width,
    sums: groupsOf(params) * params.width,
    counts: groupsOf(params),
    y: params.rows * params.width,
  }),
  dispatch: rowDispatch,
  cost: (params) => ({
    flops: 8 * params.rows * params.width,
    bytes: 4 * (2 * params.rows * params.width + groupsOf(params) * (params.width + 1)),
  }),
  reference: ({ x, sums, counts }, { rows, stride, width }) => {
    const y = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const group = Math.floor(row / stride);
      const values = x!.subarray(row * width, (row + 1) * width);
      const centred = values.map((value, i) => value - sums![group * width + i]! / Math.max(1, counts![group]!));
      const length = Math.hypot(...centred);
      if (row % stride >= counts![group]! || length <= leastDistance * Math.hypot(...values)) continue;
      y.set(
        centred.map((value) => value / length),
        row * width,
      );
    }
    return { y };
  },
  cases: [
    caseOf({ rows: 2, stride: 2, width: 1 }, [2]),
    caseOf({ rows: 0, stride: 4, width: 8 }, []),
    caseOf({ rows: 15, stride: 5, width: 7 }, [5, 0, 3]),
    caseOf({ rows: 128, stride: 64, width: 64 }, [64, 17]),
    caseOf({ rows: 64, stride: 64, width: 300 }, [50]),
    caseOf({ rows: 128, stride: 64, width: 20 }, [64, 1], false),
  ],
  benchCases: [caseOf({ rows: 1024, stride: 64, width: 512 }, new Array<number>(16).fill(60))],
  tuningCase: (params) => caseOf(params, new Array<number>(groupsOf(params)).fill(params.stride)),
  // Sums of up to 512 squares in float32, and an inverse root that drivers have to about 1e-6; results are at most 1.
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});
