/**
 * ProxMO's step level, proximity-based soft aggregation (PSA, arXiv 2602.19225). The baseline of a row is the mean of
 * penalised returns in its task group, weighted by a softmax over the similarity of states. That is the cosine of their
 * anchors (TF-IDF), that of the policy's hidden states, or a mean of both. Returns are taken less the group's mean,
 * which changes no advantage. Row by row and in float64: what the device paths in `proximityProgram.ts` and
 * `hiddenProgram.ts` are held against.
 */
import { leastDistance } from '../../../kernels/centreRows.ts';
import { type TermCounts, weighTerms } from '../../text/tfidf.ts';
import type { RolloutBatch } from '../rows.ts';

export interface ProximityOptions {
  /** τ: a row's weight is proportional to exp(similarity / τ). */
  readonly temperature: number;
  /** Take each row out of its own baseline. */
  readonly leaveSelfOut: boolean;
  /** Take the whole trajectory of each row out of its baseline. */
  readonly leaveTrajectoryOut: boolean;
}

/** What states are compared by; null for what does not count. */
export interface StateFeatures {
  readonly terms: TermCounts | null;
  /** The hidden state of each row, `[rows][width]`. */
  readonly hidden: readonly ArrayLike<number>[] | null;
  /** Weight of the hidden states' cosine against that of the anchors. */
  readonly hiddenWeight: number;
}

/** The similarity of a row with another of its group. */
type Similarity = (row: number) => (other: number) => number;

/**
 * Step advantages Ĝ_i − Σ_j weight_ij·Ĝ_j, `[rows]`, from returns less their group's mean. A row without a known term
 * has cosine 0 with every row, itself included, and so has a hidden state that is its group's mean. Where anchors alone
 * count and the vocabulary is empty, or nothing is left to compare with, the advantage is 0.
 */
export function referenceSoftAdvantages(
  batch: RolloutBatch,
  features: StateFeatures,
  centredReturn: Float64Array,
  options: ProximityOptions,
): Float64Array {
  const { terms, hidden } = features;
  const advantage = new Float64Array(batch.rows.length);
  if (!hidden && terms?.vocabulary.length === 0) return advantage;
  const similarity = similarityOf(batch, features);
  for (const { rows } of batch.groups) {
    for (const row of rows) {
      const others = rows.filter((other) => !isLeftOut(batch, row, other, options));
      if (others.length === 0) continue;
      const toRow = similarity(row);
      const logits = others.map((other) => toRow(other) / options.temperature);
      const largest = logits.reduce((a, b) => Math.max(a, b));
      let sum = 0;
      let total = 0;
      for (const [index, other] of others.entries()) {
        const weight = Math.exp(logits[index]! - largest);
        sum += weight * centredReturn[other]!;
        total += weight;
      }
      advantage[row] = centredReturn[row]! - sum / total;
    }
  }
  return advantage;
}

function isLeftOut(batch: RolloutBatch, row: number, other: number, options: ProximityOptions): boolean {
  return (
    (options.leaveSelfOut && row === other) ||
    (options.leaveTrajectoryOut && batch.trajectoryOf[row] === batch.trajectoryOf[other])
  );
}

function similarityOf(batch: RolloutBatch, { terms, hidden, hiddenWeight }: StateFeatures): Similarity {
  const byAnchor = terms && anchorSimilarity(terms);
  const byState = hidden && stateSimilarity(batch, hidden);
  return (row) => {
    const [anchors, states] = [byAnchor?.(row), byState?.(row)];
    return (other) => (1 - hiddenWeight) * (anchors?.(other) ?? 0) + hiddenWeight * (states?.(other) ?? 0);
  };
}

function anchorSimilarity(terms: TermCounts): Similarity {
  const weights = weighTerms(terms);
  const { documentOf } = terms;
  return (row) => {
    const anchor = new Float64Array(terms.vocabulary.length);
    addRow(terms, weights, documentOf[row]!, anchor);
    return (other) => dotRow(terms, weights, documentOf[other]!, anchor);
  };
}

/** Cosines of hidden states less their group's mean. */
function stateSimilarity(batch: RolloutBatch, hidden: readonly ArrayLike<number>[]): Similarity {
  const units: Float64Array[] = [];
  for (const { rows } of batch.groups) {
    const states = rows.map((row) => Float64Array.from(hidden[row]!));
    const mean = states[0]!.map((_, i) => states.reduce((sum, state) => sum + state[i]!, 0) / states.length);
    for (const [index, row] of rows.entries()) {
      const state = states[index]!;
      const centred = state.map((value, i) => value - mean[i]!);
      const length = Math.hypot(...centred);
      const isMean = length <= leastDistance * Math.hypot(...state);
      units[row] = centred.map((value) => (isMean ? 0 : value / length));
    }
  }
  return (row) => (other) => units[row]!.reduce((sum, value, i) => sum + value * units[other]![i]!, 0);
}

/** Adds a sparse row to a dense vector `[features]`. */
function addRow({ offsets, columns }: TermCounts, weights: Float64Array, document: number, dense: Float64Array): void {
  for (let entry = offsets[document]!; entry < offsets[document + 1]!; entry++)
    dense[columns[entry]!]! += weights[entry]!;
}

/** The inner product of a sparse row and a dense vector `[features]`. */
function dotRow(
  { offsets, columns }: TermCounts,
  weights: Float64Array,
  document: number,
  dense: Float64Array,
): number {
  let sum = 0;
  for (let entry = offsets[document]!; entry < offsets[document + 1]!; entry++)
    sum += weights[entry]! * dense[columns[entry]!]!;
  return sum;
}
