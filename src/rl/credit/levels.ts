/**
 * What each row's advantage consists of: both levels before and after modulation, and the states that its step baseline
 * is made of. Computed on the host from what the estimator came to, so that estimating is not held up by it.
 */
import { groupBy } from '../../base/groupBy.ts';
import { anchorGroups } from '../advantages/anchorGroups.ts';
import { type AnchorShare, AnchorSimilarity } from '../advantages/anchorSimilarity.ts';
import { polarisedWeights, successRate, unmodulated } from '../advantages/episode.ts';
import { type AdvantageResult, anchorTerms, hasSoftStepLevel, softScales } from '../advantages/estimator.ts';
import type { AdvantageSettings, GigpoSettings, LibrarySettings, ProxmoSettings } from '../advantages/options.ts';
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
  if (settings.estimator === 'own') return (row) => ownLevels(result, row);
  const episodeLevel = episodeLevels(batch, settings, result.score);
  const stepLevel = stepLevels(batch, settings, result);
  return (row) => ({ episodeLevel: episodeLevel(row), stepLevel: stepLevel(row) });
}

/**
 * Of an estimator of a user's own, which does not say what it compares with: as if it took differences and no more. A
 * turn that it says nothing of has no step level.
 */
function ownLevels({ score, episode, step, stepReturn, penalisedReturn }: AdvantageResult, row: number): RowLevels {
  const [earned, ofEpisode, came, ofStep] = [score[row]!, episode[row]!, penalisedReturn[row]!, step[row]!];
  return {
    episodeLevel: {
      score: earned,
      baseline: earned - ofEpisode,
      scale: 1,
      before: ofEpisode,
      weight: 1,
      successRate: null,
    },
    stepLevel:
      ofStep === 0
        ? null
        : {
            return: stepReturn[row]!,
            penalisedReturn: came,
            baseline: came - ofStep,
            before: ofStep,
            scale: 1,
            omega: 1,
            neighbours: [],
          },
  };
}

function episodeLevels(
  batch: RolloutBatch,
  settings: LibrarySettings,
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
function episodeScales(batch: RolloutBatch, settings: LibrarySettings, score: Float64Array): Float64Array {
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
  settings: LibrarySettings,
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
  const namesOf = new WeakMap<readonly AnchorShare[], readonly NeighbourName[]>();
  return (row) => {
    const shares = similarity.shares(row, settings, namedNeighbours);
    let names = namesOf.get(shares);
    if (!names) {
      names = shares.map(
        (share) => new NeighbourName(batch, share.rows, share.similarity, share.weight, penalisedReturn),
      );
      namesOf.set(shares, names);
    }
    return names.map((name) => name.beside(row));
  };
}

/** Rows with one anchor, as a neighbour is written down: named by one of another episode where there is one. */
class NeighbourName {
  private readonly first: Neighbour;
  /** For rows of the first one's episode. */
  private readonly other: Neighbour;
  private readonly trajectory: number;

  /** @param weight share in the baseline */
  constructor(
    private readonly batch: RolloutBatch,
    rows: readonly number[],
    similarity: number | null,
    weight: number,
    penalisedReturn: Float64Array,
  ) {
    const first = rows[0]!;
    const told = {
      turns: rows.length,
      similarity: similarity === null ? null : rounded(similarity),
      weight: rounded(weight),
      return: rounded(meanOf(rows, penalisedReturn)),
    };
    const named = (row: number): Neighbour => {
      const { trajectory, step } = batch.rows[row]!;
      return { trajectory, step, ...told };
    };
    this.trajectory = batch.trajectoryOf[first]!;
    this.first = named(first);
    this.other = named(rows.find((row) => batch.trajectoryOf[row] !== this.trajectory) ?? first);
  }

  /** For the neighbours of a row. */
  beside(row: number): Neighbour {
    return this.batch.trajectoryOf[row] === this.trajectory ? this.other : this.first;
  }
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
  const namesOf = new Map<readonly number[], readonly NeighbourName[]>();
  const neighbours = (row: number): Neighbour[] => {
    const rows = groupOf[row]!;
    let names = namesOf.get(rows);
    if (!names) {
      const anchors = [...groupBy(rows, (other) => batch.rows[other]!.observation).values()];
      names = anchors
        .sort((a, b) => b.length - a.length)
        .slice(0, namedNeighbours)
        .map((members) => new NeighbourName(batch, members, null, members.length / rows.length, penalisedReturn));
      namesOf.set(rows, names);
    }
    return names.map((name) => name.beside(row));
  };
  return { scale, neighbours };
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
