/** RMSNorm over each head of queries and keys (as in Qwen3, arXiv 2505.09388). */
import * as kernels from '../../kernels/headNorm.ts';
import { normRuns } from '../../kernels/normBackward.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { columnSum } from './columnSum.ts';
import { rowsPerPartial } from './norm.ts';

/**
 * Normalises the heads of queries and keys in a fused projection, each by the root mean square of its elements; values
 * stay as they are.
 * @param qkv [rows, (heads + 2 · kvHeads) · headDim]: all queries of a row, then its keys, then its values
 * @param weightQ [headDim], for every head of queries
 * @param weightK [headDim], for every head of keys
 * @returns the same shape as qkv
 * @throws {ProxmoError} `shape`
 */
export function headNorm(
  qkv: Tensor,
  weightQ: Tensor,
  weightK: Tensor,
  heads: number,
  kvHeads: number,
  epsilon = 1e-6,
): Tensor {
  const headDim = weightQ.size;
  checkShapes(qkv, weightQ, weightK, heads + 2 * kvHeads);
  const params = { rows: qkv.dim(0), heads, kvHeads, headDim };
  const inputs = { x: qkv, weightQ, weightK };
  const outputs = { y: qkv.shape, scale: [params.rows, heads + 2 * kvHeads] };
  const { y, scale } = launch(kernels.headNorm, { ...params, epsilon }, inputs, outputs);
  return differentiable('headNorm', [qkv, weightQ, weightK], y, (dy) => [
    qkv.requiresGrad ? launch(kernels.headNormBackward, params, { ...inputs, dy, scale }, { dx: qkv.shape }).dx : null,
    ...(weightQ.requiresGrad || weightK.requiresGrad ? weightGradients(dy, qkv, scale, params) : [null, null]),
  ]);
}

function weightGradients(
  dy: Tensor,
  x: Tensor,
  scale: Tensor,
  heads: { rows: number; heads: number; kvHeads: number; headDim: number },
): [Tensor, Tensor] {
  const params = { ...heads, run: rowsPerPartial(heads.rows) };
  const shape = [normRuns(params), heads.headDim];
  const { partialQ, partialK } = launch(
    kernels.headNormWeightGradient,
    params,
    { dy, x, scale },
    { partialQ: shape, partialK: shape },
  );
  return [columnSum(partialQ), columnSum(partialK)];
}

function checkShapes(qkv: Tensor, weightQ: Tensor, weightK: Tensor, allHeads: number): void {
  const fits = [weightQ, weightK].every(({ shape, size }) => shape.length === 1 && size === weightQ.size);
  if (fits && qkv.shape.length === 2 && qkv.dim(1) === allHeads * weightQ.size) return;
  const given = [qkv, weightQ, weightK].map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
  throw new ProxmoError(
    'shape',
    `headNorm of ${allHeads} heads needs qkv [rows, ${allHeads} · headDim] and two weights [headDim]; it was given ${given}.`,
  );
}
