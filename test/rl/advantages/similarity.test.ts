/** Ratcliff/Obershelp similarity, to the bit as Python's difflib has it, and first-fit step groups. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anchorGroups } from '../../../src/rl/advantages/anchorGroups.ts';
import { Alphabet, SimilarityTarget } from '../../../src/rl/advantages/similarity.ts';
import { indexRollout } from '../../../src/rl/rows.ts';
import ratios from '../../fixtures/difflibRatios.json' with { type: 'json' };
import { rolloutOf } from '../../support/rollouts.ts';

function ratio(a: string, b: string): number {
  const alphabet = new Alphabet();
  return new SimilarityTarget(alphabet.encode(b)).ratio(alphabet.encode(a));
}

function reaches(a: string, b: string, threshold: number): boolean {
  const alphabet = new Alphabet();
  const target = new SimilarityTarget(alphabet.encode(b));
  return target.reaches(alphabet.encode(a), threshold);
}

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '🙂'), maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvw'), minLength: 190, maxLength: 230 }),
);

describe('ratio', () => {
  // Computed by `difflib.SequenceMatcher(None, a, b).ratio()` of Python 3.11; texts of 200 characters and more meet its
  // junk heuristic.
  it.each((ratios as [string, string, number][]).map((pair, index) => [index, ...pair] as const))(
    'of pair %i',
    (_, a, b, expected) => {
      expect(ratio(a, b)).toBe(expected);
    },
  );

  it('is 1 for equal texts and stays within [0, 1]', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(ratio(a, a)).toBe(1);
        expect(ratio(a, b)).toBeGreaterThanOrEqual(0);
        expect(ratio(a, b)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('reaches a threshold just where it says so', () => {
    fc.assert(
      fc.property(text, text, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, threshold) => {
        expect(reaches(a, b, threshold)).toBe(ratio(a, b) >= threshold);
        expect(reaches(a, b, ratio(a, b))).toBe(true);
      }),
    );
  });

  it('can be asked again and again', () => {
    const alphabet = new Alphabet();
    const target = new SimilarityTarget(alphabet.encode('You open the drawer 1.'));
    const other = alphabet.encode('You open the fridge 1.');
    expect([target.ratio(other), target.ratio(other)]).toEqual(
      new Array(2).fill(ratio('You open the fridge 1.', 'You open the drawer 1.')),
    );
  });
});

describe('anchorGroups', () => {
  const groupsOf = (observations: readonly string[], similarity: number | null) =>
    anchorGroups(indexRollout(rolloutOf({ rewards: observations.map(() => 0), observations })), similarity);

  it('joins the first founder that is similar enough, not the most similar one', () => {
    // The third text shares 5 of 8 characters with the first and 7 with the second, which share 4 of theirs.
    const observations = ['aaaabbbb', 'bbbbcccc', 'abbbbccc', 'bbbbcccc'];
    expect(groupsOf(observations, 0.6)).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expect(groupsOf(observations, 0.5)).toEqual([[0, 1, 2, 3]]);
    expect(groupsOf(observations, null)).toEqual([[0], [1, 3], [2]]);
  });

  it('is what comparing every row with every founder gives', () => {
    const word = fc.constantFrom('drawer', 'mug', '1', '2', 'open', 'closed');
    const sentences = fc.array(
      fc.array(word, { maxLength: 4 }).map((words) => words.join(' ')),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(sentences, fc.double({ min: 0, max: 1, noNaN: true }), (observations, similarity) => {
        const clusters: number[][] = [];
        for (const [row, observation] of observations.entries()) {
          const cluster = clusters.find(([founder]) => ratio(observation, observations[founder!]!) >= similarity);
          if (cluster) cluster.push(row);
          else clusters.push([row]);
        }
        expect(groupsOf(observations, similarity)).toEqual(clusters);
      }),
    );
  });
});
