/**
 * Returns and scores of a rollout's rows, and the penalty for malformed actions (ProxMO, arXiv 2602.19225). In float64.
 */
import type { RolloutBatch } from '../rows.ts';

export interface RowReturns {
  /** G_t = r_t + γ·G_{t+1} within the trajectory, from raw rewards, `[rows]`. */
  readonly stepReturn: Float64Array;
  /** Ĝ_t: the step return less the penalty of the row's own action, which later rows do not inherit, `[rows]`. */
  readonly penalisedReturn: Float64Array;
  /** s: the sum of rewards over the row's trajectory less the penalty of the row's own action, `[rows]`. */
  readonly score: Float64Array;
}

/** Computes the returns of every row. */
export function rowReturns(batch: RolloutBatch, gamma: number, invalidPenalty: number): RowReturns {
  const { rows, trajectories } = batch;
  const stepReturn = new Float64Array(rows.length);
  const score = new Float64Array(rows.length);
  for (const trajectory of trajectories) {
    let discounted = 0;
    let total = 0;
    for (const row of trajectory.rows.toReversed()) {
      discounted = rows[row]!.reward + gamma * discounted;
      total += rows[row]!.reward;
      stepReturn[row] = discounted;
    }
    for (const row of trajectory.rows) score[row] = total - penalty(rows[row]!.valid, invalidPenalty);
  }
  const penalisedReturn = stepReturn.map((value, row) => value - penalty(rows[row]!.valid, invalidPenalty));
  return { stepReturn, penalisedReturn, score };
}

function penalty(valid: boolean, invalidPenalty: number): number {
  return valid ? 0 : invalidPenalty;
}
