import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HfTokenizer } from '../../src/text/hf/hfTokenizer.ts';
import type { StreamingTokenizer } from '../../src/text/tokenizer.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

function hfTokenizer(kind: string): HfTokenizer {
  const url = new URL(`../fixtures/tokenizers/${kind}.json`, import.meta.url);
  return new HfTokenizer(JSON.parse(readFileSync(url, 'utf8')).files, kind);
}

const tokenizers: readonly (readonly [string, StreamingTokenizer])[] = [
  ['byte-level BPE', hfTokenizer('qwen_like')],
  ['pieces with byte fallback', hfTokenizer('byte_fallback')],
  ['pieces with a metaspace', hfTokenizer('metaspace')],
  ['words', WordTokenizer.build(['go', 'to', 'the', 'desk', '1', 'naïve', '\ud83d'])],
];

describe.each(tokenizers)('%s', (_, tokenizer) => {
  /** The pieces of a text, one per id, and what was held back at its end. */
  const piecesOf = (ids: readonly number[]) => {
    const stream = tokenizer.streamDecoder();
    return [...ids.map((id) => stream.push([id])), stream.flush()];
  };

  test('gives text as soon as it is whole, and never half a character', () => {
    const ids = tokenizer.encode('go to 漢字 🙂');
    const pieces = piecesOf(ids);
    expect(pieces.join('')).toBe(tokenizer.decode(ids));
    // Every piece stands by itself: no character is begun in one and ended in the next.
    for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
    expect(pieces.join('')).not.toBe('');
    expect(pieces.at(-1)).toBe('');
  });

  test('pieces of any ids, cut anywhere, add up to what decode gives', () => {
    const id = fc.integer({ min: 0, max: tokenizer.vocabSize - 1 });
    fc.assert(
      fc.property(fc.array(fc.array(id, { maxLength: 4 }), { maxLength: 8 }), (groups) => {
        const stream = tokenizer.streamDecoder();
        const text = groups.map((ids) => stream.push(ids)).join('') + stream.flush();
        expect(text).toBe(tokenizer.decode(groups.flat()));
      }),
    );
  });

  test('what has been shown stays: the text so far begins every later decoding', () => {
    const text = fc.string({ unit: 'grapheme' }).map((part) => `go ${part.normalize('NFKC')} to`);
    fc.assert(
      fc.property(text, (whole) => {
        const ids = tokenizer.encode(whole);
        const stream = tokenizer.streamDecoder();
        let shown = '';
        for (const token of ids) {
          shown += stream.push([token]);
          expect(tokenizer.decode(ids).startsWith(shown)).toBe(true);
        }
        // A valid text never shows a replacement character, not even for a moment.
        if (!tokenizer.decode(ids).includes('\ufffd')) expect(shown).not.toContain('\ufffd');
      }),
    );
  });
});

test('a character that is cut short shows at the end, not before', () => {
  const tokenizer = tokenizers[0]![1];
  const [first, ...rest] = tokenizer.encode('🙂');
  const stream = tokenizer.streamDecoder();
  expect(rest.length).toBeGreaterThan(0);
  expect(stream.push([first!])).toBe('');
  expect(stream.flush()).toBe('\ufffd');
});

test('garbage does not pile up: what can begin no character is shown at once', () => {
  const tokenizer = WordTokenizer.build(['a']);
  const stream = tokenizer.streamDecoder();
  const byte = (value: number) => tokenizer.encode('\0')[0]! + value;
  expect(stream.push([byte(0xff)])).toBe('\ufffd');
  expect(stream.push([byte(0xe6), byte(0xbc)])).toBe('');
  expect(stream.push([byte(0x41)])).toBe('\ufffd\ufffdA');
});
