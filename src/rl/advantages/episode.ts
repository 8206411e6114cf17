/**
 * Episode-level advantages A^E: how well a trajectory did against others, the same on all its rows but for the penalty
 * of malformed actions.
 *
 * - GRPO (DeepSeekMath, arXiv 2402.03300), also under GiGPO and ProxMO: against the group.
 * - RLOO (Ahmadian et al., arXiv 2402.14740): against the rest of the group, not scaled.
 * - REINFORCE++ (Hu et al., arXiv 2501.03262): against the whole batch, scaled.
 * - PSC, the polarised signal controller of ProxMO (arXiv 2602.19225): a weight by the group's success rate.
 */
import type { RolloutBatch, RolloutGroup } from '../rows.ts';
import { logistic } from './optionShapes.ts';
import type { LibrarySettings, Population, ProxmoSettings, Scaling, SuccessSource } from './options.ts';
import { moments, normalise, sampleWeights } from './statistics.ts';

/** Group-relative advantages, `[rows]`. */
export function groupRelative(
  batch: RolloutBatch,
  score: Float64Array,
  population: Population,
  scaling: Scaling,
): Float64Array {
  const weights = sampleWeights(batch, population);
  const advantage = new Float64Array(score.length);
  for (const { rows } of batch.groups) {
    const group = moments(score, weights, rows);
    for (const row of rows) advantage[row] = normalise(score[row]!, group, scaling);
  }
  return advantage;
}

/**
 * Score less the mean score of the group's other samples, `[rows]`. Over trajectories the others are the other
 * trajectories; over rows, as in the official implementation of GiGPO's baselines, all other rows, the trajectory's own
 * among them. An only sample keeps its score.
 */
export function leaveOneOut(batch: RolloutBatch, score: Float64Array, population: Population): Float64Array {
  const weights = sampleWeights(batch, population);
  const own = score.slice();
  if (population === 'trajectories') {
    for (const { rows } of batch.trajectories) {
      const mean = rows.reduce((sum, row) => sum + score[row]!, 0) / rows.length;
      for (const row of rows) own[row] = mean;
    }
  }
  const advantage = score.slice();
  for (const { rows } of batch.groups) {
    const { mean, samples } = moments(score, weights, rows);
    if (samples <= 1) continue;
    for (const row of rows) advantage[row]! -= (samples * mean - own[row]!) / (samples - 1);
  }
  return advantage;
}

/** Scores normalised over all groups at once, `[rows]`. */
export function batchRelative(
  batch: RolloutBatch,
  score: Float64Array,
  population: Population,
  scaling: Scaling,
): Float64Array {
  const whole = moments(score, sampleWeights(batch, population), [...batch.rows.keys()]);
  return score.map((value) => normalise(value, whole, scaling));
}

/**
 * The success rate p of a group: the share of its trajectories with the success flag, or the mean score of its rows,
 * clamped to [0, 1]. The latter saturates where a win pays more than 1, and is 0 for a single row, whose mean counts as
 * 0 here as in the group's statistics.
 */
export function successRate(
  batch: RolloutBatch,
  group: RolloutGroup,
  score: Float64Array,
  source: SuccessSource,
): number {
  if (source === 'flag') {
    return (
      group.trajectories.filter((trajectory) => batch.trajectories[trajectory]!.success).length /
      group.trajectories.length
    );
  }
  if (group.rows.length === 1) return 0;
  const mean = group.rows.reduce((sum, row) => sum + score[row]!, 0) / group.rows.length;
  return Math.min(1, Math.max(0, mean));
}

/**
 * The PSC weight of an episode in a group of success rate p: 1 + β·(logistic((1 − p)^α) − ½) amplifies rare successes,
 * 1 + β·(logistic(−p^α) − ½) attenuates failures where most succeed.
 */
export function polarisedWeight(success: boolean, p: number, alpha: number, beta: number): number {
  return 1 + beta * (logistic(success ? (1 - p) ** alpha : -(p ** alpha)) - 0.5);
}

/** The PSC weight of each row's episode, `[rows]`. */
export function polarisedWeights(batch: RolloutBatch, score: Float64Array, settings: ProxmoSettings): Float64Array {
  const { alpha, beta, successSource } = settings;
  const weights = new Float64Array(score.length);
  for (const group of batch.groups) {
    const p = successRate(batch, group, score, successSource);
    for (const row of group.rows) {
      const success = successSource === 'flag' ? batch.rows[row]!.success : score[row]! > 0.5;
      weights[row] = polarisedWeight(success, p, alpha, beta);
    }
  }
  return weights;
}

/** A^E before its modulation by PSC, `[rows]`. */
export function unmodulated(batch: RolloutBatch, settings: LibrarySettings, score: Float64Array): Float64Array {
  const { population } = settings;
  switch (settings.estimator) {
    case 'rloo':
      return leaveOneOut(batch, score, population);
    case 'reinforce++':
      return batchRelative(batch, score, population, settings);
    case 'grpo':
    case 'gigpo':
    case 'proxmo':
      return groupRelative(batch, score, population, settings);
  }
}

/** A^E, `[rows]`. */
export function episodeLevel(batch: RolloutBatch, settings: LibrarySettings, score: Float64Array): Float64Array {
  const advantage = unmodulated(batch, settings, score);
  if (settings.estimator !== 'proxmo' || !settings.psc) return advantage;
  const weights = polarisedWeights(batch, score, settings);
  return advantage.map((value, row) => value * weights[row]!);
}
