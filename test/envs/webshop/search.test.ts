/** From text to ranking: words, terms, stems, BM25. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../src/envs/webshop/analyzer.ts';
import { porterStem } from '../../../src/envs/webshop/porter.ts';
import { replayQueries } from '../../../src/envs/webshop/replay.node.ts';
import { encodeLength, SearchIndex } from '../../../src/envs/webshop/search.ts';
import { breakWords } from '../../../src/envs/webshop/wordBreak.ts';
import { CATALOGUE, GOLDEN, hasRecordings, readJson, readLines } from './recorded.ts';

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

describe.skipIf(!hasRecordings)('searches of the original (needs ../shared/data)', () => {
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
