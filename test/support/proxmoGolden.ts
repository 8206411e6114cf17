/**
 * Golden vectors of the official ProxMO implementation: `proxmoGolden.json` holds what it computed for five rollouts,
 * to six digits, in a compact form that this file unfolds. Joint advantages are left out: they are the sum of the two
 * levels.
 */
import type { AdvantageOptions } from '../../src/rl/advantages/index.ts';
import type { RolloutRow } from '../../src/rl/rows.ts';
import sets from '../fixtures/proxmoGolden.json' with { type: 'json' };

export interface GoldenCase {
  readonly name: string;
  readonly options: AdvantageOptions;
  /** A^E, `[rows]`. */
  readonly episode: readonly number[];
  /** A^S, `[rows]`. */
  readonly step: readonly number[];
}

export interface GoldenSet {
  /** Largest reward: advantages are compared in its unit. */
  readonly winReward: number;
  readonly rows: readonly RolloutRow[];
  readonly stepReturns: readonly number[];
  readonly scores: readonly number[];
  readonly penalisedReturns: readonly number[];
  /** Terms by column. */
  readonly vocabulary: readonly string[];
  readonly idf: readonly number[];
  /** Weights by term of the first rows. */
  readonly tfidf: readonly Readonly<Record<string, number>>[];
  readonly cases: readonly GoldenCase[];
}

type StoredSet = (typeof sets)[number];
/** Options under the names of the official implementation. */
interface StoredOptions {
  readonly mode: string;
  readonly enable_psc?: boolean;
  readonly psc_alpha?: number;
  readonly psc_beta?: number;
  readonly similarity_thresh?: number;
}

function unfoldRows({ observations, trajectories }: StoredSet): RolloutRow[] {
  return trajectories.flatMap(({ group, trajectory, success, rewards, valid, observations: anchors }) =>
    rewards.map((reward, step) => ({
      group,
      trajectory,
      step,
      reward,
      success,
      valid: valid[step] === 1,
      observation: observations[anchors[step]!]!,
    })),
  );
}

function optionsOf({ gamma, invalidPenalty, temperature }: StoredSet, options: StoredOptions): AdvantageOptions {
  const common = { preset: 'reference', gamma, invalidPenalty } as const;
  if (options.mode === 'soft_grouping') {
    const psc = options.enable_psc ? { alpha: options.psc_alpha, beta: options.psc_beta } : { psc: false };
    return { ...common, estimator: 'proxmo', temperature, ...psc };
  }
  const normalisation = options.mode === 'mean_std_norm' ? 'zscore' : 'mean';
  return { ...common, estimator: 'gigpo', normalisation, similarity: options.similarity_thresh };
}

export const goldenSets: readonly GoldenSet[] = sets.map((set) => ({
  ...set,
  rows: unfoldRows(set),
  tfidf: set.tfidf as readonly Readonly<Record<string, number>>[],
  cases: set.cases.map((golden) => ({ ...golden, options: optionsOf(set, golden.options) })),
}));
