/** Weighted cross-entropy with given tokens. */
import type { Tensor } from '../tensor/tensor.ts';
import { scale } from './elementwise.ts';
import { dot } from './reduce.ts';
import { tokenLogProbs } from './tokenLogProbs.ts';

/**
 * −Σ weight · log softmax(logits)[target].
 * @param logits [rows, vocab]
 * @param targets u32 [rows], as those of `tokenLogProbs`
 * @param weights [rows]; 0 leaves a row out, 1 / rows everywhere gives the mean
 * @returns [1]
 * @throws {ProxmoError} `shape`
 */
export function crossEntropy(logits: Tensor, targets: Tensor, weights: Tensor): Tensor {
  return scale(dot(tokenLogProbs(logits, targets).logProb, weights), -1);
}
