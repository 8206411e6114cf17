/**
 * Mean and standard deviation of scores, over rows or over trajectories.
 *
 * Over trajectories, each trajectory has weight 1, shared evenly by its rows. Where no action was penalised, all rows
 * of a trajectory have one score, and this is the plain mean and deviation of the trajectories' scores. Where some
 * were, their spread counts towards σ, which is 0 only if every score is equal. Still it can be small: where all
 * episodes of n steps fail and one action was malformed, σ is about √n times less than the penalty. So σ has a floor.
 */
import type { RolloutBatch } from '../rows.ts';
import type { Population, Scaling } from './options.ts';

/** Added to σ, as in the official implementation. */
const epsilon = 1e-6;

export interface Moments {
  readonly mean: number;
  /** With one degree of freedom taken off (ddof 1). */
  readonly std: number;
  /** Number of rows or of trajectories. */
  readonly samples: number;
}

/** Each row's share in the statistics, `[rows]`: its weights over a trajectory, or over itself, sum to 1. */
export function sampleWeights(batch: RolloutBatch, population: Population): Float64Array {
  const weights = new Float64Array(batch.rows.length).fill(1);
  if (population === 'trajectories') {
    for (const { rows } of batch.trajectories) for (const row of rows) weights[row] = 1 / rows.length;
  }
  return weights;
}

/** Moments of the values of some rows. A single sample has mean 0 and deviation 1. */
export function moments(values: Float64Array, weights: Float64Array, rows: readonly number[]): Moments {
  const samples = Math.round(rows.reduce((sum, row) => sum + weights[row]!, 0));
  if (samples <= 1) return { mean: 0, std: 1, samples };
  const mean = rows.reduce((sum, row) => sum + weights[row]! * values[row]!, 0) / samples;
  const squares = rows.reduce((sum, row) => sum + weights[row]! * (values[row]! - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / (samples - 1)), samples };
}

/** What x − μ is divided by: max(σ, sigmaFloor) + 1e-6, or 1. */
export function divisor({ std }: Moments, { normalisation, sigmaFloor }: Scaling): number {
  return normalisation === 'mean' ? 1 : Math.max(std, sigmaFloor) + epsilon;
}

/** (x − μ) / (max(σ, sigmaFloor) + 1e-6) or x − μ. */
export function normalise(value: number, group: Moments, scaling: Scaling): number {
  return (value - group.mean) / divisor(group, scaling);
}
