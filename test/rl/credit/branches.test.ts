/** How likely the actions were that were not taken. */
import { describe, expect, it } from 'vitest';
import { branchesOf } from '../../../src/rl/credit/branches.ts';
import { TokenTrie } from '../../../src/text/tokenTrie.ts';

const [go, take, to, cup, one, two, end] = [1, 2, 3, 4, 5, 6, 0];
const actions = ['go to one', 'take cup', 'go to two', 'take cup two'];
const sequences = [
  [go, to, one, end],
  [take, cup, end],
  [go, to, two, end],
  [take, cup, two, end],
];
const trie = TokenTrie.fromSequences(sequences);
const logs = (...probabilities: number[]) => probabilities.map(Math.log);

describe('branches', () => {
  it('part at each token, and sum to 1', () => {
    const reply = [go, to, one, end];
    expect(branchesOf({ actions, bound: { trie, from: 0 }, reply, logProbs: logs(0.8, 1, 0.25, 1) })).toEqual([
      { actions: [1, 3], probability: 0.2 },
      { actions: [2], probability: 0.6 },
      { actions: [0], probability: 0.2 },
    ]);
  });

  it('begin where the reply is bound, and end where it was cut', () => {
    const reply = [9, 9, take, cup];
    expect(branchesOf({ actions, bound: { trie, from: 2 }, reply, logProbs: logs(0.1, 0.1, 0.3, 1) })).toEqual([
      { actions: [0, 2], probability: 0.7 },
      { actions: [1, 3], probability: 0.3 },
    ]);
  });

  it('keep what is left of a token that was almost certain', () => {
    const [others] = branchesOf({
      actions,
      bound: { trie, from: 0 },
      reply: [take, cup, end],
      logProbs: [-1e-12, 0, 0],
    })!;
    expect(others).toEqual({ actions: [0, 2], probability: 1e-12 });
  });

  it('are none of a reply that is free, or bound to some of the actions', () => {
    const reply = [go, to, one, end];
    expect(branchesOf({ actions, reply, logProbs: logs(1, 1, 1, 1) })).toBeNull();
    expect(branchesOf({ actions: null, bound: { trie, from: 0 }, reply, logProbs: logs(1, 1, 1, 1) })).toBeNull();
    const some = TokenTrie.fromSequences(sequences.slice(0, 2));
    expect(branchesOf({ actions, bound: { trie: some, from: 0 }, reply, logProbs: logs(1, 1, 1, 1) })).toBeNull();
  });
});
