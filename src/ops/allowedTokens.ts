/**
 * Distributions over allowed tokens only. What is allowed comes from trees of token sequences (`src/nn/constraint.ts` packs them): a list of edges, each with the token
 * that it takes and the range of the edges that may follow it. A row stands at a range of edges; an empty range allows everything.
 */
import * as kernel from '../../kernels/maskLogits.ts';
import { trieStep } from '../../kernels/trieStep.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * Logits with those of tokens that are not allowed at −1e30, so that they have probability 0 under softmax. No gradient flows to them.
 * @param logits `[rows, vocab]`
 * @param ranges u32 `[rows, 2]`: start and count of each row's edges
 * @param tokens u32 `[edges]`; ascending within a range
 * @returns `[rows, vocab]`
 * @throws {ProxmoError} `shape` if the shapes do not fit
 */
export function maskLogits(logits: Tensor, ranges: Tensor, tokens: Tensor): Tensor {
  const [rows, width] = [logits.dim(0), logits.dim(1)];
  const masked = (x: Tensor, fill: number) =>
    launch(kernel.maskLogits, { rows, width, edges: tokens.size, fill }, { x, ranges, tokens }, { y: [rows, width] }).y;
  return differentiable('maskLogits', [logits], masked(logits, kernel.maskedLogit), (dy) => [masked(dy, 0)]);
}

/**
 * Where rows stand after a token. Not differentiable: it serves sampling.
 * @param ranges u32 `[rows, 2]`
 * @param token u32 `[rows]`
 * @param tokens u32 `[edges]`
 * @param children u32 `[edges, 2]`: the range that follows each edge
 * @returns u32 `[rows, 2]`; empty where the token was not allowed, or nothing follows it
 * @throws {ProxmoError} `shape` if the shapes do not fit
 */
export function followToken(ranges: Tensor, token: Tensor, tokens: Tensor, children: Tensor): Tensor {
  const params = { batch: token.size, edges: tokens.size };
  return launch(trieStep, params, { ranges, token, tokens, children }, { after: ranges.shape }).after;
}
