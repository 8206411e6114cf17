/** Copies sequences from slot to slot of a KV cache, in place: shaders/kv_copy.wgsl. */
import shader from '../shaders/kv_copy.wgsl';
import { noSlot } from './kvAppend.ts';
import { defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';
import { withStorage } from './storage.ts';

/** `width` is kvHeads · headDim. */
export type KvCopyParams = { rows: number; slotCount: number; capacity: number; width: number };

const caseOf = (
  shape: Omit<KvCopyParams, 'rows'>,
  copies: readonly (readonly [source: number, target: number, length: number])[],
  note: string,
): KernelCase<KvCopyParams> => ({
  params: { rows: copies.length, ...shape },
  inputs: () => ({
    sources: copies.map(([source]) => source),
    targets: copies.map(([, target]) => target),
    lengths: copies.map(([, , length]) => length),
  }),
  note,
});

/** A prompt in the first slot for as many others as there are; it takes most of a slot. */
function sharedPrompt({ rows, ...shape }: KvCopyParams): KernelCase<KvCopyParams> {
  const { slotCount, capacity } = shape;
  const copies = Array.from(
    { length: rows },
    (_, row) => [0, row + 1 < slotCount ? row + 1 : noSlot, Math.ceil(0.8 * capacity)] as const,
  );
  return caseOf(shape, copies, 'a shared prompt');
}

const kernel = defineKernel<KvCopyParams>({
  name: 'kvCopy',
  shader,
  bindings: {
    cacheK: { dtype: 'f32', access: 'readWrite' },
    cacheV: { dtype: 'f32', access: 'readWrite' },
    sources: { dtype: 'u32', access: 'read' },
    targets: { dtype: 'u32', access: 'read' },
    lengths: { dtype: 'u32', access: 'read' },
  },
  params: { rows: 'u32', slotCount: 'u32', capacity: 'u32', width: 'u32' },
  variants: [
    {
      label: 'vec4.f32',
      constants: { WORKGROUP: 64, WIDTH: 4 },
      vector: { cacheK: 4, cacheV: 4 },
      requires: (_, { width }) => width % 4 === 0,
    },
    { label: 'scalar.f32', constants: { WORKGROUP: 64, WIDTH: 1 } },
  ],
  sizes: ({ rows, slotCount, capacity, width }) => ({
    cacheK: slotCount * capacity * width,
    cacheV: slotCount * capacity * width,
    sources: rows,
    targets: rows,
    lengths: rows,
  }),
  dispatch: ({ rows, capacity, width }, { WORKGROUP, WIDTH }) =>
    foldWorkgroups(Math.ceil((rows * capacity * width) / Number(WIDTH) / Number(WORKGROUP))),
  // As if every sequence filled its slot.
  cost: ({ rows, capacity, width }) => ({ flops: 0, bytes: 4 * rows * (4 * capacity * width + 3) }),
  reference: ({ cacheK, cacheV, sources, targets, lengths }, { rows, slotCount, capacity, width }) => {
    const updated = { cacheK: Float64Array.from(cacheK!), cacheV: Float64Array.from(cacheV!) };
    for (let row = 0; row < rows; row++) {
      const [source = 0, target = 0, length = 0] = [sources![row], targets![row], lengths![row]];
      if (source >= slotCount || target >= slotCount) continue;
      const [from, to] = [source * capacity * width, target * capacity * width];
      const count = Math.min(length, capacity) * width;
      updated.cacheK.set(cacheK!.subarray(from, from + count), to);
      updated.cacheV.set(cacheV!.subarray(from, from + count), to);
    }
    return updated;
  },
  cases: [
    caseOf({ slotCount: 2, capacity: 1, width: 1 }, [[0, 1, 1]], 'one element'),
    caseOf({ slotCount: 2, capacity: 3, width: 8 }, [], 'no row'),
    caseOf(
      { slotCount: 5, capacity: 7, width: 12 },
      [
        [0, 1, 7],
        [0, 3, 2],
        [4, 2, 0],
        [noSlot, 2, 4],
        [0, noSlot, 4],
      ],
      'one source for several, and skipped rows',
    ),
    caseOf({ slotCount: 3, capacity: 5, width: 3 }, [[2, 0, 4]], 'odd width'),
  ],
  benchCases: [sharedPrompt({ rows: 56, slotCount: 64, capacity: 512, width: 32 })],
  tuningCase: sharedPrompt,
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
});

/** In float32, and with the cache in f16: a copy, too. */
export const kvCopy = {
  f32: kernel,
  f16: { ...withStorage(kernel, ['cacheK', 'cacheV']), tolerance: kernel.tolerance },
} as const;
