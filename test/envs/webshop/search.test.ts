/** From text to ranking: words, terms, stems, BM25. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../../src/envs/random.ts';
import { analyze } from '../../../src/envs/webshop/analyzer.ts';
import { porterStem } from '../../../src/envs/webshop/porter.ts';
import { encodeLength } from '../../../src/envs/webshop/postings.ts';
import { replayQueries } from '../../../src/envs/webshop/replay.node.ts';
import { SearchIndex } from '../../../src/envs/webshop/search.ts';
import { TopHits } from '../../../src/envs/webshop/topHits.ts';
import { breakWords } from '../../../src/envs/webshop/wordBreak.ts';
import { CATALOGUE, GOLDEN, needsRecordings, readJson, readLines } from './recorded.ts';

describe('breakWords', () => {
  it.each([
    ['hello, world', ['hello', 'world']],
    ["o'clock don\u2019t 'quoted'", ["o'clock", 'don\u2019t', 'quoted']],
    ['3.5mm 1,000 3.x a:b 5:30', ['3.5mm', '1,000', '3', 'x', 'a:b', '5', '30']],
    ['snake_case _x_ __', ['snake_case', '_x_']],
    ['wi-fi/usb', ['wi', 'fi', 'usb']],
    ['漢字かな カタカナ', ['漢', '字', 'か', 'な', 'カタカナ']],
    ['한국어 ภาษาไทย', ['한국어', 'ภาษาไทย']],
    ['★new ❤️ 👨‍💼 🇫🇷 ☐', ['★', 'new', '❤️', '👨‍💼', '🇫🇷', '☐']],
    ['cafe\u0301 a\u00adb', ['cafe\u0301', 'a\u00adb']],
    ['צה"ל ג\'', ['צה"ל', "ג'"]],
    ['•→■', []],
  ])('cuts %j', (text, words) => {
    expect(breakWords(text)).toEqual(words);
  });

  it('cuts very long words into pieces of 255', () => {
    expect(breakWords('a'.repeat(600)).map((word) => word.length)).toEqual([255, 255, 90]);
  });

  it.each([['_'], ['\u0301'], ['.'], ["'"], ['a_'], ['\u200d'], ['\ud800'], ['🙂\u200d']])(
    'reads long runs of %j in one go',
    (piece) => {
      const before = process.cpuUsage();
      breakWords(piece.repeat(100_000));
      expect(process.cpuUsage(before).user / 1e6).toBeLessThan(2);
    },
  );

  it('gives pieces of the text, in order, that come out whole when cut again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        let at = 0;
        for (const word of breakWords(text)) {
          at = text.indexOf(word, at);
          expect(at).toBeGreaterThanOrEqual(0);
          at += word.length;
          expect(breakWords(word).join('')).toBe(word);
        }
      }),
    );
  });
});

describe('porterStem', () => {
  it.each(
    // The examples of Porter's paper, rule by rule.
    Object.entries({
      ...{ caresses: 'caress', ponies: 'poni', ties: 'ti', caress: 'caress', cats: 'cat' },
      ...{ feed: 'feed', agreed: 'agre', plastered: 'plaster', bled: 'bled', motoring: 'motor', sing: 'sing' },
      ...{
        conflated: 'conflat',
        troubled: 'troubl',
        sized: 'size',
        hopping: 'hop',
        falling: 'fall',
        hissing: 'hiss',
        fizzed: 'fizz',
        filing: 'file',
      },
      ...{
        happy: 'happi',
        sky: 'sky',
        relational: 'relat',
        conditional: 'condit',
        rational: 'ration',
        valenci: 'valenc',
        digitizer: 'digit',
      },
      ...{
        radicalli: 'radic',
        vietnamization: 'vietnam',
        operator: 'oper',
        feudalism: 'feudal',
        hopefulness: 'hope',
        sensibiliti: 'sensibl',
      },
      ...{ triplicate: 'triplic', formative: 'form', electrical: 'electr', goodness: 'good' },
      ...{
        revival: 'reviv',
        allowance: 'allow',
        replacement: 'replac',
        adjustment: 'adjust',
        adoption: 'adopt',
        communism: 'commun',
        bowdlerize: 'bowdler',
      },
      ...{ probate: 'probat', rate: 'rate', cease: 'ceas', controlling: 'control', rolling: 'roll' },
      ...{ is: 'is', analogies: 'analog', possibly: 'possibl' },
    }),
  )('of %s is %s', (word, stem) => {
    expect(porterStem(word)).toBe(stem);
  });
});

describe('analyze', () => {
  it('drops possessives, case, stop words and endings, and keeps order and repetitions', () => {
    expect(analyze("The Women's running SHOES, and women\u2019s shoes for 5.5in")).toEqual([
      'women',
      'run',
      'shoe',
      'women',
      'shoe',
      '5.5in',
    ]);
  });
});

describe('SearchIndex', () => {
  const index = new SearchIndex([
    { id: 'b', text: 'red mug' },
    { id: 'a', text: 'red mug' },
    { id: 'c', text: 'red red plate for the kitchen table' },
  ]);

  it('scores by BM25', () => {
    // N = 3, df = 1, tf = 1, length 5 of a mean of 3: idf ln(1 + 2.5/1.5), norm 0.9 · (0.6 + 0.4 · 5/3).
    const [hit] = index.search('plates', 10);
    expect(hit).toMatchObject({ document: 2 });
    expect(hit!.score).toBeCloseTo(Math.log(1 + 2.5 / 1.5) * (1 - 1 / (1 + 1 / (0.9 * (0.6 + (0.4 * 5) / 3)))), 6);
    const [twice] = index.search('plate plate', 10);
    expect(twice!.score).toBeCloseTo(2 * hit!.score, 6);
  });

  it('ranks ties by id and gives no more than asked for', () => {
    expect(index.search('mug', 10).map(({ document }) => document)).toEqual([1, 0]);
    expect(index.search('mug', 1).map(({ document }) => document)).toEqual([1]);
  });

  it('finds nothing for words that no document has, stop words or nothing', () => {
    for (const query of ['lamp', 'the', '', ' ']) expect(index.search(query, 10)).toEqual([]);
  });

  it('forgets a search before the next one', () => {
    const before = index.search('red plate', 10);
    index.search('mug kitchen', 10);
    expect(index.search('red plate', 10)).toEqual(before);
  });

  it('rounds long lengths down to one byte', () => {
    expect([0, 23, 24, 39, 40, 41, 158, 314].map(encodeLength)).toEqual([0, 23, 24, 39, 40, 40, 64, 73]);
  });
});

/**
 * What BM25 gives when every document is scored in full: terms in the order of the query, float32 shares added in
 * float64.
 */
function fullSearch(documents: readonly { id: string; text: string }[]) {
  const f = Math.fround;
  const lengths = documents.map(({ text }) => analyze(text).length);
  const mean = f(lengths.reduce((sum, length) => sum + length, 0) / lengths.length);
  const frequencies = documents.map(({ text }) => countOf(analyze(text)));
  return (query: string, count: number): { document: number; score: number }[] => {
    const weights = [...countOf(analyze(query))].map(([term, repeats]) => {
      const df = frequencies.filter((terms) => terms.has(term)).length;
      return [term, f(repeats * f(Math.log(1 + (documents.length - df + 0.5) / (df + 0.5))))] as const;
    });
    const scored = frequencies.map((terms, document) => {
      const inverse = f(1 / f(f(0.9) * f(f(1 - f(0.4)) + f(f(f(0.4) * lengths[document]!) / mean))));
      const shares = weights.map(([term, weight]) =>
        f(weight - f(weight / f(1 + f((terms.get(term) ?? 0) * inverse)))),
      );
      return { document, score: f(shares.reduce((sum, share) => sum + share, 0)) };
    });
    const idOf = ({ document }: { document: number }) => documents[document]!.id;
    const found = scored
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score || (idOf(a) < idOf(b) ? -1 : 1));
    return found.slice(0, count);
  };
}

function countOf(terms: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

describe('a search that leaves documents out', () => {
  const random = new RandomStream(3);
  const words = Array.from({ length: 40 }, (_, i) => `w${i}x`);
  /** Low numbers are common: the smaller of several draws. */
  const draw = () => words[Math.min(...Array.from({ length: 3 }, () => random.below(words.length)))]!;
  const text = (most: number) => Array.from({ length: 1 + random.below(most) }, draw).join(' ');
  /** Several windows of documents, many of them alike, with ids in no order. */
  const documents = Array.from({ length: 7000 }, (_, i) => ({
    id: String(100_000 + ((i * 7919) % 7000)),
    text: text(i % 2 === 0 ? 3 : 12),
  }));
  const index = new SearchIndex(documents);
  const inFull = fullSearch(documents);

  it('finds what one in full finds, with the same scores and the same order of ties', () => {
    for (let i = 0; i < 40; i++) {
      const query = text(9);
      for (const count of [1, 10, 50]) expect(index.search(query, count), query).toEqual(inFull(query, count));
    }
  });

  it('leaves none out where all are asked for, and finds none where none are', () => {
    expect(index.search('w0x w39x', documents.length)).toEqual(inFull('w0x w39x', documents.length));
    expect(index.search('w0x', 0)).toEqual([]);
  });
});

describe('TopHits', () => {
  it('keeps the best, and of equal scores the first', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), fc.integer({ min: 0, max: 12 }), (scores, count) => {
        const top = new TopHits(count);
        scores.forEach((score, document) => {
          top.offer(document, score);
        });
        const sorted = scores
          .map((score, document) => ({ document, score }))
          .sort((a, b) => b.score - a.score || a.document - b.document);
        expect(top.ranked()).toEqual(sorted.slice(0, count));
      }),
    );
  });
});

describe('searches of the original', needsRecordings, () => {
  it('have the same terms, hits, order and scores', async () => {
    const report = await replayQueries(readLines(`${GOLDEN}bm25_queries.jsonl.gz`), CATALOGUE);
    expect(report).toEqual({ steps: 119, equal: 119, firstDifference: null });
  });

  it('see documents of the same length', () => {
    const lengths = readJson<{ tokens: number; norm_byte: number }[]>(`${GOLDEN}doc_lengths.json`);
    const documents = readLines<{ contents: string }>(`${CATALOGUE}/index_documents.jsonl.gz`);
    const found = documents.map(({ contents }) => analyze(contents).length);
    expect(found).toEqual(lengths.map(({ tokens }) => tokens));
    expect(found.map(encodeLength)).toEqual(lengths.map(({ norm_byte: byte }) => byte));
  });
});
