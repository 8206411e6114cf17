/** What replies are bound to: the actions on offer in either format, from where the action begins. */
import { describe, expect, it } from 'vitest';
import { ActionConstraints } from '../../src/rl/actionConstraint.ts';
import type { TokenTrie } from '../../src/text/tokenTrie.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

const actions = ['go to desk 1', 'go to bed 1', 'look'];
const tokenizer = WordTokenizer.build([
  'go to desk 1 bed look think I',
  '<think>',
  '</think>',
  '<action>',
  '</action>',
  '<action>go',
  'İ<action>go',
]);

/** Every text that a tree allows, each with its end token left out. */
function textsOf(trie: TokenTrie, node = 0, prefix: readonly number[] = []): string[] {
  const tokens = [...trie.tokensAt(node)];
  if (tokens.length === 0) {
    expect(prefix.at(-1)).toBe(tokenizer.endId);
    return [tokenizer.decode(prefix.slice(0, -1))];
  }
  return tokens.flatMap((token) => textsOf(trie, trie.next(node, token), [...prefix, token]));
}

describe('a plain reply', () => {
  it('is one of the actions from its first token on', () => {
    const { start, next } = new ActionConstraints(tokenizer, 'plain').of(actions)!;
    expect(textsOf(start!).sort()).toEqual([...actions].sort());
    expect(next).toBeUndefined();
  });

  it('is free where the environment does not say what can be done', () => {
    const constraints = new ActionConstraints(tokenizer, 'plain');
    expect(constraints.of(null)).toBeUndefined();
    expect(constraints.of([])).toBeUndefined();
  });
});

describe('a think-action reply', () => {
  /** The number of tokens that stay free, and the tree after them. */
  const follow = (tokens: readonly number[], offered = actions) => {
    const { start, next } = new ActionConstraints(tokenizer, 'think-action').of(offered)!;
    expect(start).toBeNull();
    for (const [index, token] of tokens.entries()) {
      const trie = next!(token);
      if (trie) return { free: index + 1, texts: textsOf(trie).sort() };
    }
    return null;
  };

  it('is free until it opens its action', () => {
    const opening = tokenizer.encode('<think>I go</think><action>');
    const closed = actions.map((action) => `${action}</action>`).sort();
    expect(follow([...opening, ...tokenizer.encode('look')])).toEqual({ free: opening.length, texts: closed });
    expect(follow(tokenizer.encode('I think I look'))).toBeNull();
  });

  it('is noticed where the opening is spelled in pieces', () => {
    const pieces = [...'<action>'].flatMap((character) => tokenizer.encode(character));
    expect(follow(pieces)?.free).toBe(pieces.length);
  });

  it('goes on from a token that begins an action already', () => {
    const [joined = 0] = tokenizer.encode('<action>go');
    expect(tokenizer.decode([joined])).toBe('<action>go');
    expect(follow([joined])?.texts).toEqual([' to bed 1</action>', ' to desk 1</action>']);
  });

  it('goes on from a beginning in another case, and before white space that belongs to the action', () => {
    const [joined = 0] = tokenizer.encode('<action>go');
    const odd = ['Go home', ' go to bed 1', 'look'];
    expect(follow([joined], odd)?.texts).toEqual([' home</action>', ' to bed 1</action>'].sort());
    expect(follow(tokenizer.encode('<action>'), odd)?.texts).toEqual(odd.map((action) => `${action}</action>`).sort());
  });

  it('begins its action at the right place after a letter that is two in lower case', () => {
    const [joined = 0] = tokenizer.encode('İ<action>go');
    expect(tokenizer.decode([joined])).toBe('İ<action>go');
    expect(follow([joined])?.texts).toEqual([' to bed 1</action>', ' to desk 1</action>']);
  });
});
