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

export function rowDispatch({ rows }: Pick<RowParams, 'rows'>, { WORKGROUP, COOPERATIVE }: Constants): Dispatch {
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
