/** How the losses of tokens are put together: the weight of each token in the sum that is the loss. */

/**
 * A sequence is the reply of one turn.
 *
 * - `token-mean`: the mean over all tokens
 * - `episode-mean`: the mean over each episode's tokens, the mean over episodes, so that a long episode counts no more
 *   than a short one
 * - `seq-mean-token-sum`: the sum over each sequence's tokens, the mean over sequences
 * - `seq-mean-token-mean`: the mean over each sequence's tokens, the mean over sequences
 * - `seq-mean-token-sum-norm`: the sum over each sequence's tokens divided by the longest length that a sequence may
 *   have, the mean over sequences (Liu et al., arXiv 2503.20783)
 */
export const aggregationModes = [
  'token-mean',
  'episode-mean',
  'seq-mean-token-sum',
  'seq-mean-token-mean',
  'seq-mean-token-sum-norm',
] as const;
export type AggregationMode = (typeof aggregationModes)[number];

/** A sequence, as its weight depends on it. */
export interface WeighedLength {
  /** Its policy tokens; sequences without any do not count. */
  readonly length: number;
  /** Policy tokens of its whole episode, in this batch or not. */
  readonly ofEpisode: number;
}

/**
 * The weight of each sequence's tokens. With these, Σ weight · loss over a batch is the aggregated loss, however the
 * batch is split up.
 * @param sequences of the whole batch
 * @param longest tokens that a sequence may have, for `seq-mean-token-sum-norm`; the longest of the batch if absent
 * @returns one weight a sequence, for each of its tokens
 */
export function tokenWeights(
  sequences: readonly WeighedLength[],
  mode: AggregationMode,
  longest: number = sequences.reduce((a, { length }) => Math.max(a, length), 0),
): number[] {
  const present = sequences.filter(({ length }) => length > 0);
  const sum = (numberOf: (sequence: WeighedLength) => number) => present.reduce((a, b) => a + numberOf(b), 0);
  const tokens = sum(({ length }) => length);
  const episodes = sum(({ length, ofEpisode }) => length / ofEpisode);
  const weightOf = ({ length, ofEpisode }: WeighedLength): number => {
    if (mode === 'token-mean') return 1 / tokens;
    if (mode === 'episode-mean') return 1 / (episodes * ofEpisode);
    if (mode === 'seq-mean-token-sum') return 1 / present.length;
    if (mode === 'seq-mean-token-mean') return 1 / (present.length * length);
    return 1 / (present.length * longest);
  };
  return sequences.map((sequence) => (sequence.length > 0 ? weightOf(sequence) : 0));
}
