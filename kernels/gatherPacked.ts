/** Rows of a packed table by index, in float32: an embedding that stays packed (kernels/packed.ts). */
import shader from '../shaders/gather_packed.wgsl';
import { type GatherRowsParams, someIndices } from './gatherRows.ts';
import {
  blockValues,
  type PackedType,
  packedConstants,
  packedRowWords,
  packedTypes,
  randomPacked,
  widened,
} from './packed.ts';
import { rowDispatch, rowVariants } from './rows.ts';
import { defineKernel, type KernelCase, type KernelSpec } from './spec.ts';

function gatherPacked(type: PackedType): KernelSpec<GatherRowsParams> {
  const withInputs = (params: GatherRowsParams): KernelCase<GatherRowsParams> => ({
    params,
    inputs: (random) => ({
      table: randomPacked(type, params.tableRows, params.width, random),
      indices: someIndices(params, random),
    }),
  });
  const block = blockValues(type);
  return defineKernel<GatherRowsParams>({
    name: `gatherRows.${type}`,
    shader,
    bindings: {
      table: { dtype: 'u32', access: 'read' },
      indices: { dtype: 'u32', access: 'read' },
      y: { dtype: 'f32', access: 'write' },
    },
    params: { count: 'u32', tableRows: 'u32', width: 'u32' },
    // Rows are whole quads.
    variants: rowVariants<GatherRowsParams>(['y'], { ...packedConstants(type), PACKED_ARRAY: 'table' }).filter(
      ({ constants }) => constants.VECTOR === true,
    ),
    sizes: ({ count, tableRows, width }) => ({
      table: tableRows * packedRowWords(type, width),
      indices: count,
      y: count * width,
    }),
    dispatch: ({ count }, constants) => rowDispatch({ rows: count }, constants),
    cost: ({ count, width }) => ({ flops: 0, bytes: count * 4 * (packedRowWords(type, width) + width + 1) }),
    reference: ({ table, indices }, { count, tableRows, width }) => {
      const values = widened(type, table!, tableRows, width);
      return {
        y: Float64Array.from(
          { length: count * width },
          (_, at) => values[indices![Math.floor(at / width)]! * width + (at % width)] ?? 0,
        ),
      };
    },
    cases: [
      withInputs({ count: 1, tableRows: 1, width: block }),
      withInputs({ count: 0, tableRows: 3, width: block }),
      withInputs({ count: 40, tableRows: 70, width: 3 * block }),
    ],
    benchCases: [withInputs({ count: 1000, tableRows: 8192, width: 768 })],
    tuningCase: withInputs,
    // Every value is one float32 number.
    tolerance: { absolute: 0, relative: 0 },
  });
}

export const gatherPackedKernels = Object.fromEntries(
  packedTypes.map((type) => [type, gatherPacked(type)]),
) as Readonly<Record<PackedType, KernelSpec<GatherRowsParams>>>;
