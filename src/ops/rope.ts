/** Heads out of a fused projection, with rotary positions (Su et al., arXiv 2104.09864). */
import * as kernels from '../../kernels/rope.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiableMany, filled } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

export interface HeadLayout {
  readonly heads: number;
  readonly kvHeads: number;
  /** Even. */
  readonly headDim: number;
  /**
   * Angle of each pair of elements for one step of position, `[headDim / 2]`; zeros for pairs that are not turned.
   */
  readonly frequencies: Tensor;
  /** Even: this many of a head's elements, the first, are turned. Default: all. */
  readonly rotaryDim?: number;
  /** Queries are multiplied by this. Default: 1. */
  readonly queryScale?: number;
  /** Elements of queries that are turned are also multiplied by this. Default: 1. */
  readonly rotaryScale?: number;
  /** Keys that a query attends at most, its own among them. Default: no limit. */
  readonly window?: number;
  /** How the heads are stored. Default: f32. */
  readonly stored?: FloatStorage;
}

/**
 * Splits a fused projection into queries, keys and values, and turns queries and keys by their position: elements i and
 * i + rotaryDim / 2 of a head, for i < rotaryDim / 2, as a pair, by position · frequencies[i].
 * @param qkv [rows, (heads + 2 · kvHeads) · headDim]: all queries of a row, then its keys, then its values
 * @param positions u32 [rows]
 * @returns q [rows, heads, headDim]; k and v [rows, kvHeads, headDim]
 * @throws {ProxmoError} `shape`
 */
export function splitHeadsWithRope(
  qkv: Tensor,
  positions: Tensor,
  layout: HeadLayout,
): { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor } {
  checkShapes(qkv, positions, layout);
  const { heads, kvHeads, headDim, frequencies, stored = 'f32' } = layout;
  const { rotaryDim = headDim, queryScale = 1, rotaryScale = 1 } = layout;
  const rows = qkv.dim(0);
  const params = { rows, heads, kvHeads, headDim, rotaryDim, queryScale, rotaryScale };
  const shapes = { q: [rows, heads, headDim], k: [rows, kvHeads, headDim], v: [rows, kvHeads, headDim] };
  const { q, k, v } = launch(kernels.splitHeadsWithRope[stored], params, { qkv, positions, frequencies }, shapes);
  differentiableMany('splitHeadsWithRope', [qkv], [q, k, v], ([givenQ, givenK, givenV]) => {
    const dq = givenQ ?? filled(shapes.q, 0);
    const dk = givenK ?? filled(shapes.k, 0);
    const dv = givenV ?? filled(shapes.v, 0);
    return [
      launch(kernels.splitHeadsWithRopeBackward, params, { dq, dk, dv, positions, frequencies }, { dqkv: qkv.shape })
        .dqkv,
    ];
  });
  return { q, k, v };
}

function checkShapes(qkv: Tensor, positions: Tensor, layout: HeadLayout): void {
  const { heads, kvHeads, headDim, rotaryDim = headDim, frequencies } = layout;
  const width = (heads + 2 * kvHeads) * headDim;
  const fits =
    headDim % 2 === 0 &&
    rotaryDim % 2 === 0 &&
    rotaryDim <= headDim &&
    frequencies.size === headDim / 2 &&
    qkv.shape.length === 2 &&
    qkv.dim(1) === width &&
    positions.dtype === 'u32' &&
    positions.shape.length === 1 &&
    positions.dim(0) === qkv.dim(0);
  if (fits) return;
  throw new ProxmoError(
    'shape',
    `splitHeadsWithRope of ${heads} and ${kvHeads} heads needs an even headDim, an even rotaryDim up to it, frequencies [headDim / 2], qkv [rows, ${width}] and positions u32 [rows]; it was given ` +
      `headDim ${headDim}, rotaryDim ${rotaryDim}, [${frequencies.shape.join(', ')}], [${qkv.shape.join(', ')}] and ${positions.dtype} [${positions.shape.join(', ')}].`,
  );
}
