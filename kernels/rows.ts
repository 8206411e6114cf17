/** What kernels that handle a matrix row by row share (`shaders/lib/row.wgsl`): their variants and grids. */
import {
  type AdapterProfile,
  type Constants,
  type Dispatch,
  foldWorkgroups,
  type Params,
  type Variant,
} from './spec.ts';

/** A matrix of [rows, width]. */
export interface RowParams {
  readonly rows: number;
  readonly width: number;
}

type Layout<P extends Params> = Pick<Variant<P>, 'label' | 'constants' | 'enables' | 'requires' | 'prefer'>;

/** What shaders/lib/row.wgsl is told of rows that are not kept in registers, and of lanes that are in no subgroups. */
const rowConstants: Constants = { SUBGROUP: false, SUBGROUPS: false, LANE_VECTORS: 0, TEAMED: false };

/** From this width on a row has work for a wide workgroup. */
const wideRow = 8192;

/**
 * One invocation a row for software adapters, where barriers are dear; a workgroup a row for GPUs, where neighbouring
 * lanes must read neighbouring elements, and where subgroups take two barriers to add what the lanes found instead of
 * nine. Each with vec4 elements where the width allows.
 * @param vectorised the bindings that hold whole rows
 * @param widthOf the width that must be a multiple of 4 for vec4 elements
 */
export function rowVariants<P extends Params>(
  vectorised: readonly string[],
  constants: Constants = {},
  widthOf: (params: P) => number = ({ width }) => width ?? 0,
): readonly Variant<P>[] {
  const layouts: readonly Layout<P>[] = [
    { label: 'row', constants: { WORKGROUP: 32, COOPERATIVE: false }, prefer: ({ kind }) => kind === 'cpu' },
    subgroupsLayout,
    { label: 'workgroup', constants: { WORKGROUP: 128, COOPERATIVE: true } },
  ];
  return layouts.flatMap((layout) => withElements(layout, vectorised, constants, widthOf));
}

/** `rowVariants` for rows that may be as long as a vocabulary, of which a few must keep a GPU busy. */
export function longRowVariants<P extends Params & RowParams>(vectorised: readonly string[]): readonly Variant<P>[] {
  const widthOf = ({ width }: P) => width;
  const wide: Layout<P> = {
    ...subgroupsLayout,
    label: 'wide',
    constants: { ...subgroupsLayout.constants, WORKGROUP: 256 },
    requires: (adapter, params) => params.width >= wideRow && hasSubgroups(adapter),
  };
  return [...withElements(wide, vectorised, {}, widthOf), ...rowVariants<P>(vectorised)];
}

/** A layout with vec4 elements, for widths that allow it, and with scalars. */
function withElements<P extends Params>(
  layout: Layout<P>,
  vectorised: readonly string[],
  constants: Constants,
  widthOf: (params: P) => number,
): readonly Variant<P>[] {
  const elements = [
    {
      name: 'vec4',
      constants: { WIDTH: 4, ELEMENT: 'vec4<f32>', VECTOR: true },
      vector: Object.fromEntries(vectorised.map((binding) => [binding, 4 as const])),
    },
    { name: 'scalar', constants: { WIDTH: 1, ELEMENT: 'f32', VECTOR: false }, vector: {} },
  ];
  return elements.map((element) => ({
    ...layout,
    label: `${layout.label}.${element.name}.f32`,
    constants: { ...rowConstants, ...constants, ...layout.constants, ...element.constants },
    vector: element.vector,
    requires: (adapter, params) =>
      (element.name === 'scalar' || widthOf(params) % 4 === 0) && (layout.requires?.(adapter, params) ?? true),
  }));
}

/** Of any size, and with any lanes in them. */
const subgroupsLayout = {
  label: 'subgroups',
  constants: { WORKGROUP: 128, COOPERATIVE: true, SUBGROUPS: true },
  enables: ['subgroups'],
  requires: (adapter: AdapterProfile) => hasSubgroups(adapter),
  prefer: ({ kind }: AdapterProfile) => kind === 'gpu',
} as const;

function hasSubgroups({ features }: AdapterProfile): boolean {
  return features.has('subgroups');
}

interface RegisterShape {
  readonly lanes: number;
  readonly vectors: number;
  readonly rows: number;
  /** Subgroups of a workgroup, which take its rows in turn; default 1. */
  readonly teams?: number;
}

/**
 * Lanes, vectors a lane, and rows that a workgroup takes in turn where the kernel's parameters do not say: rows of up
 * to 4 · lanes · vectors elements. Subgroups for software adapters, where starting a workgroup costs more than a row,
 * and for GPUs, which want many workgroups; workgroups for GPUs where a workgroup takes many rows.
 */
const cpuShapes = [4, 8].flatMap((lanes) => [4, 8, 16].map((vectors) => ({ lanes, vectors, rows: 16 })));
const gpuShapes = [32, 16].flatMap((lanes) => [4, 8].map((vectors) => ({ lanes, vectors, rows: 1 })));
const teamShapes = [
  // Small ones, to be tried on software adapters: their compilers take long over barriers.
  ...[4, 8].map((lanes) => ({ lanes, vectors: 2, rows: 1, teams: 2 })),
  ...[32, 16].flatMap((lanes) => [4, 8].map((vectors) => ({ lanes, vectors, rows: 1, teams: 8 }))),
];
const workgroupShapes = [64, 256].map((lanes) => ({ lanes, vectors: 4, rows: 16 }));

/**
 * Variants that read each element once and hold the row in registers. On software adapters, where a storage read costs
 * as much for each lane as several multiplications, that is most of the time; on GPUs no barrier is left. Rows whose
 * width is a multiple of 4 and not too large.
 * @param vectorised the bindings that hold whole rows
 * @param inRuns whether a workgroup takes as many rows as the kernel's parameters say: then GPUs have larger ones
 */
export function registerRowVariants<P extends Params>(
  vectorised: readonly string[],
  constants: Constants = {},
  inRuns = false,
): readonly Variant<P>[] {
  const variantOf = ({ lanes, vectors, rows, teams = 1 }: RegisterShape, subgroup: boolean): Variant<P> => ({
    label: `registers.${teams > 1 ? `teams${teams}x` : subgroup ? 'subgroup' : 'workgroup'}${lanes}x${vectors}.f32`,
    constants: {
      ...rowConstants,
      ...constants,
      ...{
        SUBGROUP: subgroup,
        COOPERATIVE: !subgroup,
        WORKGROUP: lanes * teams,
        LANE_VECTORS: vectors,
        ROWS: rows,
        TEAMS: teams,
        TEAMED: teams > 1,
      },
      ...{ WIDTH: 4, ELEMENT: 'vec4<f32>', VECTOR: true },
    },
    vector: Object.fromEntries(vectorised.map((binding) => [binding, 4 as const])),
    ...(subgroup ? { subgroupSize: lanes } : {}),
    requires: (adapter, { width = 0 }) =>
      width % 4 === 0 && width <= 4 * lanes * vectors && adapter.maxInvocations >= lanes * teams,
    prefer: ({ kind }) =>
      kind === 'gpu' ? lanes >= 16 && (teams > 1 || !inRuns || !subgroup) : subgroup && teams === 1,
  });
  return [
    ...[...cpuShapes, ...(inRuns ? teamShapes : gpuShapes)].map((shape) => variantOf(shape, true)),
    ...(inRuns ? workgroupShapes : []).map((shape) => variantOf(shape, false)),
  ];
}

export function rowDispatch(
  { rows }: Pick<RowParams, 'rows'>,
  { WORKGROUP, COOPERATIVE, LANE_VECTORS, ROWS }: Constants,
): Dispatch {
  if (LANE_VECTORS) return foldWorkgroups(Math.ceil(rows / Number(ROWS)));
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

/** These, and a row as long as a vocabulary. */
export const longRowShapes: readonly RowParams[] = [...rowShapes, { rows: 1, width: 8196 }];
