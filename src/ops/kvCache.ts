/**
 * Keys and values of past tokens, kept on the device between programs, and attention over them. Nothing here is
 * differentiable: it serves sampling.
 */
import { attentionDecode } from '../../kernels/attentionDecode.ts';
import { attentionExtend } from '../../kernels/attentionExtend.ts';
import { noWindow } from '../../kernels/attentionReference.ts';
import { attentionStep, stepHeadGrain } from '../../kernels/attentionStep.ts';
import { kvAppend } from '../../kernels/kvAppend.ts';
import { kvCopy } from '../../kernels/kvCopy.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { part } from '../tensor/part.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { Variable } from '../tensor/variable.ts';
import { checkHeads, checkWindow } from './attention.ts';
import { type HeadLayout, splitHeadsWithRope } from './rope.ts';
import { storageOf } from './storage.ts';

export interface KvCacheShape {
  readonly layers: number;
  /** Sequences that it holds at a time. */
  readonly slots: number;
  /** Positions of a sequence. */
  readonly capacity: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** How keys and values are stored, which is how the model stores its heads. Default: f32. */
  readonly stored?: FloatStorage;
}

/**
 * The KV cache of a model: keys and values of every layer, `[slots, capacity, kvHeads, headDim]` each. A slot holds one
 * sequence; which positions of it are valid is for the caller to know.
 */
export class KvCache {
  readonly layers: readonly { readonly k: Variable; readonly v: Variable }[];
  readonly capacity: number;
  private readonly shape: KvCacheShape;

  constructor(cacheShape: KvCacheShape) {
    const { layers, slots, capacity, kvHeads, headDim, stored = 'f32' } = cacheShape;
    const shape = [slots, capacity, kvHeads, headDim];
    this.shape = cacheShape;
    this.capacity = capacity;
    this.layers = Array.from({ length: layers }, (_, layer) => ({
      k: new Variable(`keys of layer ${layer}`, shape, stored),
      v: new Variable(`values of layer ${layer}`, shape, stored),
    }));
  }

  get variables(): readonly Variable[] {
    return this.layers.flatMap(({ k, v }) => [k, v]);
  }

  /** Slots that it has where each holds `capacity` positions: more, where that is less than its own. */
  slotsOf(capacity: number): number {
    const { slots } = this.shape;
    return Math.floor((slots * this.capacity) / capacity);
  }

  /**
   * The same memory as slots of `capacity` positions, at most its own, `[slots, capacity, kvHeads, headDim]` a layer.
   * What was written through one capacity means nothing through another.
   */
  view(capacity: number): { readonly k: Tensor; readonly v: Tensor }[] {
    const { kvHeads, headDim } = this.shape;
    const shape = [this.slotsOf(capacity), capacity, kvHeads, headDim];
    return this.layers.map(({ k, v }) => ({ k: part(k.tensor, 0, shape), v: part(v.tensor, 0, shape) }));
  }
}

/** A layer's keys and values within a program, `[slots, capacity, kvHeads, headDim]` each. */
export interface KvTensors {
  readonly cacheK: Tensor;
  readonly cacheV: Tensor;
}

/**
 * Writes new tokens' keys and values into a layer's cache, in place: row r goes to position positions[r] of slot
 * slots[r]. A row whose slot or position is out of range is skipped (0xffffffff is never in range). No two rows may go
 * to the same place.
 * @param cacheK `[slots, capacity, kvHeads, headDim]`
 * @param cacheV the same shape
 * @param k `[rows, kvHeads, headDim]`
 * @param v the same shape
 * @param slots u32 `[rows]`
 * @param positions u32 `[rows]`
 * @returns the cache after the update, which later steps of the program must use
 * @throws {ProxmoError} `shape` if the shapes do not fit
 */
export function appendKv(
  cacheK: Tensor,
  cacheV: Tensor,
  k: Tensor,
  v: Tensor,
  slots: Tensor,
  positions: Tensor,
): KvTensors {
  const params = {
    rows: k.dim(0),
    slotCount: cacheK.dim(0),
    capacity: cacheK.dim(1),
    width: cacheK.dim(2) * cacheK.dim(3),
  };
  return launch(
    kvAppend[storageOf('appendKv', [cacheK, cacheV, k, v])],
    params,
    { cacheK, cacheV, k, v, slots, positions },
    { cacheK: cacheK.shape, cacheV: cacheV.shape },
  );
}

/**
 * Copies sequences within a layer's cache, in place: for row r, positions 0 to lengths[r] − 1 of slot sources[r] go to
 * slot targets[r]. A row with a slot that is out of range is skipped. No target may be a source, nor be named twice.
 * @param cacheK `[slots, capacity, kvHeads, headDim]`
 * @param cacheV the same shape
 * @param sources u32 `[rows]`
 * @param targets u32 `[rows]`
 * @param lengths u32 `[rows]`; at most the capacity
 * @returns the cache after the update, which later steps of the program must use
 * @throws {ProxmoError} `shape` if the shapes do not fit
 */
export function copyKv(cacheK: Tensor, cacheV: Tensor, sources: Tensor, targets: Tensor, lengths: Tensor): KvTensors {
  const params = {
    rows: sources.dim(0),
    slotCount: cacheK.dim(0),
    capacity: cacheK.dim(1),
    width: cacheK.dim(2) * cacheK.dim(3),
  };
  return launch(
    kvCopy[storageOf('copyKv', [cacheK, cacheV])],
    params,
    { cacheK, cacheV, sources, targets, lengths },
    { cacheK: cacheK.shape, cacheV: cacheV.shape },
  );
}

/**
 * Attention of one token per sequence over its cache: row r attends positions 0 to lengths[r] − 1 of slot slots[r], its
 * own key included if it was appended before, of these at most the last `window`. Heads and scores are those of
 * `attention`. A length of 0, or a slot out of range, gives zeros.
 * @param q `[rows, heads, headDim]`
 * @param cacheK `[slots, capacity, kvHeads, headDim]`
 * @param cacheV the same shape
 * @param slots u32 `[rows]`
 * @param lengths u32 `[rows]`; cut at the capacity
 * @param window 1 or more. Default: no limit
 * @returns `[rows, heads, headDim]`
 * @throws {ProxmoError} `shape` if the shapes do not fit, or the head dimension has no kernel
 */
export function decodeAttention(
  q: Tensor,
  cacheK: Tensor,
  cacheV: Tensor,
  slots: Tensor,
  lengths: Tensor,
  window: number = noWindow,
): Tensor {
  return launch(
    attentionDecode[storageOf('decodeAttention', [q, cacheK, cacheV])],
    cachedShape('decodeAttention', q, cacheK, window),
    { q, cacheK, cacheV, slots, lengths },
    { y: q.shape },
  ).y;
}

/**
 * Attention of many tokens per sequence over its cache: row r attends positions 0 to positions[r] of slot slots[r], its
 * own key among them, which must have been appended before; of these at most the last `window`. Heads and scores are
 * those of `attention`. Any number of sequences are packed one after another, the rows of one next to each other with
 * rising positions; other orders are slower, not wrong. A row whose slot or position is out of range gives zeros
 * (0xffffffff is never in range).
 * @param q `[rows, heads, headDim]`, in f32 or f16, as the cache
 * @param cacheK `[slots, capacity, kvHeads, headDim]`
 * @param cacheV the same shape
 * @param slots u32 `[rows]`
 * @param positions u32 `[rows]`
 * @param window 1 or more. Default: no limit
 * @returns `[rows, heads, headDim]`, stored as q is
 * @throws {ProxmoError} `shape` if the shapes do not fit, queries and cache are stored differently, or the head
 * dimension has no kernel
 */
export function extendAttention(
  q: Tensor,
  cacheK: Tensor,
  cacheV: Tensor,
  slots: Tensor,
  positions: Tensor,
  window: number = noWindow,
): Tensor {
  return launch(
    attentionExtend[storageOf('extendAttention', [q, cacheK, cacheV])],
    cachedShape('extendAttention', q, cacheK, window),
    { q, cacheK, cacheV, slots, positions },
    { y: q.shape },
  ).y;
}

/** Parameters of kernels in which rows of queries attend a cache. */
function cachedShape(op: string, q: Tensor, cacheK: Tensor, window: number) {
  const [rows, heads, headDim] = [q.dim(0), q.dim(1), q.dim(2)];
  const [slotCount, capacity, kvHeads] = [cacheK.dim(0), cacheK.dim(1), cacheK.dim(2)];
  checkHeads(op, heads, kvHeads, headDim);
  checkWindow(op, window);
  return { rows, heads, kvHeads, headDim, slotCount, capacity, window };
}

/**
 * A decoding step's attention, as `splitHeadsWithRope`, `appendKv` and `decodeAttention` one after another, in one
 * kernel where the head dimension allows it and heads are turned as a whole.
 * @param qkv `[batch, (heads + 2 · kvHeads) · headDim]`: the projection of one new token per sequence
 * @param positions u32 `[batch]`: the token's index in its sequence; what lies before it in the cache is attended too
 * @param rows `slots`, u32 `[batch]`; `lengths`, u32 `[batch]`, positions + 1. A row whose slot or position is out of
 * range gives zeros and adds nothing to the cache. No two rows may have one slot
 * @returns y `[batch, heads, headDim]`, and the cache after the update, which later steps of the program must use
 * @throws {ProxmoError} `shape` if the shapes do not fit, or the head dimension has no kernel
 */
export function attendStep(
  qkv: Tensor,
  positions: Tensor,
  layout: HeadLayout,
  { cacheK, cacheV }: KvTensors,
  rows: { readonly slots: Tensor; readonly lengths: Tensor },
): KvTensors & { readonly y: Tensor } {
  const { heads, kvHeads, headDim, frequencies, rotaryDim = headDim, window = noWindow } = layout;
  checkHeads('attendStep', heads, kvHeads, headDim);
  checkWindow('attendStep', window);
  const { slots, lengths } = rows;
  const batch = qkv.dim(0);
  if (headDim % stepHeadGrain !== 0 || rotaryDim !== headDim) {
    const { q, k, v } = splitHeadsWithRope(qkv, positions, layout);
    const updated = appendKv(cacheK, cacheV, k, v, slots, positions);
    return { ...updated, y: decodeAttention(q, updated.cacheK, updated.cacheV, slots, lengths, window) };
  }
  const queryScale = (layout.queryScale ?? 1) * (layout.rotaryScale ?? 1);
  const [slotCount, capacity] = [cacheK.dim(0), cacheK.dim(1)];
  const params = { batch, heads, kvHeads, headDim, slotCount, capacity, window, queryScale };
  return launch(
    attentionStep[storageOf('attendStep', [cacheK, cacheV])],
    params,
    { qkv, positions, frequencies, slots, cacheK, cacheV },
    { cacheK: cacheK.shape, cacheV: cacheV.shape, y: [batch, heads, headDim] },
    { unread: [lengths] },
  );
}
