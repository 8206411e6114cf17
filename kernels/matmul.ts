/**
 * Matrix products C = op(A) · op(B) in the three layouts that a linear layer and its gradients need:
 * `nn` A[m, k] · B[k, n], `nt` A[m, k] · B[n, k]ᵀ, `tn` A[k, m]ᵀ · B[k, n]; each for a batch of matrices.
 *
 * `splits` cuts k into that many parts whose products are written apart, C[batch, splits, m, n], for products with a long k and few outputs; `columnSum`
 * adds them up.
 *
 * A and C are float32. B may be a weight that is stored in f16: it is read in half the bytes and widened, so that all arithmetic and the sums are float32.
 *
 * Two methods: tiles in workgroup memory for GPUs (shaders/matmul_tile.wgsl), and for adapters on the CPU tiles in the registers of one subgroup, without
 * barriers (shaders/matmul_subgroup.wgsl).
 */
import shader from '../shaders/matmul.wgsl';
import { type Constants, defineKernel, elementBytes, foldWorkgroups, type KernelCase, type KernelSpec, type Variant } from './spec.ts';

export type MatmulLayout = 'nn' | 'nt' | 'tn';

/** What a kernel multiplies. */
interface Form {
  readonly layout: MatmulLayout;
  /** C has a bias for each column; `splits` must be 1. */
  readonly bias?: boolean;
  /** How B is stored; default: f32. */
  readonly b?: 'f32' | 'f16';
}

export type MatmulParams = { m: number; n: number; k: number; batch: number; splits: number };

/** Depths of a split are a multiple of this (as in shaders/matmul.wgsl). */
const splitGrain = 16;

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
function subgroupVectors(layout: MatmulLayout, depth: 2 | 4): Readonly<Record<string, 2 | 4>> {
  return layout === 'tn' ? { b: 4, c: 4 } : { a: depth, b: layout === 'nt' ? depth : 4, c: 4 };
}

/** Fewer tiles of 32 rows than this leave processors idle at the end. */
const enoughTallTiles = 16;

/** Whether tiles of 32 rows are the faster ones: they take about five sixths of the time a row, but more of their rows may be empty. */
function prefersTallTiles(params: MatmulParams, columns: number): boolean {
  const padded = (rows: number) => Math.ceil(params.m / rows) * rows;
  return tilesOf(params, { rows: 32, columns }) >= enoughTallTiles && 5 * padded(32) <= 6 * padded(16);
}

const large: WorkgroupTile = { rows: 128, columns: 128, depth: 16, rowsEach: 8, vectorsEach: 2 };
const medium: WorkgroupTile = { rows: 64, columns: 64, depth: 16, rowsEach: 4, vectorsEach: 1 };
const small: WorkgroupTile = { rows: 16, columns: 64, depth: 32, rowsEach: 4, vectorsEach: 1 };

/** Fewer tiles than this leave a GPU's processors idle. */
const enoughTiles = 128;

function tilesOf({ m, n, batch, splits }: MatmulParams, { rows, columns }: Tile): number {
  return Math.ceil(m / rows) * Math.ceil(n / columns) * batch * splits;
}

/** The largest tile of which there are enough. */
function preferredTile(params: MatmulParams): WorkgroupTile {
  return [large, medium].find((tile) => tilesOf(params, tile) >= enoughTiles) ?? small;
}

function matmulKernel(form: Form): KernelSpec<MatmulParams> {
  const { layout, bias = false, b = 'f32' } = form;
  const read = { dtype: 'f32', access: 'read' } as const;
  return defineKernel<MatmulParams>({
    name: `matmul.${layout}${bias ? '.bias' : ''}${b === 'f16' ? '.f16' : ''}`,
    shader,
    bindings: { a: read, b: { dtype: b, access: 'read' }, ...(bias ? { bias: read } : {}), c: { dtype: 'f32', access: 'write' } },
    params: { m: 'u32', n: 'u32', k: 'u32', batch: 'u32', splits: 'u32' },
    variants: [
      ...subgroupTiles.map((tile) => subgroupVariant(form, tile)),
      ...[large, medium, small].map((tile) => workgroupVariant(form, tile, true)),
      workgroupVariant(form, medium, false),
    ],
    sizes: ({ m, n, k, batch, splits }) => ({
      a: batch * m * k,
      b: batch * k * n,
      ...(bias ? { bias: n } : {}),
      c: batch * splits * m * n,
    }),
    dispatch: (params, { TILE_M, TILE_N }) => foldWorkgroups(tilesOf(params, { rows: Number(TILE_M), columns: Number(TILE_N) })),
    cost: ({ m, n, k, batch, splits }) => ({
      flops: 2 * batch * m * n * k,
      bytes: batch * (4 * m * k + elementBytes[b] * k * n + 4 * splits * m * n),
    }),
    reference: (inputs, params) => ({ c: multiply(layout, inputs, params) }),
    cases,
    benchCases: layout === 'tn' ? gradientBenchCases : benchCases,
    // Sums of up to 200 products of standard normal numbers, each rounded: about √k · 1e-7 at a time, in any order.
    tolerance: { absolute: 1e-4, relative: 1e-5 },
  });
}

function subgroupVariant(form: Form, { lanes, rows, depth, vector }: SubgroupTile): Variant<MatmulParams> {
  const columns = 4 * lanes;
  return {
    label: `subgroup.${form.b ?? 'f32'}.${rows}x${columns}x${depth}${vector ? '.vector' : ''}`,
    constants: {
      ...constantsOf(form, { rows, columns }, vector),
      SUBGROUP: true,
      LANES: lanes,
      GROUPS: rows / lanes,
      DEPTH: depth,
    },
    vector: vector ? subgroupVectors(form.layout, depth) : {},
    enables: ['subgroups'],
    requires: ({ features, subgroupMinSize, subgroupMaxSize }, { n, k }) =>
      features.has('subgroups') && subgroupMinSize === lanes && subgroupMaxSize === lanes && (!vector || (n % 4 === 0 && k % depth === 0)),
    prefer: ({ kind }, params) => kind === 'cpu' && (rows === 16 || prefersTallTiles(params, columns)),
  };
}

function workgroupVariant(form: Form, tile: WorkgroupTile, vector: boolean): Variant<MatmulParams> {
  const { layout } = form;
  const { rows, columns, depth, rowsEach, vectorsEach } = tile;
  const invocations = (rows / rowsEach) * (columns / (4 * vectorsEach));
  return {
    label: `tile.${form.b ?? 'f32'}.${rows}x${columns}x${depth}${vector ? '.vector' : ''}`,
    constants: {
      ...constantsOf(form, tile, vector),
      SUBGROUP: false,
      VECTOR_C: vector && layout !== 'nt',
      TILE_K: depth,
      ROWS: rowsEach,
      VECTORS: vectorsEach,
    },
    vector: vector ? { a: 4, b: 4, ...(layout === 'nt' ? {} : { c: 4 }) } : {},
    requires: ({ maxInvocations, maxWorkgroupBytes }, params) =>
      invocations <= maxInvocations && workgroupBytes(form, tile) <= maxWorkgroupBytes && (!vector || hasQuads(layout, params)),
    // The last one, which reads scalars, is for all shapes that the others cannot take.
    prefer: ({ kind }, params) => kind === 'gpu' && (!vector || preferredTile(params) === tile),
  };
}

function constantsOf({ layout, bias = false, b = 'f32' }: Form, { rows, columns }: Tile, vector: boolean): Constants {
  return { TRANSPOSE_A: layout === 'tn', TRANSPOSE_B: layout === 'nt', BIAS: bias, VECTOR: vector, B: b, TILE_M: rows, TILE_N: columns };
}

/** Whether the lines of A and B in storage are whole quads. */
function hasQuads(layout: MatmulLayout, { m, n, k }: MatmulParams): boolean {
  return (layout === 'tn' ? m : k) % 4 === 0 && (layout === 'nt' ? k : n) % 4 === 0;
}

/** Workgroup memory of a tile: a spare quad in each line that runs along k (as in shaders/matmul_tile.wgsl). */
function workgroupBytes({ layout, b = 'f32' }: Form, { rows, columns, depth }: WorkgroupTile): number {
  const along = (extent: number) => extent * (depth + 4);
  const across = (extent: number) => extent * depth;
  const left = layout === 'tn' ? across(rows) : along(rows);
  const right = layout === 'nt' ? along(columns) : across(columns);
  return 4 * left + elementBytes[b] * right;
}

/** The products in float64. */
function multiply(
  layout: MatmulLayout,
  { a, b, bias }: Readonly<Record<string, Float64Array>>,
  { m, n, k, batch, splits }: MatmulParams,
): Float64Array {
  const c = new Float64Array(batch * splits * m * n);
  const depth = Math.ceil(k / splits / splitGrain) * splitGrain;
  for (let output = 0; output < batch * splits; output++) {
    const matrix = Math.floor(output / splits);
    const start = (output % splits) * depth;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = bias?.[column] ?? 0;
        for (let i = start; i < Math.min(k, start + depth); i++) {
          const left = layout === 'tn' ? i * m + row : row * k + i;
          const right = layout === 'nt' ? column * k + i : i * n + column;
          sum += a![matrix * m * k + left]! * b![matrix * k * n + right]!;
        }
        c[(output * m + row) * n + column] = sum;
      }
    }
  }
  return c;
}

function shape(m: number, n: number, k: number, batch = 1, splits = 1): KernelCase<MatmulParams> {
  return { params: { m, n, k, batch, splits } };
}

const cases = [
  shape(1, 1, 1),
  shape(0, 4, 8),
  { ...shape(4, 8, 0), note: 'nothing to sum' },
  shape(5, 7, 3),
  shape(33, 20, 66),
  shape(64, 64, 64),
  shape(129, 132, 20),
  { ...shape(40, 72, 36, 3), note: 'a batch' },
  { ...shape(16, 24, 200, 1, 4), note: 'splits' },
  { ...shape(7, 5, 103, 2, 9), note: 'more splits than there are depths for' },
];

/** A square product, one of a decoding step, and those of small transformers' layers. */
const benchCases = [
  shape(512, 512, 512),
  shape(64, 256, 64),
  shape(2048, 64, 64),
  shape(2048, 128, 64),
  shape(2048, 256, 64),
  shape(4096, 128, 128),
  shape(2048, 512, 128),
];

/** The same layers' weight gradients. */
const gradientBenchCases = [
  shape(512, 512, 512),
  shape(64, 64, 2048, 1, 8),
  shape(128, 64, 2048, 1, 8),
  shape(256, 64, 2048, 1, 8),
  shape(128, 128, 4096, 1, 16),
  shape(512, 128, 2048, 1, 8),
];

export const matmulNn = matmulKernel({ layout: 'nn' });
export const matmulNt = matmulKernel({ layout: 'nt' });
export const matmulTn = matmulKernel({ layout: 'tn' });
export const matmulNtBias = matmulKernel({ layout: 'nt', bias: true });
/** For weights in f16: a linear layer, and the gradient of its input. */
export const matmulNnHalf = matmulKernel({ layout: 'nn', b: 'f16' });
export const matmulNtHalf = matmulKernel({ layout: 'nt', b: 'f16' });
export const matmulNtBiasHalf = matmulKernel({ layout: 'nt', bias: true, b: 'f16' });

export const matmulKernels = [matmulNn, matmulNt, matmulTn, matmulNtBias, matmulNnHalf, matmulNtHalf, matmulNtBiasHalf] as const;
