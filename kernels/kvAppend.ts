/** Writes new tokens' keys and values into a KV cache, in place: shaders/kv_append.wgsl. */
import shader from '../shaders/kv_append.wgsl';
import { defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';
import { withStorage } from './storage.ts';

/** `width` is kvHeads · headDim. */
export type KvAppendParams = { rows: number; slotCount: number; capacity: number; width: number };

/** Slot of a row that has none in the KV cache: nothing is written for it, and it attends nothing. */
export const noSlot = 0xffffffff;

const caseOf = (
  params: KvAppendParams,
  slots: number[],
  positions: number[],
  note?: string,
): KernelCase<KvAppendParams> => ({
  params,
  inputs: () => ({ slots, positions }),
  ...(note ? { note } : {}),
});

const many = Array.from({ length: 64 }, (_, row) => row);

/** @param stored bytes of an element of keys and values */
function costOf(stored: number) {
  return ({ rows, width }: KvAppendParams) => ({ flops: 0, bytes: rows * (4 * stored * width + 8) });
}

const kernel = defineKernel<KvAppendParams>({
  name: 'kvAppend',
  shader,
  bindings: {
    cacheK: { dtype: 'f32', access: 'readWrite' },
    cacheV: { dtype: 'f32', access: 'readWrite' },
    k: { dtype: 'f32', access: 'read' },
    v: { dtype: 'f32', access: 'read' },
    slots: { dtype: 'u32', access: 'read' },
    positions: { dtype: 'u32', access: 'read' },
  },
  params: { rows: 'u32', slotCount: 'u32', capacity: 'u32', width: 'u32' },
  variants: [
    {
      label: 'vec4.f32',
      constants: { WORKGROUP: 64, WIDTH: 4 },
      vector: { cacheK: 4, cacheV: 4, k: 4, v: 4 },
      requires: (_, { width }) => width % 4 === 0,
    },
    { label: 'scalar.f32', constants: { WORKGROUP: 64, WIDTH: 1 } },
  ],
  sizes: ({ rows, slotCount, capacity, width }) => ({
    cacheK: slotCount * capacity * width,
    cacheV: slotCount * capacity * width,
    k: rows * width,
    v: rows * width,
    slots: rows,
    positions: rows,
  }),
  dispatch: ({ rows, width }, { WORKGROUP, WIDTH }) =>
    foldWorkgroups(Math.ceil((rows * width) / Number(WIDTH) / Number(WORKGROUP))),
  cost: costOf(4),
  reference: ({ cacheK, cacheV, k, v, slots, positions }, { rows, slotCount, capacity, width }) => {
    const updated = { cacheK: Float64Array.from(cacheK!), cacheV: Float64Array.from(cacheV!) };
    for (let row = 0; row < rows; row++) {
      const [slot = 0, position = 0] = [slots![row], positions![row]];
      if (slot >= slotCount || position >= capacity) continue;
      const place = (slot * capacity + position) * width;
      updated.cacheK.set(k!.subarray(row * width, (row + 1) * width), place);
      updated.cacheV.set(v!.subarray(row * width, (row + 1) * width), place);
    }
    return updated;
  },
  cases: [
    caseOf({ rows: 1, slotCount: 1, capacity: 1, width: 1 }, [0], [0]),
    caseOf({ rows: 0, slotCount: 2, capacity: 3, width: 8 }, [], []),
    caseOf(
      { rows: 5, slotCount: 3, capacity: 4, width: 12 },
      [2, noSlot, 0, 3, 1],
      [3, 0, 4, 0, 0xffffffff],
      'skipped rows',
    ),
    caseOf({ rows: 4, slotCount: 2, capacity: 7, width: 5 }, [1, 1, 0, 1], [0, 1, 6, 6]),
    caseOf(
      { rows: 64, slotCount: 9, capacity: 8, width: 64 },
      many.map((row) => row >> 3),
      many.map((row) => row & 7),
    ),
  ],
  benchCases: [
    caseOf(
      { rows: 64, slotCount: 64, capacity: 512, width: 32 },
      many,
      many.map((row) => 7 * row),
    ),
  ],
  tuningCase: (params) => {
    const rows = Array.from({ length: params.rows }, (_, row) => row);
    const slots = rows.map((row) => row % Math.max(1, params.slotCount));
    return caseOf(
      params,
      slots,
      rows.map((row) => Math.floor(row / Math.max(1, params.slotCount)) % Math.max(1, params.capacity)),
    );
  },
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
});

/** In float32, and with keys, values and cache in f16: a copy, too. */
export const kvAppend = {
  f32: kernel,
  f16: { ...withStorage(kernel, ['cacheK', 'cacheV', 'k', 'v']), cost: costOf(2), tolerance: kernel.tolerance },
} as const;
