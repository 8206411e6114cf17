/** Attention over packed sequences, differentiable. */
import { attention as attentionKernel } from '../../kernels/attention.ts';
import { attentionBackwardKey, attentionBackwardQuery, attentionStatistics } from '../../kernels/attentionBackward.ts';
import { noWindow } from '../../kernels/attentionReference.ts';
import { maxHeadDim } from '../../kernels/attentionVariants.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { storageOf } from './storage.ts';

/**
 * Where each row's sequence lies in the pack. Sequences lie one after another, so neither table ever falls from a row
 * to the next; a padding row is a sequence of one.
 */
export interface Segments {
  /** First row of the row's sequence, u32 `[rows]`. */
  readonly segmentStart: Tensor;
  /** One past the last row of the row's sequence, u32 `[rows]`. */
  readonly segmentEnd: Tensor;
}

/**
 * Causal grouped-query attention within packed sequences: row i attends rows segmentStart[i] to i, with scores q·k /
 * √headDim; with a window the last `window` of them alone (Beltagy et al., Longformer, arXiv 2004.05150). Head h uses
 * key head ⌊h · kvHeads / heads⌋. Memory is linear in the rows, time in the sum of the squared
 * sequence lengths (FlashAttention-2, arXiv 2307.08691).
 * @param q `[rows, heads, headDim]`, in f32 or f16, as k and v
 * @param k `[rows, kvHeads, headDim]`
 * @param v `[rows, kvHeads, headDim]`
 * @param window rows that a row attends at most, itself among them: 1 or more. Default: no limit
 * @returns `[rows, heads, headDim]`, stored as q is; gradients are in f32
 * @throws {ProxmoError} `shape` if the shapes do not fit, the window is no whole number above 0, queries, keys and
 * values are stored differently, heads is no multiple of kvHeads, or headDim is no multiple of 4 up to `maxHeadDim`
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { segmentStart, segmentEnd }: Segments,
  window: number = noWindow,
): Tensor {
  const [rows, heads, headDim] = [q.dim(0), q.dim(1), q.dim(2)];
  const kvHeads = k.dim(1);
  checkHeads('attention', heads, kvHeads, headDim);
  checkWindow('attention', window);
  const params = { rows, heads, kvHeads, headDim, window };
  const stored = storageOf('attention', [q, k, v]);
  const { y, lse } = launch(
    attentionKernel[stored],
    params,
    { q, k, v, segmentStart },
    { y: q.shape, lse: [rows, heads] },
    { unread: [segmentEnd] },
  );
  return differentiable('attention', [q, k, v], y, (dy) => {
    const { statistics } = launch(
      attentionStatistics[stored],
      { rows, heads, headDim },
      { y, dy, lse },
      { statistics: [rows, heads, 2] },
    );
    const { dq } = launch(
      attentionBackwardQuery[stored],
      params,
      { q, k, v, dy, statistics, segmentStart },
      { dq: q.shape },
    );
    const { dk, dv } = launch(
      attentionBackwardKey[stored],
      params,
      { q, k, v, dy, statistics, segmentEnd },
      { dk: k.shape, dv: v.shape },
    );
    return [dq, dk, dv];
  });
}

/** @throws {ProxmoError} `shape` unless the heads can be grouped and the head dimension has a kernel */
export function checkHeads(op: string, heads: number, kvHeads: number, headDim: number): void {
  if (kvHeads < 1 || heads % kvHeads !== 0) {
    throw new ProxmoError(
      'shape',
      `${op}: ${heads} heads cannot share ${kvHeads} key heads; use a multiple of the key heads.`,
    );
  }
  if (headDim < 4 || headDim > maxHeadDim || headDim % 4 !== 0) {
    throw new ProxmoError(
      'shape',
      `${op}: a head dimension of ${headDim} has no kernel; use a multiple of 4 from 4 to ${maxHeadDim}.`,
    );
  }
}

/** @throws {ProxmoError} `shape` unless it is a number of keys */
export function checkWindow(op: string, window: number): void {
  if (Number.isInteger(window) && window >= 1 && window <= noWindow) return;
  throw new ProxmoError('shape', `${op}: the window is ${window}; use a whole number of keys, 1 or more.`);
}
