import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';
import { needsData } from '../support/sharedData.ts';

const words = [
  'On',
  'the',
  'desk',
  'drawer',
  'mug',
  'you',
  'see',
  'a',
  'and',
  'There',
  "There's",
  'nothing',
  '1',
  '2',
  '10',
  '[SEP]',
];
const tokenizer = WordTokenizer.build(words);
const pieces = (text: string) => tokenizer.encode(text).map((id) => tokenizer.decode([id]));

/** Any string: whole code points, lone surrogates, and texts close to what environments say. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes)),
  fc
    .array(
      fc.constantFrom(
        ...words,
        ' ',
        ' ',
        '  ',
        ',',
        '.',
        "'",
        '(',
        ')',
        '-',
        '<',
        '\n',
        '\t',
        'unknown',
        '\u00a0',
        '漢',
        '\ud800',
        '🙂',
      ),
    )
    .map((parts) => parts.join('')),
);

describe('encode', () => {
  test('a single space between words, and the punctuation after a word, cost no token of their own', () => {
    expect(pieces('On the desk 1, you see a mug 2, and a mug 10.\nOn the drawer 1')).toEqual(
      'On the desk 1 , you see a mug 2 , and a mug 10 . \n On the drawer 1'.split(' '),
    );
    expect(pieces('(the desk) : a')).toEqual(['(', 'the', 'desk', ')', ' ', ':', 'a']);
  });

  test('white space that the rule does not give is spelled, and a missing space is marked', () => {
    expect(pieces('desk  1')).toEqual(['desk', ' ', ' ', '1']);
    expect(pieces('desk , 1')).toEqual(['desk', ' ', ',', '1']);
    expect(pieces(' desk ')).toEqual([' ', 'desk', ' ']);
    const joined = tokenizer.encode('desk1');
    expect(joined).toHaveLength(3);
    expect(tokenizer.decode(joined)).toBe('desk1');
    expect(tokenizer.decode([joined[0]!, joined[2]!])).toBe('desk 1');
  });

  test('takes the longest word of the vocabulary', () => {
    expect(pieces("There's nothing")).toEqual(["There's", 'nothing']);
    expect(pieces("There'll")).toEqual(['There', "'", 'l', 'l']);
    expect(pieces('the [SEP] desk')).toEqual(['the', '[SEP]', 'desk']);
    expect(pieces('[desk]')).toEqual(['[', 'desk', ']']);
  });

  test('spells unknown words in UTF-8 bytes, with no token between them and their neighbours', () => {
    expect(pieces('the cup 1')).toEqual(['the', 'c', 'u', 'p', '1']);
    expect(tokenizer.encode('é')).toHaveLength(2);
    expect(tokenizer.encode('🙂')).toHaveLength(4);
    expect(tokenizer.encode('\ud800')).toHaveLength(3);
  });

  test('never yields a special token for text that looks like one', () => {
    const { padId, endId, markerIds } = tokenizer;
    const special = new Set([padId, endId, ...Object.values(markerIds)]);
    expect(tokenizer.decode([endId, markerIds.action])).toBe('<end> <action>');
    expect(
      tokenizer.encode('<end> <action> <pad> <task> <option> <observation>').filter((id) => special.has(id)),
    ).toEqual([]);
  });
});

describe('round trip', () => {
  test('decode undoes encode for every string', () => {
    fc.assert(
      fc.property(anyText, (text) => tokenizer.decode(tokenizer.encode(text)) === text),
      { numRuns: 2000 },
    );
  });

  test('also when the vocabulary holds odd words', () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 8 }), anyText, (entries, text) => {
        const odd = WordTokenizer.build(entries);
        const mixed = entries.join(' ') + text + entries.join('');
        return (
          odd.decode(odd.encode(mixed)) === mixed &&
          WordTokenizer.parse(JSON.stringify(odd)).decode(odd.encode(mixed)) === mixed
        );
      }),
      { numRuns: 500 },
    );
  });

  test('any ids decode to some text, and ids out of range do not', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(tokenizer.vocabSize - 1)), (ids) => {
        expect(typeof tokenizer.decode(ids)).toBe('string');
      }),
    );
    for (const id of [-1, 0.5, Number.NaN, tokenizer.vocabSize])
      expect(() => tokenizer.decode([id])).toThrow(ProxmoError);
  });

  test('bytes that are no UTF-8 come out as U+FFFD', () => {
    const [first] = tokenizer.encode('é');
    expect(tokenizer.decode([first!])).toBe('\ufffd');
    expect(tokenizer.decode([first!, ...tokenizer.encode('desk')])).toBe('\ufffd desk');
  });
});

describe('vocabulary', () => {
  test('ids depend on the set of words alone', () => {
    const other = WordTokenizer.build([...words].reverse().concat('desk', 'a mug 10'));
    expect(other.toJSON()).toEqual(tokenizer.toJSON());
    expect(other.encode('the mug')).toEqual(tokenizer.encode('the mug'));
  });

  test('an entry with white space is read as text', () => {
    const { words } = WordTokenizer.build(['put a mug, 2 cups', ',', '']).toJSON();
    expect(words).toEqual(['2', 'a', 'cups', 'mug', 'put']);
  });

  test('survives saving', () => {
    const loaded = WordTokenizer.parse(JSON.stringify(tokenizer));
    expect(loaded.vocabSize).toBe(tokenizer.vocabSize);
    expect(loaded.encode('On the desk 1, cup')).toEqual(tokenizer.encode('On the desk 1, cup'));
  });

  test.each([
    ['not JSON', '{'],
    ['another format', '{"format":"bpe","version":1,"words":[]}'],
    ['another version', '{"format":"proxmo-word-tokenizer","version":2,"words":[]}'],
    ['unknown keys', '{"format":"proxmo-word-tokenizer","version":1,"words":[],"merges":[]}'],
    ['words that are not strings', '{"format":"proxmo-word-tokenizer","version":1,"words":[1]}'],
    ['an empty word', '{"format":"proxmo-word-tokenizer","version":1,"words":[""]}'],
    ['a word with a space', '{"format":"proxmo-word-tokenizer","version":1,"words":["a b"]}'],
    ['a word that has a byte token', '{"format":"proxmo-word-tokenizer","version":1,"words":[","]}'],
    ['words out of order', '{"format":"proxmo-word-tokenizer","version":1,"words":["b","a"]}'],
    ['repeated words', '{"format":"proxmo-word-tokenizer","version":1,"words":["a","a"]}'],
  ])('refuses a file with %s', (_, text) => {
    expect(() => WordTokenizer.parse(text)).toThrow(ProxmoError);
  });

  test('parse throws nothing but ProxmoError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(() => WordTokenizer.parse(text)).toThrow(ProxmoError);
      }),
    );
  });
});

const transcripts = '../shared/data/alfworld-golden/transcripts.jsonl.gz';

describe('household transcripts', needsData(transcripts), () => {
  test('every observation and action round-trips with about one token a word', () => {
    const texts = gunzipSync(readFileSync(transcripts)).toString().trim().split('\n').flatMap(textsOf);
    const household = WordTokenizer.build(texts);
    let tokens = 0;
    let wordsAndMarks = 0;
    for (const text of texts) {
      const ids = household.encode(text);
      expect(household.decode(ids)).toBe(text);
      tokens += ids.length;
      wordsAndMarks += text.match(/[\p{L}\p{M}]+|\p{N}+|[^ ]/gsu)?.length ?? 0;
    }
    expect(tokens / wordsAndMarks).toBeLessThan(1.05);
  });
});

/** What a transcript says, but for the help text, which is set in columns. */
function textsOf(line: string): string[] {
  type Moment = { feedback: string; admissible: string[] };
  const { initial, steps } = JSON.parse(line) as { initial: Moment; steps: Moment[] };
  return [initial, ...steps]
    .flatMap(({ feedback, admissible }) => [feedback, ...admissible])
    .filter((text) => !text.startsWith('Available'));
}
