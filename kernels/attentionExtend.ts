/** Attention of many new tokens per sequence behind a KV cache: shaders/attention_extend.wgsl. */
import shader from '../shaders/attention_extend.wgsl';
import { attentionDecode, cachedFields, type DecodeParams } from './attentionDecode.ts';
import { noWindow } from './attentionReference.ts';
import { attentionVariants, blockCount, forEachHeadDim, tileBlock } from './attentionVariants.ts';
import { noSlot } from './kvAppend.ts';
import { defineKernel, foldWorkgroups, type KernelCase, type Variant } from './spec.ts';
import { withStorage } from './storage.ts';

/** New tokens of a sequence: `rows` of them, behind `past` positions of a slot. */
interface Turn {
  readonly slot: number;
  readonly past: number;
  readonly rows: number;
}

const counting = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The row tables of turns that lie one after another, and of padding rows after them. */
function rowTables(turns: readonly Turn[], padding = 0): { slots: number[]; positions: number[] } {
  const behind = new Array<number>(padding);
  return {
    slots: [...turns.flatMap(({ slot, rows }) => counting(rows).map(() => slot)), ...behind.fill(noSlot)],
    positions: [...turns.flatMap(({ past, rows }) => counting(rows).map((row) => past + row)), ...behind.fill(0)],
  };
}

function caseOf(
  shape: Omit<DecodeParams, 'rows' | 'window'>,
  turns: readonly Turn[],
  note?: string,
  padding = 0,
  window = noWindow,
): KernelCase<DecodeParams> {
  const tables = rowTables(turns, padding);
  return { params: { rows: tables.slots.length, ...shape, window }, inputs: () => tables, ...(note ? { note } : {}) };
}

/**
 * A case of any shape: turns of about 40 rows, as many as there are slots for, behind as much as leaves room for them,
 * up to half a cache.
 */
function tuningCase({ rows, window, ...shape }: DecodeParams): KernelCase<DecodeParams> {
  const { slotCount, capacity } = shape;
  const turnCount = Math.max(1, Math.min(slotCount, Math.ceil(rows / 40)));
  const most = Math.min(capacity, Math.ceil(rows / turnCount));
  const past = Math.min(capacity - most, capacity >> 1);
  const placed = Math.min(rows, turnCount * most);
  const turns = counting(turnCount).map((slot) => {
    const first = Math.min(placed, slot * most);
    return { slot, past, rows: Math.min(placed - first, most) };
  });
  return caseOf(shape, turns, undefined, rows - placed, window);
}

const vector = { q: 4, cacheK: 4, cacheV: 4, y: 4 } as const;

/** Up to this many tiles a GPU is faster with a workgroup a query, which shares the keys out. */
const fewTiles = 32;

const workgroupVariant: Variant<DecodeParams> = {
  label: 'workgroup64.f32',
  constants: { WORKGROUPS: true, SUBGROUP: false },
  vector,
  prefer: ({ kind }, { rows, heads }) => kind === 'gpu' && rows * heads <= fewTiles * tileBlock,
};

/**
 * Positions are data: this takes every sequence that has a slot to be half full.
 * @param stored bytes of an element of queries, cache and result
 */
function costOf(stored: number) {
  return ({ rows, heads, kvHeads, headDim, slotCount, capacity, window }: DecodeParams) => ({
    flops: 4 * rows * heads * headDim * Math.min(capacity / 2, window),
    bytes: stored * headDim * (2 * rows * heads + Math.min(rows, slotCount) * capacity * kvHeads) + 8 * rows,
  });
}

const kernel = defineKernel<DecodeParams>({
  name: 'attentionExtend',
  shader,
  bindings: {
    q: { dtype: 'f32', access: 'read' },
    cacheK: { dtype: 'f32', access: 'read' },
    cacheV: { dtype: 'f32', access: 'read' },
    slots: { dtype: 'u32', access: 'read' },
    positions: { dtype: 'u32', access: 'read' },
    y: { dtype: 'f32', access: 'write' },
  },
  params: cachedFields,
  variants: [...forEachHeadDim(workgroupVariant), ...attentionVariants<DecodeParams>(vector, { WORKGROUPS: false })],
  sizes: ({ rows, heads, kvHeads, headDim, slotCount, capacity }) => ({
    q: rows * heads * headDim,
    cacheK: slotCount * capacity * kvHeads * headDim,
    cacheV: slotCount * capacity * kvHeads * headDim,
    slots: rows,
    positions: rows,
    y: rows * heads * headDim,
  }),
  dispatch: ({ rows, heads, kvHeads }, constants) =>
    foldWorkgroups(constants.WORKGROUPS ? rows * heads : kvHeads * blockCount((rows * heads) / kvHeads, constants)),
  cost: costOf(4),
  // Row by row what a decoding step computes.
  reference: ({ q, cacheK, cacheV, slots, positions }, params) => {
    const lengths = positions!.map((position) => (position < params.capacity ? position + 1 : 0));
    return attentionDecode.f32.reference({ q: q!, cacheK: cacheK!, cacheV: cacheV!, slots: slots!, lengths }, params);
  },
  cases: [
    caseOf(
      { heads: 1, kvHeads: 1, headDim: 16, slotCount: 1, capacity: 1 },
      [{ slot: 0, past: 0, rows: 1 }],
      'one row',
    ),
    caseOf({ heads: 4, kvHeads: 2, headDim: 16, slotCount: 2, capacity: 4 }, [], 'no rows'),
    caseOf(
      { heads: 4, kvHeads: 2, headDim: 16, slotCount: 2, capacity: 60 },
      [{ slot: 1, past: 23, rows: 37 }],
      'one sequence to the end of its slot',
    ),
    caseOf(
      { heads: 2, kvHeads: 2, headDim: 16, slotCount: 3, capacity: 9 },
      [
        { slot: noSlot, past: 0, rows: 2 },
        { slot: 2, past: 6, rows: 5 },
        { slot: 3, past: 1, rows: 2 },
        { slot: 0, past: 0, rows: 3 },
        { slot: 1, past: noSlot, rows: 1 },
      ],
      'rows without a place, and padding',
      3,
    ),
    caseOf(
      { heads: 4, kvHeads: 2, headDim: 16, slotCount: 7, capacity: 140 },
      [
        { slot: 6, past: 70, rows: 1 },
        { slot: 0, past: 0, rows: 70 },
        { slot: 5, past: 138, rows: 2 },
        { slot: 3, past: 31, rows: 33 },
        { slot: 1, past: 32, rows: 65 },
        { slot: 2, past: 0, rows: 1 },
      ],
      'turns that straddle tiles',
    ),
    caseOf(
      { heads: 2, kvHeads: 1, headDim: 16, slotCount: 20, capacity: 50 },
      counting(20).map((slot) => ({ slot: 19 - slot, past: 2 * slot, rows: 1 + (slot % 3) })),
      'many short turns',
    ),
    caseOf(
      { heads: 1, kvHeads: 1, headDim: 16, slotCount: 2, capacity: 1100 },
      [
        { slot: 1, past: 1000, rows: 3 },
        { slot: 0, past: 2, rows: 9 },
      ],
      'few rows behind a long past',
    ),
    caseOf(
      { heads: 6, kvHeads: 2, headDim: 40, slotCount: 2, capacity: 70 },
      [
        { slot: 1, past: 61, rows: 9 },
        { slot: 0, past: 40, rows: 14 },
      ],
      'group of three',
    ),
    caseOf(
      { heads: 8, kvHeads: 1, headDim: 16, slotCount: 2, capacity: 90 },
      [
        { slot: 0, past: 20, rows: 67 },
        { slot: 1, past: 33, rows: 6 },
      ],
      'group of eight',
    ),
    caseOf(
      { heads: 4, kvHeads: 2, headDim: 16, slotCount: 4, capacity: 200 },
      [
        { slot: 3, past: 150, rows: 45 },
        { slot: 0, past: 0, rows: 30 },
        { slot: 1, past: 77, rows: 3 },
      ],
      'a window',
      2,
      21,
    ),
    caseOf(
      { heads: 2, kvHeads: 1, headDim: 40, slotCount: 1, capacity: 70 },
      [{ slot: 0, past: 60, rows: 9 }],
      'a window of one',
      0,
      1,
    ),
  ],
  benchCases: [
    caseOf(
      { heads: 4, kvHeads: 2, headDim: 16, slotCount: 64, capacity: 512 },
      counting(64).map((slot) => ({ slot, past: 400, rows: 40 })),
      'a turn of 64 sequences',
    ),
  ],
  tuningCase,
  // As decoding.
  tolerance: attentionDecode.f32.tolerance,
});

/** In float32, and with queries, cache and result in f16. */
export const attentionExtend = {
  f32: withStorage(kernel),
  f16: { ...withStorage(kernel, ['q', 'cacheK', 'cacheV', 'y']), cost: costOf(2) },
} as const;
