/** How the losses of tokens are put together: the weight of each token in the sum that is the loss. */

/**
 * - `token-mean`: the mean over all tokens
 * - `seq-mean-token-sum`: the sum over each sequence's tokens, the mean over sequences
 * - `seq-mean-token-mean`: the mean over each sequence's tokens, the mean over sequences
 * - `seq-mean-token-sum-norm`: the sum over each sequence's tokens divided by the longest length that a sequence may
 *   have, the mean over sequences (Liu et al., arXiv 2503.20783)
 */
export const aggregationModes = [
  'token-mean',
  'seq-mean-token-sum',
  'seq-mean-token-mean',
  'seq-mean-token-sum-norm',
] as const;
export type AggregationMode = (typeof aggregationModes)[number];

/**
 * The weight of each sequence's tokens. With these, Σ weight · loss over a batch is the aggregated loss, however the
 * batch is split up.
 * @param lengths number of policy tokens in each sequence of the whole batch; sequences without any do not count
 * @param longest tokens that a sequence may have, for `seq-mean-token-sum-norm`; the longest of the batch if absent
 * @returns one weight a sequence, for each of its tokens
 */
export function tokenWeights(
  lengths: readonly number[],
  mode: AggregationMode,
  longest: number = lengths.reduce((a, b) => Math.max(a, b), 0),
): number[] {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const sequences = lengths.filter((length) => length > 0).length;
  const weightOf = (length: number): number => {
    if (mode === 'token-mean') return 1 / tokens;
    if (mode === 'seq-mean-token-sum') return 1 / sequences;
    if (mode === 'seq-mean-token-mean') return 1 / (sequences * length);
    return 1 / (sequences * longest);
  };
  return lengths.map((length) => (length > 0 ? weightOf(length) : 0));
}
