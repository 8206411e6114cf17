/**
 * What each row's advantage consists of: both levels before and after modulation, and the states that its step baseline
 * is made of. Computed on the host from what the estimator came to, so that estimating is not held up by it.
 */
import { anchorGroups } from '../advantages/anchorGroups.ts';
import { type AnchorShare, AnchorSimilarity } from '../advantages/anchorSimilarity.ts';
import { polarisedWeights, successRate, unmodulated } from '../advantages/episode.ts';
import { type AdvantageResult, anchorTerms, hasSoftStepLevel, softScales } from '../advantages/estimator.ts';
import type { AdvantageSettings, GigpoSettings, ProxmoSettings } from '../advantages/options.ts';
import { divisor, moments, sampleWeights } from '../advantages/statistics.ts';
import type { RolloutBatch } from '../rows.ts';
import type { EpisodeLevel, Neighbour, StepLevel } from './record.ts';

/** So many anchors are named as a row's neighbours. */
const namedNeighbours = 5;

/** What one row's advantage consists of. */
export interface RowLevels {
  readonly episodeLevel: EpisodeLevel;
  /** Null where the estimator has none. */
  readonly stepLevel: StepLevel | null;
}

/**
 * The levels of the rows of a batch.
 * @param result what the estimator came to with these settings
 * @returns gives those of a row
 */
export function levelsOf(
  batch: RolloutBatch,
  settings: AdvantageSettings,
  result: AdvantageResult,
): (row: number) => RowLevels {
  const episodeLevel = episodeLevels(batch, settings, result.score);
  const stepLevel = stepLevels(batch, settings, result);
  return (row) => ({ episodeLevel: episodeLevel(row), stepLevel: stepLevel(row) });
}

function episodeLevels(
  batch: RolloutBatch,
  settings: AdvantageSettings,
  score: Float64Array,
): (row: number) => EpisodeLevel {
  const before = unmodulated(batch, settings, score);
  const scale = episodeScales(batch, settings, score);
  const modulation = settings.estimator === 'proxmo' && settings.psc ? modulationOf(batch, settings, score) : null;
  return (row) => ({
    score: score[row]!,
    baseline: score[row]! - before[row]! * scale[row]!,
    scale: scale[row]!,
    before: before[row]!,
    weight: modulation?.weight[row] ?? 1,
    successRate: modulation?.successRate[row] ?? null,
  });
}

/** What differences of scores were divided by, `[rows]`. */
function episodeScales(batch: RolloutBatch, settings: AdvantageSettings, score: Float64Array): Float64Array {
  const scale = new Float64Array(score.length).fill(1);
  if (settings.estimator === 'rloo') return scale;
  const weights = sampleWeights(batch, settings.population);
  const populations = settings.estimator === 'reinforce++' ? [[...score.keys()]] : batch.groups.map(({ rows }) => rows);
  for (const rows of populations) {
    const divided = divisor(moments(score, weights, rows), settings);
    for (const row of rows) scale[row] = divided;
  }
  return scale;
}

function modulationOf(batch: RolloutBatch, settings: ProxmoSettings, score: Float64Array) {
  const rates = new Float64Array(score.length);
  for (const group of batch.groups) {
    const rate = successRate(batch, group, score, settings.successSource);
    for (const row of group.rows) rates[row] = rate;
  }
  return { weight: polarisedWeights(batch, score, settings), successRate: rates };
}

function stepLevels(
  batch: RolloutBatch,
  settings: AdvantageSettings,
  result: AdvantageResult,
): (row: number) => StepLevel | null {
  const level = (row: number, scale: number, omega: number, neighbours: Neighbour[]): StepLevel => {
    const before = result.step[row]! * scale;
    return {
      return: result.stepReturn[row]!,
      penalisedReturn: result.penalisedReturn[row]!,
      baseline: result.penalisedReturn[row]! - before,
      before,
      scale,
      omega,
      neighbours,
    };
  };
  if (hasSoftStepLevel(settings)) {
    const neighbours = softNeighbours(batch, settings, result.penalisedReturn);
    const scale = softScales(batch, settings, result.penalisedReturn);
    return (row) => level(row, scale[row]!, settings.omega, neighbours(row));
  }
  if (settings.estimator === 'gigpo') {
    const { scale, neighbours } = hardNeighbours(batch, settings, result.penalisedReturn);
    return (row) => level(row, scale[row]!, settings.omega, neighbours(row));
  }
  return () => null;
}

/** ProxMO: the anchors that are most like a row's; none where hidden states count, which the host does not have. */
function softNeighbours(
  batch: RolloutBatch,
  settings: ProxmoSettings,
  penalisedReturn: Float64Array,
): (row: number) => Neighbour[] {
  if (settings.similarity !== 'tfidf') return () => [];
  const similarity = new AnchorSimilarity(batch, anchorTerms(batch, settings));
  const nearestOf = new WeakMap<readonly AnchorShare[], readonly NearAnchor[]>();
  return (row) => {
    const shares = similarity.shares(row, settings, namedNeighbours);
    let nearest = nearestOf.get(shares);
    if (!nearest) nearestOf.set(shares, (nearest = nearAnchors(shares, penalisedReturn)));
    return nearest.map(({ rows, figures }) => ({ ...named(batch, row, rows), ...figures }));
  };
}

/** An anchor as it is written down, and its rows. */
interface NearAnchor {
  readonly rows: readonly number[];
  readonly figures: Pick<Neighbour, 'similarity' | 'weight' | 'return'>;
}

function nearAnchors(shares: readonly AnchorShare[], penalisedReturn: Float64Array): NearAnchor[] {
  return shares.map(({ rows, similarity, weight }) => ({
    rows,
    figures: {
      similarity: rounded(similarity),
      weight: rounded(weight),
      return: rounded(meanOf(rows, penalisedReturn)),
    },
  }));
}

/** GiGPO: the anchors of a row's step group. */
function hardNeighbours(batch: RolloutBatch, settings: GigpoSettings, penalisedReturn: Float64Array) {
  const scale = new Float64Array(penalisedReturn.length).fill(1);
  const weights = new Float64Array(penalisedReturn.length).fill(1);
  const groupOf: (readonly number[])[] = [];
  for (const rows of anchorGroups(batch, settings.similarity)) {
    const divided = rows.length > 1 ? divisor(moments(penalisedReturn, weights, rows), settings) : 1;
    for (const row of rows) {
      scale[row] = divided;
      groupOf[row] = rows;
    }
  }
  const neighbours = (row: number): Neighbour[] => {
    const rows = groupOf[row]!;
    const anchors = new Map<string, number[]>();
    for (const other of rows) {
      const { observation } = batch.rows[other]!;
      const known = anchors.get(observation);
      if (known) known.push(other);
      else anchors.set(observation, [other]);
    }
    const shares = [...anchors.values()].sort((a, b) => b.length - a.length);
    return shares.slice(0, namedNeighbours).map((members) => ({
      ...named(batch, row, members),
      similarity: null,
      weight: rounded(members.length / rows.length),
      return: rounded(meanOf(members, penalisedReturn)),
    }));
  };
  return { scale, neighbours };
}

/** How rows with one anchor are named: by one of another episode where there is one. */
function named(batch: RolloutBatch, row: number, rows: readonly number[]) {
  const other = rows.find((each) => batch.trajectoryOf[each] !== batch.trajectoryOf[row]) ?? rows[0]!;
  const { trajectory, step } = batch.rows[other]!;
  return { trajectory, step, turns: rows.length };
}

function meanOf(rows: readonly number[], values: Float64Array): number {
  return rows.reduce((sum, row) => sum + values[row]!, 0) / rows.length;
}

/** Five digits are more than a reader takes in, and much less to write. */
export function rounded(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const decimals = 4 - Math.floor(Math.log10(Math.abs(value)));
  // Beyond, a power of ten is no number of float64 any more, and a division by it loses digits.
  if (decimals < 0 || decimals > 22) return Number(value.toPrecision(5));
  const unit = 10 ** decimals;
  return Math.round(value * unit) / unit;
}
