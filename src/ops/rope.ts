/** Heads out of a fused projection, with rotary positions (Su et al., arXiv 2104.09864). */
import * as kernels from '../../kernels/rope.ts';
import { ProxmoError } from '../errors.ts';
import { differentiableMany, filled } from '../tensor/autograd.ts';
import { constant, launch, type Tensor } from '../tensor/tensor.ts';

export interface HeadLayout {
  readonly heads: number;
  readonly kvHeads: number;
  /** Even. */
  readonly headDim: number;
  /** Base of the rotary angles; 0 for none, in models with learned positions. */
  readonly theta: number;
}

/**
 * Splits a fused projection into queries, keys and values, and turns queries and keys by their position: elements i and i + headDim / 2 of a head, as a pair, by
 * position · theta^(−2i / headDim).
 * @param qkv [rows, (heads + 2 · kvHeads) · headDim]: all queries of a row, then its keys, then its values
 * @param positions u32 [rows]
 * @returns q [rows, heads, headDim]; k and v [rows, kvHeads, headDim]
 * @throws {ProxmoError} `shape`
 */
export function splitHeadsWithRope(
  qkv: Tensor,
  positions: Tensor,
  { heads, kvHeads, headDim, theta }: HeadLayout,
): { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor } {
  checkShapes(qkv, positions, { heads, kvHeads, headDim, theta });
  const rows = qkv.dim(0);
  const params = { rows, heads, kvHeads, headDim };
  const frequencies = rotaryFrequencies(headDim, theta);
  const shapes = { q: [rows, heads, headDim], k: [rows, kvHeads, headDim], v: [rows, kvHeads, headDim] };
  const { q, k, v } = launch(kernels.splitHeadsWithRope, params, { qkv, positions, frequencies }, shapes);
  differentiableMany('splitHeadsWithRope', [qkv], [q, k, v], ([givenQ, givenK, givenV]) => {
    const dq = givenQ ?? filled(shapes.q, 0);
    const dk = givenK ?? filled(shapes.k, 0);
    const dv = givenV ?? filled(shapes.v, 0);
    return [launch(kernels.splitHeadsWithRopeBackward, params, { dq, dk, dv, positions, frequencies }, { dqkv: qkv.shape }).dqkv];
  });
  return { q, k, v };
}

const frequencyTables = new Map<string, Tensor>();

/** Angle of each pair for one step of position, [headDim / 2]; zeros where `theta` is 0. One tensor for all layers of a model. */
function rotaryFrequencies(headDim: number, theta: number): Tensor {
  const key = `${headDim} ${theta}`;
  const known = frequencyTables.get(key);
  if (known) return known;
  const values = Float64Array.from({ length: headDim / 2 }, (_, i) => (theta === 0 ? 0 : theta ** ((-2 * i) / headDim)));
  const table = constant(values, [headDim / 2]);
  frequencyTables.set(key, table);
  return table;
}

function checkShapes(qkv: Tensor, positions: Tensor, { heads, kvHeads, headDim }: HeadLayout): void {
  const width = (heads + 2 * kvHeads) * headDim;
  const fits =
    headDim % 2 === 0 &&
    qkv.shape.length === 2 &&
    qkv.dim(1) === width &&
    positions.dtype === 'u32' &&
    positions.shape.length === 1 &&
    positions.dim(0) === qkv.dim(0);
  if (fits) return;
  throw new ProxmoError(
    'shape',
    `splitHeadsWithRope of ${heads} and ${kvHeads} heads needs an even headDim, qkv [rows, ${width}] and positions u32 [rows]; it was given ` +
      `headDim ${headDim}, [${qkv.shape.join(', ')}] and ${positions.dtype} [${positions.shape.join(', ')}].`,
  );
}
