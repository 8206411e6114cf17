/**
 * The policy loss: PPO's clipped surrogate (Schulman et al., arXiv 1707.06347) with a second clip for negative
 * advantages (Ye et al., arXiv 1912.09729, equation 5), a KL term against a reference policy, and an entropy bonus.
 *
 * For a token with ratio ρ = exp(logProb − oldLogProb) and Δ = referenceLogProb − logProb:
 * - policy loss: max(−A·ρ, −A·clip(ρ, 1 − clipLow, 1 + clipHigh)); where A < 0, at most −dualClip·A
 * - KL: k1 = −Δ, k2 = ½Δ², k3 = exp(Δ) − Δ − 1, clamped to ±10 (Schulman, "Approximating KL divergence", 2020)
 */
import { scaleBy } from '../../kernels/broadcast.ts';
import * as kernels from '../../kernels/ppoLoss.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { scale } from './elementwise.ts';
import { type KlEstimator, klEstimatorProblem, klEstimators } from './klEstimators.ts';

/** All [rows]. Gradients flow to `logProb` and `entropy` only. */
export interface PpoLossInputs {
  readonly logProb: Tensor;
  /** Of the policy that sampled the tokens. */
  readonly oldLogProb: Tensor;
  readonly referenceLogProb: Tensor;
  readonly entropy: Tensor;
  readonly advantage: Tensor;
  /** The token's share in the loss; 0 for padding. See `tokenWeights` in src/rl/aggregation.ts. */
  readonly weight: Tensor;
}

export interface PpoLossOptions {
  readonly clipLow: number;
  readonly clipHigh: number;
  /** 1 or more; null for none. */
  readonly dualClip: number | null;
  readonly klCoefficient: number;
  /** For a loss, k2 or k3; see `klEstimatorProblem`. */
  readonly klEstimator: KlEstimator;
  readonly entropyCoefficient: number;
}

/**
 * The layout of the statistics. Each is a sum over the tokens, times their weight; divided by `weight`, it is a mean.
 * Two are not weighted: `tokens` counts tokens with a weight, and `largestLogProbChange` is the largest |logProb −
 * oldLogProb| among them.
 * - `clipShare`: tokens whose loss was the clipped one; `dualClipShare`: tokens held by the second clip
 * - `ratio`: ρ
 */
export const ppoStatistics = kernels.ppoTotals.slice(1) as readonly PpoStatistic[];
export type PpoStatistic = Exclude<kernels.PpoTotal, 'loss'>;

/**
 * Σ weight · (policy loss + klCoefficient · KL − entropyCoefficient · entropy).
 * @returns the loss, [1], and the statistics in the order of `ppoStatistics`
 * @throws {ProxmoError} `shape` if the inputs are not all [rows]; `config` if the KL estimator is none for a loss
 */
export function ppoLoss(
  inputs: PpoLossInputs,
  options: PpoLossOptions,
): { readonly loss: Tensor; readonly statistics: Tensor } {
  const { logProb, oldLogProb, referenceLogProb, entropy, advantage, weight } = inputs;
  const columns = { logProb, oldLogProb, referenceLogProb, entropy, advantage, weight };
  checkShapes(columns);
  const problem = klEstimatorProblem(options);
  if (problem !== null) throw new ProxmoError('config', `ppoLoss: klEstimator ${problem}.`);
  const { clipLow, clipHigh, dualClip, klCoefficient, entropyCoefficient } = options;
  const rows = logProb.size;
  const params = {
    rows,
    run: Math.max(16, Math.ceil(Math.sqrt(rows))),
    clipLow,
    clipHigh,
    dualClip: dualClip ?? 0,
    klCoefficient,
    klEstimator: 1 + klEstimators.indexOf(options.klEstimator),
    entropyCoefficient,
  };
  const runs = kernels.ppoRunsOf(params);
  const { slope, partial } = launch(kernels.ppoLoss, params, columns, {
    slope: [rows],
    partial: [runs, kernels.ppoTotals.length],
  });
  const { loss, statistics } = launch(
    kernels.ppoLossTotals,
    { runs },
    { partial },
    { loss: [1], statistics: [ppoStatistics.length] },
  );
  differentiable('ppoLoss', [logProb, entropy], loss, (dy) => {
    const times = (x: Tensor) => launch(scaleBy, { count: rows }, { x, factor: dy }, { y: [rows] }).y;
    return [times(slope), entropyCoefficient === 0 ? null : scale(times(weight), -entropyCoefficient)];
  });
  return { loss, statistics };
}

function checkShapes(columns: Readonly<Record<string, Tensor>>): void {
  const rows = columns.logProb?.dim(0);
  for (const [name, { shape }] of Object.entries(columns)) {
    if (shape.length === 1 && shape[0] === rows) continue;
    throw new ProxmoError(
      'shape',
      `ppoLoss needs all its inputs as [rows], here [${rows}]; ${name} is [${shape.join(', ')}].`,
    );
  }
}
