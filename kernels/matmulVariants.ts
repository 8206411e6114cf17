/**
 * How matrix products are computed, as rows of data. Three methods: tiles in workgroup memory for GPUs
 * (shaders/matmul_tile.wgsl); matrix units, for half products on GPUs that have them (shaders/matmul_matrix.wgsl); and
 * for adapters on the CPU tiles in the registers of one subgroup, without barriers (shaders/matmul_subgroup.wgsl).
 */
import { readsLanes } from './lanes.ts';
import { rowVariants } from './matmulRow.ts';
import { isPacked, type PackedType, packedConstants } from './packed.ts';
import { type AdapterProfile, type Constants, elementBytes, type Variant } from './spec.ts';
import type { FloatStorage } from './storage.ts';

export type MatmulLayout = 'nn' | 'nt' | 'tn';

/** What a kernel multiplies. */
export interface MatmulForm {
  readonly layout: MatmulLayout;
  /** C has a bias for each column; `splits` must be 1. */
  readonly bias?: boolean;
  /** How the operands are stored; default: f32. A packed B is one matrix in nn or nt, and A is then in f32. */
  readonly a?: FloatStorage;
  readonly b?: FloatStorage | PackedType;
}

export type MatmulParams = { m: number; n: number; k: number; batch: number; splits: number };

/** What the operands are rounded to before they are multiplied. */
export function operandOf({ a, b }: MatmulForm): FloatStorage {
  return a === 'f16' || b === 'f16' ? 'f16' : 'f32';
}

/** The part of C that a workgroup computes. */
interface Tile {
  readonly rows: number;
  readonly columns: number;
}

/** A tile in the registers of a subgroup: four columns a lane. */
interface SubgroupTile {
  readonly lanes: number;
  readonly rows: number;
  /** Depths a step. */
  readonly depth: 2 | 4;
  /** Whether lines of storage are read as vectors. */
  readonly vector: boolean;
}

/** A tile whose operands pass through workgroup memory. */
interface WorkgroupTile extends Tile {
  readonly depth: number;
  /** Rows of C, and vec4s of each row, that an invocation sums. */
  readonly rowsEach: number;
  readonly vectorsEach: number;
}

/** A tile that matrix units compute, each of them a product of m × k by k × n elements for a subgroup. */
interface MatrixTile extends Tile {
  readonly unit: { readonly m: number; readonly n: number; readonly k: number };
  readonly lanes: number;
  readonly depth: number;
  /** Units that a subgroup sums, down and across. Invocations copy equal numbers of quads. */
  readonly unitsDown: number;
  readonly unitsAcross: number;
  /** Whether it is the default where it can run and there are enough tiles; others are for tuning. */
  readonly preferred: boolean;
}

/** In order of preference. SwiftShader, with four lanes, is half as fast again with two depths as with four. */
const subgroupTiles: readonly SubgroupTile[] = [
  { lanes: 8, rows: 32, depth: 4, vector: true },
  { lanes: 8, rows: 16, depth: 4, vector: true },
  { lanes: 8, rows: 16, depth: 2, vector: true },
  { lanes: 8, rows: 16, depth: 2, vector: false },
  { lanes: 4, rows: 16, depth: 2, vector: true },
  { lanes: 4, rows: 16, depth: 2, vector: false },
];

/** Elements of each binding that a lane reads or writes at once: the depths of a step, or four columns. */
function subgroupVectors({ layout, b = 'f32' }: MatmulForm, depth: 2 | 4): Readonly<Record<string, 2 | 4>> {
  if (isPacked(b)) return { a: depth, c: 4 };
  return layout === 'tn' ? { b: 4, c: 4 } : { a: depth, b: layout === 'nt' ? depth : 4, c: 4 };
}

/** Fewer tiles of 32 rows than this leave processors idle at the end. */
const enoughTallTiles = 16;

/**
 * Whether tiles of 32 rows are the faster ones: they take about five sixths of the time a row, but more of their rows
 * may be empty.
 */
function prefersTallTiles(params: MatmulParams, columns: number): boolean {
  const padded = (rows: number) => Math.ceil(params.m / rows) * rows;
  return tilesOf(params, { rows: 32, columns }) >= enoughTallTiles && 5 * padded(32) <= 6 * padded(16);
}

const large: WorkgroupTile = { rows: 128, columns: 128, depth: 16, rowsEach: 8, vectorsEach: 2 };
const medium: WorkgroupTile = { rows: 64, columns: 64, depth: 16, rowsEach: 4, vectorsEach: 1 };
const small: WorkgroupTile = { rows: 16, columns: 64, depth: 32, rowsEach: 4, vectorsEach: 1 };
/** For tuning alone: the best compromise in a published sweep over GPUs of four makers (llama.cpp's WebGPU backend). */
const compact: WorkgroupTile = { rows: 32, columns: 32, depth: 8, rowsEach: 4, vectorsEach: 1 };

const unit8 = { m: 8, n: 8, k: 8 };
const unit16 = { m: 16, n: 16, k: 16 };

/**
 * In order of preference: those of NVIDIA and AMD, Intel, Apple, and of drivers on the CPU. The first, eight subgroups
 * with 4 × 2 units each, is that sweep's best compromise; the second is what ONNX Runtime takes on NVIDIA.
 */
const matrixTiles: readonly MatrixTile[] = [
  { unit: unit16, lanes: 32, rows: 128, columns: 128, depth: 32, unitsDown: 4, unitsAcross: 2, preferred: true },
  { unit: unit16, lanes: 32, rows: 64, columns: 64, depth: 32, unitsDown: 2, unitsAcross: 2, preferred: true },
  { unit: unit16, lanes: 32, rows: 128, columns: 64, depth: 32, unitsDown: 4, unitsAcross: 2, preferred: false },
  { unit: unit16, lanes: 32, rows: 32, columns: 64, depth: 32, unitsDown: 1, unitsAcross: 2, preferred: false },
  {
    unit: { m: 8, n: 16, k: 16 },
    lanes: 16,
    rows: 64,
    columns: 64,
    depth: 32,
    unitsDown: 4,
    unitsAcross: 2,
    preferred: false,
  },
  { unit: unit8, lanes: 32, rows: 64, columns: 64, depth: 32, unitsDown: 4, unitsAcross: 2, preferred: false },
  { unit: unit8, lanes: 8, rows: 32, columns: 32, depth: 16, unitsDown: 2, unitsAcross: 2, preferred: false },
];

/** Fewer tiles than this leave a GPU's processors idle. */
const enoughTiles = 128;

/** Tiles that cover every C of a product. */
export function tilesOf({ m, n, batch, splits }: MatmulParams, { rows, columns }: Tile): number {
  return Math.ceil(m / rows) * Math.ceil(n / columns) * batch * splits;
}

/** The largest tile of which there are enough. */
function preferredTile(params: MatmulParams): WorkgroupTile {
  return [large, medium].find((tile) => tilesOf(params, tile) >= enoughTiles) ?? small;
}

/** All variants of a form, in order of preference. */
export function matmulVariants(form: MatmulForm): Variant<MatmulParams>[] {
  const hasPacked = isPacked(form.b ?? 'f32');
  // Lines of a packed matrix are whole quads: k in nt. They are widened in quads, too.
  const tiles = subgroupTiles.filter(
    ({ depth, vector }) => !hasPacked || (form.layout === 'nt' ? vector && depth === 4 : true),
  );
  return [
    ...rowVariants(form, (tile) => constantsOf(form, tile, true), operandOf(form)),
    ...tiles.map((tile) => subgroupVariant(form, tile)),
    ...(operandOf(form) === 'f16' ? matrixTiles.map((tile) => matrixVariant(form, tile)) : []),
    ...[large, medium, small, ...(hasPacked ? [] : [compact])].map((tile) => workgroupVariant(form, tile, true)),
    ...(hasPacked && form.layout === 'nt' ? [] : [workgroupVariant(form, medium, false)]),
  ];
}

function subgroupVariant(form: MatmulForm, { lanes, rows, depth, vector }: SubgroupTile): Variant<MatmulParams> {
  const columns = 4 * lanes;
  return {
    label: `subgroup.${operandOf(form)}.${rows}x${columns}x${depth}${vector ? '.vector' : ''}`,
    constants: {
      ...constantsOf(form, { rows, columns }, vector),
      SUBGROUP: true,
      ...readsLanes(lanes),
      GROUPS: rows / lanes,
      DEPTH: depth,
    },
    vector: vector ? subgroupVectors(form, depth) : {},
    subgroupSize: lanes,
    requires: (_, { n, k }) => !vector || (n % 4 === 0 && k % depth === 0),
    prefer: ({ kind }, params) => kind === 'cpu' && (rows === 16 || prefersTallTiles(params, columns)),
  };
}

function workgroupVariant(form: MatmulForm, tile: WorkgroupTile, vector: boolean): Variant<MatmulParams> {
  const { layout } = form;
  const { rows, columns, depth, rowsEach, vectorsEach } = tile;
  const invocations = (rows / rowsEach) * (columns / (4 * vectorsEach));
  return {
    label: `tile.${operandOf(form)}.${rows}x${columns}x${depth}${vector ? '.vector' : ''}`,
    constants: {
      ...constantsOf(form, tile, vector),
      TILE: true,
      WORKGROUP_MEMORY: true,
      VECTOR_C: vector && layout !== 'nt',
      TILE_K: depth,
      ROWS: rowsEach,
      VECTORS: vectorsEach,
    },
    vector: vector
      ? { a: 4, ...(isPacked(form.b ?? 'f32') ? {} : { b: 4 }), ...(layout === 'nt' ? {} : { c: 4 }) }
      : {},
    requires: ({ maxInvocations, maxWorkgroupBytes }, params) =>
      invocations <= maxInvocations &&
      workgroupBytes(form, tile) <= maxWorkgroupBytes &&
      (!vector || hasQuads(layout, params)),
    // The last one, which reads scalars, is for all shapes that the others cannot take.
    prefer: ({ kind }, params) => kind === 'gpu' && (!vector || preferredTile(params) === tile),
  };
}

function matrixVariant(form: MatmulForm, tile: MatrixTile): Variant<MatmulParams> {
  const { unit, lanes, rows, columns, depth, unitsDown, unitsAcross, preferred } = tile;
  const subgroups = (rows * columns) / (unitsDown * unit.m * unitsAcross * unit.n);
  return {
    label: `matrix.f16.${rows}x${columns}x${depth}.${unit.m}x${unit.n}x${unit.k}x${lanes}`,
    constants: {
      ...constantsOf(form, tile, true),
      MATRIX: true,
      WORKGROUP_MEMORY: true,
      TILE_K: depth,
      LANES: lanes,
      UNIT_M: unit.m,
      UNIT_N: unit.n,
      UNIT_K: unit.k,
      UNITS_M: unitsDown,
      UNITS_N: unitsAcross,
      LEFT_COPIES: (rows * depth) / (4 * subgroups * lanes),
      RIGHT_COPIES: (columns * depth) / (4 * subgroups * lanes),
    },
    vector: { a: 4, b: 4 },
    enables: ['chromium_experimental_subgroup_matrix'],
    subgroupSize: lanes,
    requires: (adapter, params) =>
      hasUnit(adapter, tile) &&
      // WebGPU asks for whole subgroups of the largest size.
      (subgroups * lanes) % adapter.subgroupMaxSize === 0 &&
      subgroups * lanes <= adapter.maxInvocations &&
      matrixBytes(form, tile, subgroups) <= adapter.maxWorkgroupBytes &&
      hasQuads(form.layout, params) &&
      // It also refuses a binding that could not hold one result of a unit.
      params.batch * params.splits * params.m * params.n >= unit.m * unit.n,
    prefer: ({ kind }, params) => kind === 'gpu' && preferred && tilesOf(params, tile) >= enoughTiles,
  };
}

/** Whether an adapter multiplies matrices of that size in f16, with sums in float32. */
function hasUnit({ features, subgroupMatrixConfigs }: AdapterProfile, { unit }: MatrixTile): boolean {
  const { m, n, k } = unit;
  return (
    features.has('chromium-experimental-subgroup-matrix') &&
    subgroupMatrixConfigs.some(
      ({ componentType, resultComponentType, M, N, K }) =>
        componentType === 'f16' && resultComponentType === 'f32' && M === m && N === n && K === k,
    )
  );
}

/**
 * Workgroup memory of a matrix tile: eight spare elements in each line, and a unit's result for each subgroup (as in
 * shaders/matmul_matrix.wgsl).
 */
function matrixBytes({ layout }: MatmulForm, { unit, rows, columns, depth }: MatrixTile, subgroups: number): number {
  const lines = (count: number, length: number) => count * (length + 8);
  const left = layout === 'tn' ? lines(depth, rows) : lines(rows, depth);
  const right = layout === 'nt' ? lines(columns, depth) : lines(depth, columns);
  return elementBytes.f16 * (left + right) + elementBytes.f32 * subgroups * unit.m * unit.n;
}

export function constantsOf(form: MatmulForm, { rows, columns }: Tile, vector: boolean): Constants {
  const { layout, bias = false, a = 'f32', b = 'f32' } = form;
  const operand = operandOf(form);
  return {
    // A variant sets those of its method.
    ...{ ROW: false, SUBGROUP: false, TILE: false, MATRIX: false, WORKGROUP_MEMORY: false, PACKED_COLUMNS: false },
    FUSED: false,
    TRANSPOSE_A: layout === 'tn',
    TRANSPOSE_B: layout === 'nt',
    BIAS: bias,
    VECTOR: vector,
    A: a,
    ...(isPacked(b) ? { B: 'f32', PACKED_ARRAY: 'b', ...packedConstants(b) } : { B: b, PACKED: false }),
    OPERAND: operand,
    HALF: operand === 'f16',
    ROUND_A: a !== operand,
    ROUND_B: !isPacked(b) && b !== operand,
    TILE_M: rows,
    TILE_N: columns,
  };
}

/** Whether the lines of A and B in storage are whole quads. */
function hasQuads(layout: MatmulLayout, { m, n, k }: MatmulParams): boolean {
  return (layout === 'tn' ? m : k) % 4 === 0 && (layout === 'nt' ? k : n) % 4 === 0;
}

/** Workgroup memory of a tile: a spare quad in each line that runs along k (as in shaders/matmul_tile.wgsl). */
function workgroupBytes(form: MatmulForm, { rows, columns, depth }: WorkgroupTile): number {
  const along = (extent: number) => extent * (depth + 4);
  const across = (extent: number) => extent * depth;
  const left = form.layout === 'tn' ? across(rows) : along(rows);
  const right = form.layout === 'nt' ? along(columns) : across(columns);
  return elementBytes[operandOf(form)] * (left + right);
}
