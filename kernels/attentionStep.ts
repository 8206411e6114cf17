/**
 * A decoding step's attention, from the fused projection of one new token per sequence to what its heads read:
 * shaders/attention_step.wgsl.
 */
import shader from '../shaders/attention_step.wgsl';
import { attentionDecode } from './attentionDecode.ts';
import { noWindow } from './attentionReference.ts';
import { forEachHeadDim, widestUnrolled } from './attentionVariants.ts';
import { kvAppend, noSlot } from './kvAppend.ts';
import { splitHeadsWithRope } from './rope.ts';
import { defineKernel, foldWorkgroups, type KernelCase, type Variant } from './spec.ts';
import { withStorage } from './storage.ts';

type StepParams = {
  batch: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  slotCount: number;
  capacity: number;
  /** Keys that a token attends at most, its own among them: 1 or more. */
  window: number;
  /** Queries are multiplied by it. */
  queryScale: number;
};

/** Head dimensions are multiples of this: turning joins the vectors of a head's halves. */
export const stepHeadGrain = 8;

const vector = { qkv: 4, frequencies: 4, cacheK: 4, cacheV: 4, y: 4 } as const;
const vecConstants = { ELEMENT: 'vec4<f32>' } as const;

function variantsOf(variant: Variant<StepParams>): Variant<StepParams>[] {
  return forEachHeadDim({ ...variant, vector, constants: { ...variant.constants, ...vecConstants } })
    .filter(({ constants }) => Number(constants.HEAD_VECS) % 2 === 0)
    .map((each) => {
      const { VECTORS } = each.constants;
      const half = typeof VECTORS === 'number' ? VECTORS / 2 : '(params.headDim / 8u)';
      return { ...each, constants: { ...each.constants, HALF_VECTORS: half } };
    });
}

/** For adapters on the CPU; `headsEach` queries of a group share what they read. */
function invocationVariants(headsEach: number): Variant<StepParams>[] {
  return variantsOf({
    label: `heads${headsEach}.f32`,
    constants: { WORKGROUPS: false, LANES: 0, WORKGROUP: 16, HEADS_EACH: headsEach },
    requires: (_, { heads, kvHeads }) => (heads / kvHeads) % headsEach === 0,
    prefer: ({ kind }) => kind === 'cpu',
  });
}

/** For adapters on the CPU: the vectors of a head are shared out among the lanes of a subgroup. */
function laneVariants(lanes: number, headsEach: number): Variant<StepParams>[] {
  const variants = variantsOf({
    label: `lanes${lanes}.heads${headsEach}.f32`,
    constants: { WORKGROUPS: false, LANES: lanes, FOUR: 4, HEADS_EACH: headsEach },
    subgroupSize: lanes,
    requires: (_, { heads, kvHeads }) => (heads / kvHeads) % headsEach === 0,
    prefer: ({ kind }, { headDim }) => kind === 'cpu' && headDim > widestUnrolled,
  });
  return variants.map((variant) => ({
    ...variant,
    constants: { ...variant.constants, QUADS_EACH: Math.ceil(Number(variant.constants.HEAD_VECS) / lanes) },
  }));
}

const counting = (count: number) => Array.from({ length: count }, (_, i) => i);

function caseOf(
  shape: Omit<StepParams, 'queryScale' | 'window'>,
  slots: readonly number[],
  positions: readonly number[],
  note?: string,
  { queryScale = 1, window = noWindow }: Partial<StepParams> = {},
): KernelCase<StepParams> {
  const { headDim } = shape;
  const frequencies = Array.from({ length: headDim / 2 }, (_, i) => 10_000 ** ((-2 * i) / headDim));
  return {
    params: { ...shape, window, queryScale },
    inputs: () => ({ slots, positions, frequencies }),
    ...(note ? { note } : {}),
  };
}

/** Positions are data: this takes caches to be half full. @param stored bytes of an element of cache and result */
function costOf(stored: number) {
  return ({ batch, heads, kvHeads, headDim, capacity, window }: StepParams) => {
    const attended = Math.min(capacity / 2, window);
    const moved = 4 * (heads + 2 * kvHeads) + stored * (heads + 2 * kvHeads + 2 * attended * kvHeads);
    return { flops: 4 * batch * heads * headDim * attended, bytes: batch * headDim * moved + 8 * batch };
  };
}

const kernel = defineKernel<StepParams>({
  name: 'attentionStep',
  shader,
  bindings: {
    qkv: { dtype: 'f32', access: 'read' },
    positions: { dtype: 'u32', access: 'read' },
    frequencies: { dtype: 'f32', access: 'read' },
    slots: { dtype: 'u32', access: 'read' },
    cacheK: { dtype: 'f32', access: 'readWrite' },
    cacheV: { dtype: 'f32', access: 'readWrite' },
    y: { dtype: 'f32', access: 'write' },
  },
  params: {
    batch: 'u32',
    heads: 'u32',
    kvHeads: 'u32',
    headDim: 'u32',
    slotCount: 'u32',
    capacity: 'u32',
    window: 'u32',
    queryScale: 'f32',
  },
  variants: [
    ...[8, 4].flatMap((lanes) => [4, 3, 2, 1].flatMap((headsEach) => laneVariants(lanes, headsEach))),
    ...[4, 3, 2, 1].flatMap(invocationVariants),
    ...variantsOf({ label: 'workgroup64.f32', constants: { WORKGROUPS: true } }),
  ],
  sizes: ({ batch, heads, kvHeads, headDim, slotCount, capacity }) => ({
    qkv: batch * (heads + 2 * kvHeads) * headDim,
    positions: batch,
    frequencies: headDim / 2,
    slots: batch,
    cacheK: slotCount * capacity * kvHeads * headDim,
    cacheV: slotCount * capacity * kvHeads * headDim,
    y: batch * heads * headDim,
  }),
  dispatch: ({ batch, heads }, { WORKGROUPS, LANES, WORKGROUP, HEADS_EACH }) => {
    if (WORKGROUPS) return foldWorkgroups(batch * heads);
    return foldWorkgroups(Math.ceil((batch * heads) / Number(HEADS_EACH) / (LANES ? 1 : Number(WORKGROUP))));
  },
  cost: costOf(4),
  // What the kernels do that this one replaces.
  reference: ({ qkv, positions, frequencies, slots, cacheK, cacheV }, params) => {
    const { batch, heads, kvHeads, headDim, slotCount, capacity, window } = params;
    const split = splitHeadsWithRope.f32.reference(
      { qkv: qkv!, positions: positions!, frequencies: frequencies! },
      { rows: batch, ...params, rotaryDim: headDim, rotaryScale: 1 },
    );
    const [q, k, v] = [split.q, split.k, split.v].map((values) => Float64Array.from(values!));
    const appended = kvAppend.f32.reference(
      { cacheK: cacheK!, cacheV: cacheV!, k: k!, v: v!, slots: slots!, positions: positions! },
      { rows: batch, slotCount, capacity, width: kvHeads * headDim },
    );
    const cache = { cacheK: Float64Array.from(appended.cacheK!), cacheV: Float64Array.from(appended.cacheV!) };
    const lengths = positions!.map((position) => (position < capacity ? position + 1 : 0));
    const { y } = attentionDecode.f32.reference(
      { q: q!, ...cache, slots: slots!, lengths },
      { rows: batch, heads, kvHeads, headDim, slotCount, capacity, window },
    );
    return { ...cache, y: y! };
  },
  cases: [
    caseOf({ batch: 1, heads: 1, kvHeads: 1, headDim: 16, slotCount: 1, capacity: 1 }, [0], [0]),
    caseOf({ batch: 0, heads: 2, kvHeads: 1, headDim: 16, slotCount: 2, capacity: 4 }, [], []),
    caseOf(
      { batch: 3, heads: 4, kvHeads: 2, headDim: 16, slotCount: 4, capacity: 37 },
      [3, 0, 2],
      [36, 0, 5],
      'groups of two',
    ),
    caseOf(
      { batch: 4, heads: 2, kvHeads: 1, headDim: 16, slotCount: 3, capacity: 6 },
      [noSlot, 1, 0, 2],
      [3, 6, 2, noSlot],
      'out of range',
    ),
    caseOf(
      { batch: 2, heads: 6, kvHeads: 2, headDim: 40, slotCount: 2, capacity: 70 },
      [1, 0],
      [69, 64],
      'groups of three',
    ),
    caseOf({ batch: 1, heads: 4, kvHeads: 1, headDim: 16, slotCount: 1, capacity: 300 }, [0], [299], 'long and alone'),
    caseOf(
      { batch: 2, heads: 2, kvHeads: 1, headDim: 16, slotCount: 2, capacity: 8 },
      [1, 0],
      [7, 4],
      'scaled queries',
      { queryScale: 1.75 },
    ),
    caseOf(
      { batch: 4, heads: 4, kvHeads: 2, headDim: 16, slotCount: 4, capacity: 200 },
      [3, 0, 2, 1],
      [199, 0, 20, 19],
      'a window',
      { window: 20 },
    ),
    caseOf(
      { batch: 2, heads: 3, kvHeads: 1, headDim: 40, slotCount: 2, capacity: 9 },
      [1, 0],
      [8, 0],
      'a window of one',
      { window: 1 },
    ),
    caseOf({ batch: 2, heads: 9, kvHeads: 3, headDim: 64, slotCount: 3, capacity: 30 }, [2, 0], [29, 6], 'wide heads'),
  ],
  benchCases: [
    caseOf(
      { batch: 1, heads: 9, kvHeads: 3, headDim: 64, slotCount: 1, capacity: 512 },
      [0],
      [255],
      'one reply of a model of 135 million parameters',
    ),
    caseOf(
      { batch: 64, heads: 4, kvHeads: 2, headDim: 16, slotCount: 64, capacity: 256 },
      counting(64),
      counting(64).map((i) => 63 + 2 * i),
      'typical',
    ),
  ],
  tuningCase: ({ queryScale, window, ...shape }) =>
    caseOf(
      shape,
      counting(shape.batch).map((item) => (item < shape.slotCount ? item : noSlot)),
      counting(shape.batch).map((item) => Math.floor((shape.capacity * (item % 8)) / 8)),
      undefined,
      { queryScale, window },
    ),
  // exp of the drivers is good to about 1e-5 relative for scores of a few units.
  tolerance: { absolute: 2e-5, relative: 2e-5 },
});

/**
 * In float32, and with cache and result in f16: there the new key and value are attended as they were before they were
 * rounded.
 */
export const attentionStep = {
  f32: withStorage(kernel),
  f16: { ...withStorage(kernel, ['cacheK', 'cacheV', 'y']), cost: costOf(2) },
} as const;
