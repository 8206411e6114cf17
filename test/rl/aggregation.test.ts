/** Token weights: with them, a plain weighted sum is each of the aggregated losses. */
import { describe, expect, it } from 'vitest';
import { aggregationModes, tokenWeights } from '../../src/rl/aggregation.ts';

/** Per-token losses of three sequences; the second has no policy token. */
const losses = [[1, 2, 3, 6], [], [4, 10]];
/** The first two are turns of one episode, the third is the first of two turns of another. */
const episodes = [4, 4, 3];
const lengths = losses.map(({ length }, index) => ({ length, ofEpisode: episodes[index]! }));
const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

describe('tokenWeights', () => {
  it.each([
    ['token-mean', (1 + 2 + 3 + 6 + 4 + 10) / 6],
    // A turn of 2 of its episode's 3 tokens is two thirds of an episode.
    ['episode-mean', (12 / 4 + 14 / 3) / (1 + 2 / 3)],
    ['seq-mean-token-sum', (12 + 14) / 2],
    ['seq-mean-token-mean', (3 + 7) / 2],
    ['seq-mean-token-sum-norm', (12 / 4 + 14 / 4) / 2],
  ] as const)('%s', (mode, expected) => {
    const weights = tokenWeights(lengths, mode);
    expect(total(losses.map((sequence, index) => weights[index]! * total(sequence)))).toBeCloseTo(expected, 12);
  });

  it('divides by the longest length a sequence may have', () => {
    expect(tokenWeights(lengths, 'seq-mean-token-sum-norm', 10)).toEqual([0.05, 0, 0.05]);
  });

  it.each(aggregationModes)('%s does not grow with the number of sequences', (mode) => {
    const twice = [...lengths, ...lengths];
    expect(tokenWeights(twice, mode).map((weight) => 2 * weight)).toEqual(
      [...tokenWeights(lengths, mode), ...tokenWeights(lengths, mode)].map((weight) => expect.closeTo(weight, 12)),
    );
  });

  it.each(aggregationModes)('%s of no tokens at all', (mode) => {
    expect(
      tokenWeights(
        [0, 0].map((length) => ({ length, ofEpisode: 5 })),
        mode,
      ),
    ).toEqual([0, 0]);
    expect(tokenWeights([], mode)).toEqual([]);
  });
});
