/** What kernels that handle a matrix row by row share (`shaders/lib/row.wgsl`): their variants and grids. */
import { type Constants, type Dispatch, foldWorkgroups, type Params, type Variant } from './spec.ts';

/** A matrix of [rows, width]. */
export interface RowParams {
  readonly rows: number;
  readonly width: number;
}

/**
 * One invocation a row for software adapters, where barriers are dear; a workgroup a row for GPUs, where neighbouring lanes must read neighbouring elements. Each
 * with vec4 elements where the width allows.
 * @param vectorised the bindings that hold whole rows
 * @param widthOf the width that must be a multiple of 4 for vec4 elements
 */
export function rowVariants<P extends Params>(
  vectorised: readonly string[],
  constants: Constants = {},
  widthOf: (params: P) => number = ({ width }) => width ?? 0,
): readonly Variant<P>[] {
  const elements = [
    {
      name: 'vec4',
      constants: { WIDTH: 4, ELEMENT: 'vec4<f32>', VECTOR: true },
      vector: Object.fromEntries(vectorised.map((binding) => [binding, 4 as const])),
    },
    { name: 'scalar', constants: { WIDTH: 1, ELEMENT: 'f32', VECTOR: false }, vector: {} },
  ];
  const layouts: readonly Pick<Variant<P>, 'label' | 'constants' | 'prefer'>[] = [
    { label: 'row', constants: { WORKGROUP: 32, COOPERATIVE: false }, prefer: ({ kind }) => kind === 'cpu' },
    { label: 'workgroup', constants: { WORKGROUP: 128, COOPERATIVE: true } },
  ];
  return layouts.flatMap((layout) =>
    elements.map((element) => ({
      ...layout,
      label: `${layout.label}.${element.name}.f32`,
      constants: { ...constants, ...layout.constants, ...element.constants },
      vector: element.vector,
      requires: (_, params) => element.name === 'scalar' || widthOf(params) % 4 === 0,
    })),
  );
}

/** Rows that a workgroup which holds rows in registers takes in turn, where the kernel's parameters do not say. */
const heldRows = 16;

/** Lanes and vectors a lane: rows of up to 4 · lanes · held elements. Subgroups for software adapters, workgroups for GPUs. */
const subgroupShapes = [4, 8].flatMap((lanes) => [4, 8, 16].map((held) => ({ lanes, held })));
const workgroupShapes = [4, 16].map((held) => ({ lanes: 64, held }));

/**
 * Variants that read each element once and hold the row in registers. On software adapters, where a storage read costs as much for each lane as several multiplications,
 * that is most of the time. Rows whose width is a multiple of 4 and not too large.
 * @param vectorised the bindings that hold whole rows
 * @param gpu whether there are such variants for GPUs too, and are preferred there
 */
export function heldRowVariants<P extends Params>(
  vectorised: readonly string[],
  constants: Constants = {},
  gpu = false,
): readonly Variant<P>[] {
  const variantOf = (lanes: number, held: number, subgroup: boolean): Variant<P> => ({
    label: `held.${subgroup ? 'subgroup' : 'workgroup'}${lanes}x${held}.f32`,
    constants: {
      ...constants,
      ...{ SUBGROUP: subgroup, COOPERATIVE: !subgroup, WORKGROUP: lanes, HELD: held, ROWS: heldRows },
      ...{ WIDTH: 4, ELEMENT: 'vec4<f32>', VECTOR: true },
    },
    vector: Object.fromEntries(vectorised.map((binding) => [binding, 4 as const])),
    ...(subgroup ? { enables: ['subgroups'] } : {}),
    requires: ({ features, subgroupMinSize, subgroupMaxSize }, { width = 0 }) =>
      width % 4 === 0 &&
      width <= 4 * lanes * held &&
      (!subgroup || (features.has('subgroups') && subgroupMinSize === lanes && subgroupMaxSize === lanes)),
    prefer: ({ kind }) => (kind === 'cpu') === subgroup,
  });
  return [
    ...subgroupShapes.map(({ lanes, held }) => variantOf(lanes, held, true)),
    ...(gpu ? workgroupShapes.map(({ lanes, held }) => variantOf(lanes, held, false)) : []),
  ];
}

export function rowDispatch({ rows }: Pick<RowParams, 'rows'>, { WORKGROUP, COOPERATIVE, HELD, ROWS }: Constants): Dispatch {
  if (HELD) return foldWorkgroups(Math.ceil(rows / Number(ROWS)));
  return foldWorkgroups(COOPERATIVE ? rows : Math.ceil(rows / Number(WORKGROUP)));
}

/** Odd, single, empty, many short and few long rows. */
export const rowShapes: readonly RowParams[] = [
  { rows: 1, width: 1 },
  { rows: 0, width: 8 },
  { rows: 3, width: 7 },
  { rows: 70, width: 64 },
  { rows: 9, width: 300 },
  { rows: 2, width: 1204 },
];
