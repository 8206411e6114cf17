/**
 * Returns and scores of a rollout's rows, and the penalty for malformed actions (ProxMO, arXiv 2602.19225). In float64.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { RolloutBatch } from '../rows.ts';
import { smallestUnit } from './optionShapes.ts';
import type { AdvantageSettings, ReturnUnit } from './options.ts';

/** Returns and scores of the rows of a batch. */
export interface RowReturns {
  /** What the numbers below, and the penalty, are measured in: this much of the environment's reward. */
  readonly returnUnit: number;
  /**
   * G_t = r_t + γ·G_{t+1} within the trajectory, from raw rewards, `[rows]`; not discounted by an estimator that has
   * no γ.
   */
  readonly stepReturn: Float64Array;
  /** Ĝ_t: the step return less the penalty of the row's own action, which later rows do not inherit, `[rows]`. */
  readonly penalisedReturn: Float64Array;
  /** s: the sum of rewards over the row's trajectory less the penalty of the row's own action, `[rows]`. */
  readonly score: Float64Array;
}

/**
 * Computes the returns of every row.
 * @throws {ProxmoError} `data` if a success earns next to nothing where it is the unit
 */
export function rowReturns(batch: RolloutBatch, settings: AdvantageSettings): RowReturns {
  const { rows, trajectories } = batch;
  const { invalidPenalty } = settings;
  const unit = unitOf(batch, settings.returnUnit);
  const gamma = 'gamma' in settings ? settings.gamma : 1;
  const stepReturn = new Float64Array(rows.length);
  const score = new Float64Array(rows.length);
  for (const trajectory of trajectories) {
    let discounted = 0;
    let total = 0;
    for (const row of trajectory.rows.toReversed()) {
      const reward = rows[row]!.reward / unit;
      discounted = reward + gamma * discounted;
      total += reward;
      stepReturn[row] = discounted;
    }
    for (const row of trajectory.rows) score[row] = total - penalty(rows[row]!.valid, invalidPenalty);
  }
  const penalisedReturn = stepReturn.map((value, row) => value - penalty(rows[row]!.valid, invalidPenalty));
  return { returnUnit: unit, stepReturn, penalisedReturn, score };
}

/** The unit of returns. Where no episode of a batch succeeded, or successes earn nothing, it is the reward's own. */
function unitOf({ rows, trajectories }: RolloutBatch, returnUnit: ReturnUnit): number {
  if (typeof returnUnit === 'number') return returnUnit;
  const successes = returnUnit === 'success' ? trajectories.filter(({ success }) => success) : [];
  const earned = successes.flatMap((trajectory) => trajectory.rows.map((row) => rows[row]!.reward));
  const unit = Math.abs(earned.reduce((sum, reward) => sum + reward, 0)) / Math.max(1, successes.length);
  if (unit === 0) return 1;
  if (unit >= smallestUnit) return unit;
  throw new ProxmoError(
    'data',
    `A success earns ${unit} on average, which is too little to measure returns in; set returnUnit to a number of ${smallestUnit} or more, or to reward.`,
  );
}

/**
 * Penalised returns less their mean in the group, `[rows]`: no step advantage depends on that mean, and without it
 * baselines in float32 keep their digits where all returns are far from 0.
 */
export function centredReturns(batch: RolloutBatch, { penalisedReturn }: RowReturns): Float64Array {
  const centred = new Float64Array(penalisedReturn.length);
  for (const { rows } of batch.groups) {
    const mean = rows.reduce((sum, row) => sum + penalisedReturn[row]!, 0) / rows.length;
    for (const row of rows) centred[row] = penalisedReturn[row]! - mean;
  }
  return centred;
}

function penalty(valid: boolean, invalidPenalty: number): number {
  return valid ? 0 : invalidPenalty;
}
