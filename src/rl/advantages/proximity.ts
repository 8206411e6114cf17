/**
 * ProxMO's step level, proximity-based soft aggregation (PSA, arXiv 2602.19225): the baseline of a row is the mean of
 * penalised returns in its task group, weighted by a softmax over the cosine similarity of anchors. Returns are taken
 * less the group's mean, which changes no advantage. Row by row and in float64: what the device path in
 * `proximityProgram.ts` is held against.
 */
import { type TermCounts, weighTerms } from '../../text/tfidf.ts';
import type { RolloutBatch } from '../rows.ts';

export interface ProximityOptions {
  /** τ: a row's weight is proportional to exp(cosine / τ). */
  readonly temperature: number;
  /** Take each row out of its own baseline. */
  readonly leaveSelfOut: boolean;
  /** Take the whole trajectory of each row out of its baseline. */
  readonly leaveTrajectoryOut: boolean;
}

/**
 * Step advantages Ĝ_i − Σ_j weight_ij·Ĝ_j, `[rows]`, from returns less their group's mean. A row without a known term
 * has cosine 0 with every row, itself included. Where the vocabulary is empty, or nothing is left to compare with, the
 * advantage is 0.
 */
export function referenceSoftAdvantages(
  batch: RolloutBatch,
  terms: TermCounts,
  centredReturn: Float64Array,
  options: ProximityOptions,
): Float64Array {
  const advantage = new Float64Array(batch.rows.length);
  if (terms.vocabulary.length === 0) return advantage;
  const weights = weighTerms(terms);
  const anchor = new Float64Array(terms.vocabulary.length);
  for (const { rows } of batch.groups) {
    for (const row of rows) {
      const others = rows.filter((other) => !isLeftOut(batch, row, other, options));
      if (others.length === 0) continue;
      anchor.fill(0);
      addRow(terms, weights, terms.documentOf[row]!, anchor);
      const logits = others.map(
        (other) => dotRow(terms, weights, terms.documentOf[other]!, anchor) / options.temperature,
      );
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
