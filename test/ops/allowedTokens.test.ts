/** Distributions over allowed tokens: probabilities, gradients, and steps down the trees. */
import { describe, expect, it } from 'vitest';
import { EdgeList, rangesOfReply } from '../../src/nn/constraint.ts';
import { followToken, maskLogits } from '../../src/ops/allowedTokens.ts';
import { dot } from '../../src/ops/reduce.ts';
import { tokenLogProbs } from '../../src/ops/tokenLogProbs.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { TokenTrie } from '../../src/text/tokenTrie.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const vocab = 6;
const rows = [
  { logits: [0.5, -1, 2, 0.25, 1, -0.5], allowed: [0, 2, 5], target: 2 },
  { logits: [1, 2, 3, -1, 0, 0.5], allowed: [], target: 3 },
  { logits: [-2, 0.5, 0, 9, 1, 1], allowed: [1, 4], target: 4 },
];

/** Log-probability and entropy of a row's target, in float64. */
function expected({ logits, allowed, target }: (typeof rows)[number]) {
  const kept = allowed.length === 0 ? logits.map((_, token) => token) : allowed;
  const total = kept.reduce((sum, token) => sum + Math.exp(logits[token]!), 0);
  const p = logits.map((logit, token) => (kept.includes(token) ? Math.exp(logit) / total : 0));
  const entropy = -p.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0);
  return { logProb: Math.log(p[target]!), entropy, p };
}

describe.each(testAdapters)('on %s', (adapter) => {
  it('has the probabilities, the entropy and the gradient of the allowed tokens alone', async () => {
    const engine = new Engine(await testDevice(adapter));
    const logits = new Variable(
      'logits',
      [rows.length, vocab],
      'f32',
      rows.flatMap((row) => row.logits),
    );
    logits.tensor.requiresGrad = true;
    const masked = maskLogits(logits.tensor, {
      ranges: input('ranges', [rows.length, 2], 'u32'),
      tokens: input('tokens', [5], 'u32'),
    });
    const { logProb, entropy } = tokenLogProbs(masked, input('targets', [rows.length], 'u32'));
    const [gradient] = grad(dot(logProb, input('weights', [rows.length])), [logits.tensor]);
    const program = await engine.compile({ name: 'masked', outputs: { logProb, entropy, gradient: gradient! } });
    const result = await program.run({
      ranges: Uint32Array.from([0, 3, 0, 0, 3, 2]),
      tokens: Uint32Array.from([0, 2, 5, 1, 4]),
      targets: Uint32Array.from(rows, ({ target }) => target),
      weights: Float32Array.from(rows, () => 1),
    });
    rows.forEach((row, index) => {
      const want = expected(row);
      expect(result.logProb[index]).toBeCloseTo(want.logProb, 5);
      expect(result.entropy[index]).toBeCloseTo(want.entropy, 5);
      want.p.forEach((share, token) => {
        expect(result.gradient[index * vocab + token]).toBeCloseTo((token === row.target ? 1 : 0) - share, 5);
      });
    });
  });

  it('follows tokens as the trees do', async () => {
    const engine = new Engine(await testDevice(adapter));
    const tries = [
      [
        [1, 2, 0],
        [1, 3, 0],
        [4, 0],
      ],
      [
        [3, 1, 0],
        [5, 0],
      ],
    ].map((sequences) => TokenTrie.fromSequences(sequences));
    const edges = new EdgeList(tries);
    const walks = [
      { trie: tries[0]!, tokens: [1, 3, 0] },
      { trie: tries[1]!, tokens: [3, 1, 0] },
      { trie: tries[0]!, tokens: [2, 2, 2] },
    ];
    const tokens = input('tokens', [edges.bucket], 'u32');
    const children = input('children', [edges.bucket, 2], 'u32');
    const first = input('ranges', [walks.length, 2], 'u32');
    const second = followToken(first, input('token0', [walks.length], 'u32'), tokens, children);
    const third = followToken(second, input('token1', [walks.length], 'u32'), tokens, children);
    const program = await engine.compile({ name: 'walk', outputs: { second, third } });
    const column = (index: number) => Uint32Array.from(walks, (walk) => walk.tokens[index]!);
    const ranges = walks.map(({ trie, tokens: reply }) => rangesOfReply(edges, reply, { trie, from: 0 }));
    const result = await program.run({
      ranges: Uint32Array.from(ranges.flatMap((range) => range[0]!)),
      tokens: edges.tokens(edges.bucket),
      children: edges.children(edges.bucket),
      token0: column(0),
      token1: column(1),
    });
    expect([...result.second]).toEqual(ranges.flatMap((range) => range[1]!));
    expect([...result.third]).toEqual(ranges.flatMap((range) => range[2]!));
    expect(ranges[0]![1]![1]).toBe(2);
  });
});
