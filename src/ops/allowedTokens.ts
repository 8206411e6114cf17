/**
 * Distributions over allowed tokens only. What is allowed comes from trees of token sequences (`src/nn/constraint.ts`
 * packs them): a list of edges, each with the token that it takes and the range of the edges that may follow it. A row
 * stands at a range of edges; an empty range allows everything.
 */
import * as kernel from '../../kernels/maskLogits.ts';
import { trieStep } from '../../kernels/trieStep.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/** What the tokens of rows are drawn from. */
export interface AllowedTokens {
  /** u32 `[rows, 2]`: start and count of each row's edges. */
  readonly ranges: Tensor;
  /** u32 `[edges]`: the token of each edge; ascending within a range. */
  readonly tokens: Tensor;
}

/**
 * Logits with those of tokens that are not allowed at −1e30, so that they have probability 0 under softmax. No gradient
 * flows to them.
 * @param logits `[rows, vocab]`
 * @returns `[rows, vocab]`
 * @throws {ProxmoError} `shape` if the shapes do not fit
 */
export function maskLogits(logits: Tensor, allowed: AllowedTokens): Tensor {
  const masked = maskedLogits(logits, allowed, 0);
  return differentiable('maskLogits', [logits], masked, (dy) => [maskedGradient(dy, allowed, 0)]);
}

/**
 * `maskLogits` for the logits of some tokens, those from `start` on, without a gradient of its own.
 * @param logits `[rows, width]`
 */
export function maskedLogits(logits: Tensor, allowed: AllowedTokens, start: number): Tensor {
  return fillMasked(logits, allowed, start, kernel.maskedLogit);
}

/** The gradient of `maskedLogits` in its logits, `[rows, width]`, from that in what it gave. */
export function maskedGradient(gradient: Tensor, allowed: AllowedTokens, start: number): Tensor {
  return fillMasked(gradient, allowed, start, 0);
}

function fillMasked(x: Tensor, { ranges, tokens }: AllowedTokens, start: number, fill: number): Tensor {
  const [rows, width] = [x.dim(0), x.dim(1)];
  return launch(
    kernel.maskLogits,
    { rows, width, edges: tokens.size, start, fill },
    { x, ranges, tokens },
    { y: x.shape },
  ).y;
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
