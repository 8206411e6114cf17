/**
 * Adds a narrow matrix to some columns of a wide one, in place, sets them, and takes them out. This is how low-rank
 * adapters of fused projections reach their part, and how products with the parts of a matrix are put side by side.
 */
import shader from '../shaders/add_columns.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelCase, type KernelSpec, type Variant } from './spec.ts';

/** `columns` of `width` columns, from `start` on; `count` is rows · columns. */
type ColumnParams = { count: number; columns: number; width: number; start: number; factor: number };

const params = { count: 'u32', columns: 'u32', width: 'u32', start: 'u32', factor: 'f32' } as const;

function variants(mode: 'add' | 'set' | 'take'): readonly Variant<ColumnParams>[] {
  return elementVariants<ColumnParams>(['part', 'total'], { TAKE: mode === 'take', SET: mode === 'set' }).map(
    (variant) => ({
      ...variant,
      requires: (_, { columns, width, start }) =>
        !variant.vector?.part || [columns, width, start].every((extent) => extent % 4 === 0),
    }),
  );
}

const rowsOf = ({ count, columns }: ColumnParams) => (columns === 0 ? 0 : count / columns);
const sizes: KernelSpec<ColumnParams>['sizes'] = (given) => ({ part: given.count, total: rowsOf(given) * given.width });

/** Where an element of the part lies in the whole. */
const placeOf = (i: number, { columns, width, start }: ColumnParams) =>
  Math.floor(i / columns) * width + start + (i % columns);

const caseOf = (
  rows: number,
  columns: number,
  width: number,
  start: number,
  factor = 0.5,
): KernelCase<ColumnParams> => ({
  params: { count: rows * columns, columns, width, start, factor },
});

/** What is different about one of the three; `flops` and `words` are those of an element of the part. */
interface Mode extends Pick<KernelSpec<ColumnParams>, 'name' | 'bindings' | 'reference'> {
  readonly mode: 'add' | 'set' | 'take';
  readonly flops: number;
  readonly words: number;
}

const columnKernel = ({ mode, flops, words, ...own }: Mode) =>
  defineKernel<ColumnParams>({
    ...own,
    shader,
    params,
    variants: variants(mode),
    sizes,
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: flops * count, bytes: 4 * words * count }),
    cases: [
      caseOf(1, 1, 1, 0),
      caseOf(0, 4, 8, 4),
      caseOf(5, 3, 7, 2, -2),
      caseOf(70, 16, 48, 32),
      caseOf(9, 8, 12, 2),
      caseOf(600, 64, 64, 0),
    ],
    benchCases: [caseOf(4096, 896, 1152, 0)],
    // A product and a sum of numbers of size 1.
    tolerance: { absolute: 1e-6, relative: 1e-6 },
  });

/** The whole after each element of the part was put in its place. */
function placed(
  part: Float64Array,
  total: Float64Array,
  given: ColumnParams,
  put: (before: number, value: number) => number,
): Float64Array {
  const after = Float64Array.from(total);
  for (let i = 0; i < given.count; i++) {
    const place = placeOf(i, given);
    after[place] = put(after[place]!, given.factor * part[i]!);
  }
  return after;
}

const intoWhole = { part: { dtype: 'f32', access: 'read' }, total: { dtype: 'f32', access: 'readWrite' } } as const;

/** total[row, start + c] += factor · part[row, c]. */
export const addColumns = columnKernel({
  name: 'addColumns',
  mode: 'add',
  bindings: intoWhole,
  flops: 2,
  words: 3,
  reference: ({ part, total }, given) => ({ total: placed(part!, total!, given, (before, value) => before + value) }),
});

/** total[row, start + c] = factor · part[row, c]. */
export const setColumns = columnKernel({
  name: 'setColumns',
  mode: 'set',
  bindings: intoWhole,
  flops: 1,
  words: 2,
  reference: ({ part, total }, given) => ({ total: placed(part!, total!, given, (_, value) => value) }),
});

/** part[row, c] = factor · total[row, start + c]. */
export const takeColumns = columnKernel({
  name: 'takeColumns',
  mode: 'take',
  bindings: { total: { dtype: 'f32', access: 'read' }, part: { dtype: 'f32', access: 'write' } },
  flops: 1,
  words: 2,
  reference: ({ total }, given) => ({
    part: Float64Array.from({ length: given.count }, (_, i) => given.factor * total![placeOf(i, given)]!),
  }),
});
