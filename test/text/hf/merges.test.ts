/** Merges and the ids of words against those of `@huggingface/tokenizers`, and how long a long text takes. */
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HfTokenizerFiles } from '../../../src/text/hf/files.ts';
import { HfTokenizer } from '../../../src/text/hf/hfTokenizer.ts';
import { Merger } from '../../../src/text/hf/merges.ts';

type Json = Record<string, unknown>;
const read = (kind: string) => {
  const url = new URL(`../../fixtures/tokenizers/${kind}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as {
    files: HfTokenizerFiles & { tokenizer: { model: Json } };
    encode: { text: string }[];
  };
};

describe('merges', () => {
  const [a, b, c, ab, bc, abc] = [0, 1, 2, 3, 4, 5];
  const merged = (ids: number[], merges: [number, number, number][]) => {
    const tokens = Int32Array.from(ids);
    const merger = new Merger(merges.map(([left, right, whole]) => ({ left, right, merged: whole })));
    return merger.merge(tokens).map((place) => tokens[place]);
  };

  test('go by rank, then from the left', () => {
    const bcFirst: [number, number, number][] = [
      [b, c, bc],
      [a, b, ab],
      [a, bc, abc],
    ];
    expect(merged([a, b, c], bcFirst)).toEqual([abc]);
    expect(merged([a, b, a, b, c], bcFirst)).toEqual([ab, abc]);
    expect(merged([a, a, a], [[a, a, ab]])).toEqual([ab, a]);
    expect(merged([], bcFirst)).toEqual([]);
  });

  test('leave what is no token alone, and take the last rank of a pair that is listed twice', () => {
    expect(merged([a, -1, b, -1, -1], [[a, b, ab]])).toEqual([a, -1, b, -1, -1]);
    const twice: [number, number, number][] = [
      [a, b, ab],
      [b, c, bc],
      [a, b, ab],
    ];
    expect(merged([a, b, c], twice)).toEqual([a, bc]);
  });
});

describe.each(['qwen_like', 'gpt2_like', 'byte_fallback', 'metaspace', 'splitters', 'words'])('%s', (kind) => {
  const { files, encode } = read(kind);
  // What goes before the model changes texts; without it, a text is one word for both.
  const bare = { ...files.tokenizer, normalizer: null, pre_tokenizer: null, post_processor: null };
  const ours = new HfTokenizer({ ...files, tokenizer: bare }, kind);
  const { model } = files.tokenizer;
  const vocab = model.vocab as Record<string, number>;
  const added = new Map(
    (bare as unknown as { added_tokens: { id: number; content: string }[] }).added_tokens.map(({ id, content }) => [
      content,
      id,
    ]),
  );
  const theirs = new Tokenizer({ ...bare, decoder: null, added_tokens: [] } as never, {});
  const expected = (text: string) => {
    const ids = (theirs.model as unknown as { encode(words: string[]): string[] })
      .encode([text])
      .map((token) => vocab[token]!);
    return model.fuse_unk ? ids.filter((id, at) => id !== vocab[String(model.unk_token)] || ids[at - 1] !== id) : ids;
  };
  const hasAdded = (text: string) => [...added.keys()].some((token) => text.includes(token));

  test('gives the ids that the library gives, for words of any length', () => {
    const letters = Object.keys(vocab).filter((token) => !hasAdded(token));
    const word = fc.array(fc.oneof(fc.constantFrom(...letters), fc.string({ unit: 'grapheme', maxLength: 3 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(word, (parts) => {
        const text = parts.join('');
        fc.pre(!hasAdded(text));
        expect(ours.encode(text)).toEqual(expected(text));
      }),
    );
    for (const { text } of encode)
      if (!hasAdded(text)) expect([text, ours.encode(text)]).toEqual([text, expected(text)]);
  });
});

describe('40,000 characters', () => {
  const tokenizer = new HfTokenizer(read('qwen_like').files, 'here');
  const letters = (count: number) =>
    Array.from({ length: count }, (_, i) => String.fromCharCode(97 + ((i * i * 7 + i * 3 + (i >> 3)) % 26))).join('');
  const prose = letters(80_000)
    .replace(/.{1,7}/g, '$& ')
    .slice(0, 40_000);

  /** Seconds of the processor, the best of three: other processes take none of them. */
  const seconds = (work: () => void) => {
    const times = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    });
    return Math.min(...times);
  };

  test.each([
    ['in words', prose],
    ['in one word', letters(40_000)],
    ['of one letter', 'a'.repeat(40_000)],
    ['of white space', ' '.repeat(40_000)],
    ['without a token of their own', '世'.repeat(40_000)],
  ])('%s take less than 0.3 s', (_, text) => {
    expect(text).toHaveLength(40_000);
    expect(seconds(() => tokenizer.encode(text))).toBeLessThan(0.3);
  });

  test('of a conversation take less than 0.3 s', () => {
    expect(seconds(() => tokenizer.encodeChat([{ role: 'user', content: prose }]))).toBeLessThan(0.3);
  });
});
