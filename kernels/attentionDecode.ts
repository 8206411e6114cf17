/** Attention of one new token per sequence over a KV cache: shaders/attention_decode.wgsl. */
import shader from '../shaders/attention_decode.wgsl';
import { noWindow } from './attentionReference.ts';
import { forEachHeadDim } from './attentionVariants.ts';
import { defineKernel, foldWorkgroups, type KernelCase, type Variant } from './spec.ts';
import { withStorage } from './storage.ts';

export type DecodeParams = {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  slotCount: number;
  capacity: number;
  /** Positions that a row attends at most: 1 or more. */
  window: number;
};

const caseOf = (
  shape: Omit<DecodeParams, 'window'>,
  slots: readonly number[],
  lengths: readonly number[],
  note?: string,
  window = noWindow,
): KernelCase<DecodeParams> => ({
  params: { ...shape, window },
  inputs: () => ({ slots, lengths }),
  ...(note ? { note } : {}),
});

const vector = { q: 4, cacheK: 4, cacheV: 4, y: 4 } as const;

/** For adapters on the CPU; `headsEach` queries of a group share what they read. */
function invocationVariants(headsEach: number): Variant<DecodeParams>[] {
  return forEachHeadDim({
    label: `heads${headsEach}.f32`,
    constants: { WORKGROUPS: false, WORKGROUP: 16, HEADS_EACH: headsEach },
    vector,
    requires: (_, { heads, kvHeads }) => (heads / kvHeads) % headsEach === 0,
    prefer: ({ kind }) => kind === 'cpu',
  });
}

const workgroupVariant: Variant<DecodeParams> = { label: 'workgroup64.f32', constants: { WORKGROUPS: true }, vector };

const counting = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * Lengths are data: this takes caches to be half full.
 * @param stored bytes of an element of queries, cache and result
 */
function costOf(stored: number) {
  return ({ rows, heads, kvHeads, headDim, capacity, window }: DecodeParams) => {
    const attended = Math.min(capacity / 2, window);
    return {
      flops: 4 * rows * heads * headDim * attended,
      bytes: 2 * stored * rows * headDim * (heads + attended * kvHeads) + 8 * rows,
    };
  };
}

/** Parameters of the kernels in which rows of queries attend a cache. */
export const cachedFields = {
  rows: 'u32',
  heads: 'u32',
  kvHeads: 'u32',
  headDim: 'u32',
  slotCount: 'u32',
  capacity: 'u32',
  window: 'u32',
} as const;

const kernel = defineKernel<DecodeParams>({
  name: 'attentionDecode',
  shader,
  bindings: {
    q: { dtype: 'f32', access: 'read' },
    cacheK: { dtype: 'f32', access: 'read' },
    cacheV: { dtype: 'f32', access: 'read' },
    slots: { dtype: 'u32', access: 'read' },
    lengths: { dtype: 'u32', access: 'read' },
    y: { dtype: 'f32', access: 'write' },
  },
  params: cachedFields,
  variants: [...[4, 2, 1].flatMap(invocationVariants), ...forEachHeadDim(workgroupVariant)],
  sizes: ({ rows, heads, kvHeads, headDim, slotCount, capacity }) => ({
    q: rows * heads * headDim,
    cacheK: slotCount * capacity * kvHeads * headDim,
    cacheV: slotCount * capacity * kvHeads * headDim,
    slots: rows,
    lengths: rows,
    y: rows * heads * headDim,
  }),
  dispatch: ({ rows, heads }, { WORKGROUPS, WORKGROUP, HEADS_EACH }) =>
    foldWorkgroups(WORKGROUPS ? rows * heads : Math.ceil((rows * heads) / Number(HEADS_EACH) / Number(WORKGROUP))),
  cost: costOf(4),
  reference: ({ q, cacheK, cacheV, slots, lengths }, params) => {
    const { rows, heads, kvHeads, headDim, slotCount, capacity, window } = params;
    const y = new Float64Array(rows * heads * headDim);
    for (let row = 0; row < rows; row++) {
      const slot = slots![row] ?? 0;
      const length = slot < slotCount ? Math.min(lengths![row] ?? 0, capacity) : 0;
      const start = Math.max(0, length - window);
      for (let head = 0; head < heads; head++) {
        const at = (row * heads + head) * headDim;
        const kvHead = Math.floor((head * kvHeads) / heads);
        const placeOf = (index: number) => ((slot * capacity + start + index) * kvHeads + kvHead) * headDim;
        const query = q!.subarray(at, at + headDim);
        const scores = counting(length - start).map(
          (index) => query.reduce((sum, x, d) => sum + x * (cacheK![placeOf(index) + d] ?? 0), 0) / Math.sqrt(headDim),
        );
        const largest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - largest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let d = 0; d < headDim; d++) {
          y[at + d] = weights.reduce(
            (sum, weight, index) => sum + (weight / total) * (cacheV![placeOf(index) + d] ?? 0),
            0,
          );
        }
      }
    }
    return { y };
  },
  cases: [
    caseOf({ rows: 1, heads: 1, kvHeads: 1, headDim: 16, slotCount: 1, capacity: 1 }, [0], [1]),
    caseOf({ rows: 0, heads: 2, kvHeads: 1, headDim: 16, slotCount: 2, capacity: 4 }, [], []),
    caseOf(
      { rows: 3, heads: 4, kvHeads: 2, headDim: 16, slotCount: 4, capacity: 37 },
      [3, 0, 2],
      [37, 0, 5],
      'an empty slot',
    ),
    caseOf(
      { rows: 3, heads: 2, kvHeads: 1, headDim: 16, slotCount: 2, capacity: 6 },
      [0xffffffff, 1, 1],
      [3, 9, 2],
      'out of range',
    ),
    caseOf(
      { rows: 2, heads: 6, kvHeads: 2, headDim: 40, slotCount: 2, capacity: 70 },
      [1, 0],
      [70, 65],
      'group of three',
    ),
    caseOf({ rows: 1, heads: 4, kvHeads: 1, headDim: 16, slotCount: 1, capacity: 300 }, [0], [299], 'long and alone'),
    caseOf(
      { rows: 2, heads: 2, kvHeads: 1, headDim: 40, slotCount: 2, capacity: 130 },
      [1, 0],
      [129, 130],
      'wide heads',
    ),
    caseOf(
      { rows: 4, heads: 4, kvHeads: 2, headDim: 16, slotCount: 4, capacity: 200 },
      [3, 0, 2, 1],
      [200, 0, 21, 19],
      'a window',
      20,
    ),
    caseOf(
      { rows: 2, heads: 2, kvHeads: 1, headDim: 40, slotCount: 2, capacity: 9 },
      [1, 0],
      [9, 1],
      'a window of one',
      1,
    ),
  ],
  benchCases: [
    caseOf(
      { rows: 64, heads: 4, kvHeads: 2, headDim: 16, slotCount: 64, capacity: 256 },
      counting(64),
      counting(64).map((i) => 64 + 2 * i),
      'typical',
    ),
  ],
  tuningCase: ({ window, ...shape }) =>
    caseOf(
      shape,
      counting(shape.rows).map((item) => item % Math.max(1, shape.slotCount)),
      counting(shape.rows).map((item) => Math.ceil((shape.capacity * (item % 8)) / 8)),
      undefined,
      window,
    ),
  // exp of the drivers is good to about 1e-5 relative for scores of a few units.
  tolerance: { absolute: 2e-5, relative: 2e-5 },
});

/** In float32, and with queries, cache and result in f16. */
export const attentionDecode = {
  f32: withStorage(kernel),
  f16: { ...withStorage(kernel, ['q', 'cacheK', 'cacheV', 'y']), cost: costOf(2) },
} as const;
