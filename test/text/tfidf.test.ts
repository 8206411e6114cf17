/**
 * TF-IDF: words, vocabulary, inverse document frequencies, and weights against the golden vectors of scikit-learn's
 * rules.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTerms, type TermCounts, weighTerms } from '../../src/text/tfidf.ts';
import { compareByCodePoint, splitWords } from '../../src/text/tfidfTokens.ts';
import { goldenSets } from '../support/proxmoGolden.ts';

/** A row of the weighted matrix as an object from term to weight. */
function weightsOf(terms: TermCounts, text: number): Record<string, number> {
  const weights = weighTerms(terms);
  const document = terms.documentOf[text]!;
  const row: Record<string, number> = {};
  for (let entry = terms.offsets[document]!; entry < terms.offsets[document + 1]!; entry++) {
    row[terms.vocabulary[terms.columns[entry]!]!] = weights[entry]!;
  }
  return row;
}

describe('splitWords', () => {
  it('keeps numbers as words, or drops words of one character', () => {
    expect(splitWords('The drawer 1 is OPEN.', 1)).toEqual(['the', 'drawer', '1', 'is', 'open']);
    expect(splitWords('The drawer 1 is OPEN.', 2)).toEqual(['the', 'drawer', 'is', 'open']);
  });

  it('takes letters, numbers and underscores of every script, and lets combining marks end a word', () => {
    expect(splitWords('café_1 ½ ΟΔΟΣ 東京 x\u0301y', 1)).toEqual(['café_1', '½', 'οδος', '東京', 'x', 'y']);
    expect(splitWords("don't re-open", 1)).toEqual(['don', 't', 're', 'open']);
  });

  it('counts characters, not UTF-16 units', () => {
    expect(splitWords('𠀀 𠀀𠀀 ab a', 2)).toEqual(['𠀀𠀀', 'ab']);
  });
});

it('orders strings by code point', () => {
  expect(['b', '𠀀', '\uffee', 'a', 'ab', ''].sort(compareByCodePoint)).toEqual(['', 'a', 'ab', 'b', '\uffee', '𠀀']);
});

describe('countTerms', () => {
  it.each(goldenSets.map((set, index) => [index, set] as const))(
    'has the vocabulary, idf and weights of golden set %i',
    (_, set) => {
      const terms = countTerms(
        set.rows.map((row) => row.observation),
        { maxFeatures: 1024, minWordLength: 2 },
      );
      expect(terms.vocabulary).toEqual(set.vocabulary);
      for (const [column, idf] of set.idf.entries()) expect(terms.idf[column]).toBeCloseTo(idf, 12);
      for (const [text, expected] of set.tfidf.entries()) {
        const weights = weightsOf(terms, text);
        expect(Object.keys(weights).sort()).toEqual(Object.keys(expected).sort());
        for (const [term, weight] of Object.entries(expected)) expect(weights[term]).toBeCloseTo(weight, 10);
      }
    },
  );

  it('keeps the terms with the highest count in the batch, alphabetically first among equals', () => {
    const texts = ['d d d', 'c b', 'b a', 'a c e'];
    expect(countTerms(texts, { maxFeatures: 3, minWordLength: 1 }).vocabulary).toEqual(['a', 'b', 'd']);
  });

  it('counts repeated texts in full but stores them once', () => {
    const terms = countTerms(['a b', 'a', 'a b', 'a b'], { maxFeatures: 8, minWordLength: 1 });
    expect([...terms.documentOf]).toEqual([0, 1, 0, 0]);
    expect(terms.offsets).toHaveLength(3);
    expect([...terms.idf]).toEqual([Math.log(5 / 5) + 1, Math.log(5 / 4) + 1]);
  });

  it('gives empty rows to texts without a known term', () => {
    const terms = countTerms(['', 'a a', '!?', 'b'], { maxFeatures: 1, minWordLength: 1 });
    expect(terms.vocabulary).toEqual(['a']);
    expect([...terms.offsets]).toEqual([0, 0, 1, 1, 1]);
    expect([...terms.counts]).toEqual([2]);
    expect([...weighTerms(terms)]).toEqual([1]);
  });

  it('has no vocabulary for texts without words', () => {
    expect(countTerms(['1 2', '...'], { maxFeatures: 8, minWordLength: 2 }).vocabulary).toEqual([]);
  });

  it('makes rows of length 1 with increasing columns, whatever the texts', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'cc', 'ddd', 'É', '𠀀', '!', '7')).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 12 }), fc.integer({ min: 1, max: 8 }), (texts, maxFeatures) => {
        const terms = countTerms(texts, { maxFeatures, minWordLength: 1 });
        const weights = weighTerms(terms);
        for (let document = 0; document + 1 < terms.offsets.length; document++) {
          const [start, end] = [terms.offsets[document]!, terms.offsets[document + 1]!];
          const columns = [...terms.columns.subarray(start, end)];
          expect(columns).toEqual([...new Set(columns)].sort((a, b) => a - b));
          if (end > start) expect(Math.hypot(...weights.subarray(start, end))).toBeCloseTo(1, 12);
        }
      }),
    );
  });
});
