/**
 * The advantages that a batch of rows would have had under other settings, on the host and fast enough to follow a
 * slider: what does not change with a setting is computed once. The numbers are those of the estimator, up to the
 * rounding of the device.
 */

import type { TermCounts } from '../../text/tfidf.ts';
import { AnchorSimilarity } from '../advantages/anchorSimilarity.ts';
import {
  type AdvantageResult,
  anchorTerms,
  checkAnchorsAlone,
  hostAdvantages,
  ofLibrary,
} from '../advantages/estimator.ts';
import { type AdvantageOptions, type ProxmoSettings, resolveAdvantageOptions } from '../advantages/options.ts';
import { indexRollout, type RolloutBatch, type RolloutRow } from '../rows.ts';

/** Vocabularies whose terms and similarities are remembered. */
const remembered = 4;

/**
 * One batch of rows, as an iteration was, to be looked at under any settings.
 * @example
 * const { advantage } = new WhatIf(rows).advantages({ estimator: 'gigpo' });
 */
export class WhatIf {
  readonly batch: RolloutBatch;
  private readonly known = new Map<string, { readonly terms: TermCounts; similarity: AnchorSimilarity | null }>();

  /** @throws {ProxmoError} `data` if the rows are not a valid rollout */
  constructor(rows: readonly RolloutRow[]) {
    this.batch = indexRollout(rows);
  }

  /**
   * Advantages and both levels of each row, in the order of the rows.
   * @throws {ProxmoError} `config`, naming the option that is not valid, or needs the policy's hidden states; or if the
   * estimator is not the library's
   */
  advantages(options: AdvantageOptions): AdvantageResult {
    const chosen = ofLibrary(resolveAdvantageOptions(options));
    checkAnchorsAlone(chosen);
    return hostAdvantages(this.batch, chosen, (_, centredReturn, settings) => {
      const similarity = this.similarity(settings);
      return {
        step: similarity.advantages(centredReturn, settings),
        vocabulary: similarity.terms.vocabulary.length,
      };
    });
  }

  /** The terms of the rows' anchors. */
  terms(settings: ProxmoSettings): TermCounts {
    return this.anchors(settings).terms;
  }

  private similarity(settings: ProxmoSettings): AnchorSimilarity {
    const anchors = this.anchors(settings);
    anchors.similarity ??= new AnchorSimilarity(this.batch, anchors.terms);
    return anchors.similarity;
  }

  private anchors(settings: ProxmoSettings) {
    const key = `${settings.maxFeatures} ${settings.minWordLength}`;
    const known = this.known.get(key) ?? { terms: anchorTerms(this.batch, settings), similarity: null };
    if (!this.known.has(key) && this.known.size >= remembered) this.known.clear();
    this.known.set(key, known);
    return known;
  }
}
