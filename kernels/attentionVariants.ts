/**
 * The variants that the attention kernels share, for every head dimension: it is a constant of the shader, so that a
 * head's vectors stay in registers.
 */
import { readsLanes } from './lanes.ts';
import type { Constants, Variant } from './spec.ts';

/** Widest head that the kernels take; the head dimension is a multiple of 4. */
export const maxHeadDim = 256;

/**
 * Up to this head dimension loops over a head's vectors are unrolled on software adapters. Beyond it their compilers
 * take seconds to minutes.
 */
export const widestUnrolled = 32;

/** Rows of a block of the workgroup variant: units of queries, or keys. */
export const tileBlock = 32;

/**
 * Subgroups of 4 and 8 lanes for adapters on the CPU, where the adapter has just that size, and tiles in workgroup
 * memory for all others.
 * @param vector bindings that are read as vectors
 * @param constants what the kernel's shader needs besides
 */
export function attentionVariants<P extends { readonly headDim: number }>(
  vector: Readonly<Record<string, 2 | 4>>,
  constants: Constants = {},
): Variant<P>[] {
  return [...[4, 8].map((lanes) => subgroupVariant<P>(lanes, vector)), tileVariant<P>(vector)].flatMap((variant) =>
    forEachHeadDim({ ...variant, constants: { ...constants, ...variant.constants } }),
  );
}

/** Blocks of rows (or units) that a dispatch needs. */
export function blockCount(rows: number, { BLOCK_ROWS }: Constants): number {
  return Math.ceil(rows / Number(BLOCK_ROWS));
}

/** A variant for every head dimension. */
export function forEachHeadDim<P extends { readonly headDim: number }>(variant: Variant<P>): Variant<P>[] {
  return Array.from({ length: maxHeadDim / 4 }, (_, index) => {
    const vectors = index + 1;
    const unrolled = 4 * vectors <= widestUnrolled;
    return {
      ...variant,
      label: `${variant.label}.d${4 * vectors}`,
      constants: {
        ...variant.constants,
        HEAD_VECS: vectors,
        VECTORS: unrolled ? vectors : '(params.headDim / 4u)',
        CHUNK: chunkOf(vectors),
        CHUNKS: vectors / chunkOf(vectors),
      },
      requires: (adapter, params) => params.headDim === 4 * vectors && (variant.requires?.(adapter, params) ?? true),
    };
  });
}

/** Vectors of a head that the tile variants hold at a time: the most up to 8 that divide all. */
function chunkOf(vectors: number): number {
  let chunk = Math.min(8, vectors);
  while (vectors % chunk !== 0) chunk--;
  return chunk;
}

function subgroupVariant<P extends { readonly headDim: number }>(
  lanes: number,
  vector: Readonly<Record<string, 2 | 4>>,
): Variant<P> {
  return {
    label: `subgroup${lanes}.f32`,
    constants: { SUBGROUP: true, ...readsLanes(lanes), BROADCASTS: lanes / 4, FOUR: 4, BLOCK_ROWS: 4 * lanes },
    vector,
    subgroupSize: lanes,
    prefer: ({ kind }) => kind === 'cpu',
  };
}

function tileVariant<P extends { readonly headDim: number }>(vector: Readonly<Record<string, 2 | 4>>): Variant<P> {
  return { label: `tile${tileBlock}.f32`, constants: { SUBGROUP: false, FOUR: 4, BLOCK_ROWS: tileBlock }, vector };
}
