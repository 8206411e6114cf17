/**
 * Adds a narrow matrix to some columns of a wide one, in place, sets them, and takes them out: how low-rank adapters of fused projections reach their part, and how
 * products with the parts of a matrix are put side by side.
 */
import shader from '../shaders/add_columns.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelCase, type KernelSpec, type Variant } from './spec.ts';

/** `columns` of `width` columns, from `start` on; `count` is rows · columns. */
type ColumnParams = { count: number; columns: number; width: number; start: number; factor: number };

const params = { count: 'u32', columns: 'u32', width: 'u32', start: 'u32', factor: 'f32' } as const;

function variants(mode: 'add' | 'set' | 'take'): readonly Variant<ColumnParams>[] {
  return elementVariants<ColumnParams>(['part', 'total'], { TAKE: mode === 'take', SET: mode === 'set' }).map((variant) => ({
    ...variant,
    requires: (_, { columns, width, start }) => !variant.vector?.part || [columns, width, start].every((extent) => extent % 4 === 0),
  }));
}

const rowsOf = ({ count, columns }: ColumnParams) => (columns === 0 ? 0 : count / columns);
const sizes: KernelSpec<ColumnParams>['sizes'] = (given) => ({ part: given.count, total: rowsOf(given) * given.width });

/** Where an element of the part lies in the whole. */
const placeOf = (i: number, { columns, width, start }: ColumnParams) => Math.floor(i / columns) * width + start + (i % columns);

const caseOf = (rows: number, columns: number, width: number, start: number, factor = 0.5): KernelCase<ColumnParams> => ({
  params: { count: rows * columns, columns, width, start, factor },
});
const cases = [
  caseOf(1, 1, 1, 0),
  caseOf(0, 4, 8, 4),
  caseOf(5, 3, 7, 2, -2),
  caseOf(70, 16, 48, 32),
  caseOf(9, 8, 12, 2),
  caseOf(600, 64, 64, 0),
];
const benchCases = [caseOf(4096, 896, 1152, 0)];
const tolerance = { absolute: 1e-6, relative: 1e-6 };

/** total[row, start + c] += factor · part[row, c]. */
export const addColumns = defineKernel<ColumnParams>({
  name: 'addColumns',
  shader,
  bindings: { part: { dtype: 'f32', access: 'read' }, total: { dtype: 'f32', access: 'readWrite' } },
  params,
  variants: variants('add'),
  sizes,
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: 2 * count, bytes: 12 * count }),
  reference: ({ part, total }, given) => {
    const sum = Float64Array.from(total!);
    for (let i = 0; i < given.count; i++) sum[placeOf(i, given)]! += given.factor * part![i]!;
    return { total: sum };
  },
  cases,
  benchCases,
  tolerance,
});

/** total[row, start + c] = factor · part[row, c]. */
export const setColumns = defineKernel<ColumnParams>({
  name: 'setColumns',
  shader,
  bindings: { part: { dtype: 'f32', access: 'read' }, total: { dtype: 'f32', access: 'readWrite' } },
  params,
  variants: variants('set'),
  sizes,
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: count, bytes: 8 * count }),
  reference: ({ part, total }, given) => {
    const after = Float64Array.from(total!);
    for (let i = 0; i < given.count; i++) after[placeOf(i, given)] = given.factor * part![i]!;
    return { total: after };
  },
  cases,
  benchCases,
  tolerance,
});

/** part[row, c] = factor · total[row, start + c]. */
export const takeColumns = defineKernel<ColumnParams>({
  name: 'takeColumns',
  shader,
  bindings: { total: { dtype: 'f32', access: 'read' }, part: { dtype: 'f32', access: 'write' } },
  params,
  variants: variants('take'),
  sizes,
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: count, bytes: 8 * count }),
  reference: ({ total }, given) => ({
    part: Float64Array.from({ length: given.count }, (_, i) => given.factor * total![placeOf(i, given)]!),
  }),
  cases,
  benchCases,
  tolerance,
});
