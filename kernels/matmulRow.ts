/**
 * Variants of A · Bᵀ for few rows of A, as a step of decoding has them (shaders/matmul_row.wgsl, and
 * shaders/matmul_row_packed.wgsl for a packed B on adapters on the CPU). Such a product takes as long as B takes to
 * read: so every element of B is read once for all rows of a tile, and no rows are computed that are not there. On
 * adapters on the CPU a read costs the same wherever it lies and whatever its size, so it is as large as it can be:
 * vectors, and halves as words.
 *
 * On adapters on the CPU a row's bits are those that it has among many rows, by default variants. On GPUs the depths of
 * a sum are shared out among lanes, and a row's last bits differ from those that it has among more than `mostRows`.
 */
import { readsLanes } from './lanes.ts';
import type { MatmulForm, MatmulParams } from './matmulVariants.ts';
import { isPacked, type PackedType } from './packed.ts';
import type { Constants, Variant } from './spec.ts';

/** Products of more rows than this are computed by tiles. */
const mostRows = 8;

/** A tile of a subgroup whose lanes own columns, for adapters on the CPU. */
interface ColumnTile {
  readonly lanes: number;
  readonly rows: number;
  /** Columns of a lane. */
  readonly columns: number;
  /** The same where B is packed, and what is handed on costs more beside reading it; default: `columns`. */
  readonly packedColumns?: number;
  /** Quads a step; rows · step is at most `lanes`. */
  readonly step: number;
}

/** A tile of a workgroup whose lanes share the depths out, for GPUs. */
interface DepthTile {
  readonly lanes: number;
  readonly rows: number;
  readonly columns: number;
  /** Whether the workgroup is one subgroup. */
  readonly subgroup: boolean;
}

/** In order of preference: the first that has no more rows than it needs. */
const columnTiles: readonly ColumnTile[] = [
  { lanes: 8, rows: 1, columns: 2, packedColumns: 4, step: 2 },
  { lanes: 8, rows: 4, columns: 2, step: 2 },
  { lanes: 8, rows: 8, columns: 2, step: 1 },
  { lanes: 4, rows: 1, columns: 4, step: 2 },
  { lanes: 4, rows: 4, columns: 4, step: 1 },
];

const depthTiles: readonly DepthTile[] = [
  ...[32, 16, 8, 4].flatMap((lanes) => depthTilesOf(lanes, true)),
  ...depthTilesOf(64, false),
];

function depthTilesOf(lanes: number, subgroup: boolean): DepthTile[] {
  const tiles = [
    { rows: 1, columns: 4 },
    { rows: 1, columns: 1 },
    { rows: 4, columns: 2 },
  ];
  return tiles.map((tile) => ({ ...tile, lanes, subgroup }));
}

/** Fewer workgroups than this leave a GPU's processors idle. */
const enoughWorkgroups = 512;

/**
 * The variants of a form, in order of preference; none for layouts other than nt.
 * @param constants of the form, for a tile of some rows and columns
 * @param operand what it multiplies, for labels
 */
export function rowVariants(
  { layout, a = 'f32', b = 'f32' }: MatmulForm,
  constants: (tile: { readonly rows: number; readonly columns: number }) => Constants,
  operand: string,
): Variant<MatmulParams>[] {
  if (layout !== 'nt') return [];
  const packed = isPacked(b) ? b : null;
  const columnVariant = (tile: ColumnTile): Variant<MatmulParams> => {
    const { lanes, rows, step } = tile;
    const columns = packed ? (tile.packedColumns ?? tile.columns) : tile.columns;
    const { constants: reading, ...reads } = packed ? packedReads(packed, lanes) : floatReads({ a, b }, step);
    return {
      label: `row.columns.${operand}.${rows}x${columns * lanes}${packed ? '' : `x${step}`}`,
      constants: {
        ...constants({ rows, columns: columns * lanes }),
        ...{ ROW: true, DEPTHS: false, COLUMNS: columns, STEP: step },
        ...readsLanes(lanes),
        // A single row is handed on faster by broadcast: by nothing to a fifth, depending on the driver.
        ...(rows === 1 ? { FROM_LANE: 'subgroupBroadcast' } : {}),
        ...reading,
      },
      ...reads,
      subgroupSize: lanes,
      requires: (_, { m, k }) => m <= mostRows && k % (4 * step) === 0,
      prefer: ({ kind }, { m }) => kind === 'cpu' && (m === 1 ? rows === 1 : rows > 1 && (m <= rows || rows === lanes)),
    };
  };
  const depthVariant = ({ lanes, rows, columns, subgroup }: DepthTile): Variant<MatmulParams> => ({
    label: `row.${subgroup ? 'subgroup' : 'workgroup'}${lanes}.${operand}.${rows}x${columns}`,
    constants: {
      ...constants({ rows, columns }),
      ...{ ROW: true, DEPTHS: true, LANES: lanes, SUBGROUP_SUM: subgroup, WORDS: false, WORDS_A: false },
    },
    vector: packed ? { a: 4 } : { a: 4, b: 4 },
    ...(subgroup ? { subgroupSize: lanes } : {}),
    requires: (_, { m, k }) => m <= mostRows && k % 4 === 0,
    prefer: ({ kind }, { m, n }) =>
      kind === 'gpu' && (m === 1 ? rows === 1 && (columns === 1 || n >= columns * enoughWorkgroups) : rows > 1),
  });
  return [...columnTiles.map(columnVariant), ...depthTiles.map(depthVariant)];
}

/** How a variant reads its operands. */
type Reads = Pick<Variant, 'constants' | 'vector' | 'words'>;

/** In vectors of four words, or of two where groups of six begin anywhere. */
function packedReads(b: PackedType, lanes: number): Reads {
  return {
    constants: {
      PACKED_COLUMNS: true,
      HALVES: 2,
      QUADS: 4,
      GROUPS_OF_QUAD: b === 'q4_1' ? 4 : 8,
      FOUR_LANES: lanes === 4,
    },
    vector: { a: 4, b: b === 'q6_k' ? 2 : 4 },
  };
}

/** Quads of float32 and, of f16, as many words as a vector has: a word takes as long to read as half of one. */
function floatReads({ a, b }: Required<Pick<MatmulForm, 'a' | 'b'>>, step: number): Reads {
  const [isHalfA, isHalfB] = [a === 'f16', b === 'f16'];
  const quadsOfRead = isHalfB && step % 2 === 0 ? 2 : 1;
  return {
    constants: { WORDS: isHalfB, WORDS_A: isHalfA, QUADS_OF_READ: quadsOfRead, READS: step / quadsOfRead },
    vector: { a: isHalfA ? 2 : 4, b: isHalfB && quadsOfRead === 1 ? 2 : 4 },
    words: [...(isHalfA ? ['a'] : []), ...(isHalfB ? ['b'] : [])],
  };
}

/**
 * Shapes to test that these variants can take: single rows and several, fewer columns than a tile has and more, depths
 * for all of them and for some.
 */
export const rowShapes: readonly MatmulParams[] = [
  { m: 1, n: 37, k: 72, batch: 1, splits: 1 },
  { m: 3, n: 70, k: 44, batch: 2, splits: 1 },
  { m: 8, n: 33, k: 136, batch: 1, splits: 1 },
];
