import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenTrie } from '../../src/text/tokenTrie.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

/** Tokens that may follow a beginning. */
function allowed(trie: TokenTrie, prefix: readonly number[]): number[] {
  const node = prefix.reduce((at, token) => trie.next(at, token), 0);
  return node < 0 ? [] : [...trie.tokensAt(node)];
}

describe('a tree of sequences', () => {
  const trie = TokenTrie.fromSequences([
    [5, 1, 9],
    [5, 7, 9],
    [3, 9],
    [3, 9],
  ]);

  test('says which tokens may follow a beginning', () => {
    expect(allowed(trie, [])).toEqual([3, 5]);
    expect(allowed(trie, [5])).toEqual([1, 7]);
    expect(allowed(trie, [5, 7])).toEqual([9]);
    expect(allowed(trie, [5, 7, 9])).toEqual([]);
    expect(allowed(trie, [5, 9])).toEqual([]);
    expect(allowed(trie, [4])).toEqual([]);
  });

  test('is walked token by token, one node for each row of a batch', () => {
    const node = trie.next(trie.next(0, 5), 1);
    expect([...trie.tokensAt(node)]).toEqual([9]);
    expect(trie.tokensAt(trie.next(node, 9))).toHaveLength(0);
    expect(trie.next(node, 3)).toBe(-1);
    expect(trie.next(-1, 3)).toBe(-1);
  });

  test('lies flat in three arrays', () => {
    expect([...trie.edgeStart]).toEqual([0, 2, 3, 5, 5, 6, 7, 7, 7]);
    expect([...trie.edgeToken]).toEqual([3, 5, 9, 1, 7, 9, 9]);
    expect([...trie.edgeNode]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('refuses sequences that allow nothing or do not say where they end', () => {
    expect(() => TokenTrie.fromSequences([])).toThrow('there are no sequences');
    expect(() => TokenTrie.fromSequences([[]])).toThrow('a sequence is empty');
    expect(() => TokenTrie.fromSequences([[1], [1, 2]])).toThrow('is the beginning of another');
    expect(() => TokenTrie.fromSequences([[1, 2], [1]])).toThrow('is the beginning of another');
    expect(() => TokenTrie.fromSequences([[1.5]])).toThrow('1.5 at position 0');
  });

  test('allows exactly the continuations of its sequences, whatever they are', () => {
    const sequence = fc.array(fc.nat(5), { maxLength: 5 }).map((tokens) => [...tokens, 9]);
    fc.assert(
      fc.property(fc.array(sequence, { minLength: 1 }), fc.array(fc.nat(5), { maxLength: 4 }), (sequences, prefix) => {
        const tokens = sequences
          .filter((one) => prefix.every((token, i) => one[i] === token))
          .map((one) => one[prefix.length]!);
        expect(allowed(TokenTrie.fromSequences(sequences), prefix)).toEqual([...new Set(tokens)].sort((a, b) => a - b));
      }),
    );
  });
});

test('a tree of texts: every way through it is one of them, and ends', () => {
  const actions = ['go to desk 1', 'go to desk 12', 'look', 'take mug 1 from desk 1'];
  const tokenizer = WordTokenizer.build(['go to the desk look take mug from 1 12']);
  const trie = TokenTrie.fromSequences(actions.map((action) => [...tokenizer.encode(action), tokenizer.endId]));
  const ways = (node: number, ids: readonly number[]): string[] => {
    const tokens = [...trie.tokensAt(node)];
    if (tokens.length === 0) return [tokenizer.decode(ids)];
    return tokens.flatMap((token) => ways(trie.next(node, token), [...ids, token]));
  };
  expect(ways(0, []).sort()).toEqual(
    actions.map((action) => tokenizer.decode([...tokenizer.encode(action), tokenizer.endId])).sort(),
  );
});
