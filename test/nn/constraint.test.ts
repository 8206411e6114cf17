/**
 * Bound replies: they are in their tree, their log-probabilities are those that the trainer computes, and free replies
 * beside them are as they were.
 */
import { describe, expect, it } from 'vitest';
import type { BoundReply, Constraint } from '../../src/nn/constraint.ts';
import { Generator, type SamplingControls } from '../../src/nn/generator.ts';
import { packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { tokenLogProbs } from '../../src/ops/tokenLogProbs.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { TokenTrie } from '../../src/text/tokenTrie.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const vocabSize = 40;
const endToken = 2;
const controls: SamplingControls = { seed: 3, temperature: 1, topP: 1, topK: 0 };
const sequences = [
  [7, 8, 9, endToken],
  [7, 8, 30, 31, endToken],
  [12, endToken],
  [39, 3, 4, 5, 6, 1, endToken],
];
const others = [
  [5, endToken],
  [6, 6, endToken],
];
const [trie, otherTrie] = [TokenTrie.fromSequences(sequences), TokenTrie.fromSequences(others)];

async function open(adapter: string, blockSize = 3) {
  const engine = new Engine(await testDevice(adapter));
  const sizes = { vocabSize, dModel: 16, layers: 2, heads: 2, kvHeads: 1, headDim: 8, dFf: 24 };
  const model = new Transformer({ ...sizes, ropeTheta: 100, tiedHead: false, normEpsilon: 1e-6 }, 3);
  const limits = { maxPromptTokens: 12, maxNewTokens: 9, maxBatchTokens: 256, maxBatchRows: 64 };
  return { engine, model, generator: new Generator(engine, model, { ...limits, blockSize, endToken }) };
}

const requestsWith = (count: number, constraintOf: (episode: number) => Constraint | undefined) =>
  Array.from({ length: count }, (_, episode) => {
    const constraint = constraintOf(episode);
    return { prompt: [3, 4 + (episode % 5), 5], episode, turn: 0, ...(constraint ? { constraint } : {}) };
  });

/** Log-probabilities as the trainer computes them. */
async function scores(engine: Engine, model: Transformer, pairs: Parameters<typeof replyBucket>[0]) {
  const bucket = replyBucket(pairs);
  const { logits, targets } = replyGraph(model, bucket);
  const program = await engine.compile({ name: 'scores', outputs: tokenLogProbs(logits, targets) });
  const { logProb } = await program.run(packReplies(pairs, bucket));
  program.destroy();
  return [...logProb];
}

describe.each(testAdapters)('on %s', (adapter) => {
  it('keeps replies within their trees, each row in its own, and leaves free rows alone', async () => {
    const { generator } = await open(adapter);
    const constraints = [{ start: trie }, { start: otherTrie }, undefined];
    const replies = await generator.generate(
      requestsWith(48, (episode) => constraints[episode % 3]),
      controls,
    );
    const free = await generator.generate(
      requestsWith(48, () => undefined),
      controls,
    );
    const seen = new Set<string>();
    for (const [episode, { tokens, bound }] of replies.entries()) {
      if (episode % 3 === 2) {
        expect(tokens).toEqual(free[episode]!.tokens);
        expect(bound).toBeUndefined();
        continue;
      }
      expect(episode % 3 === 0 ? sequences : others).toContainEqual(tokens);
      seen.add(tokens.join());
    }
    expect(seen.size).toBe(sequences.length + others.length);
    generator.destroy();
  });

  it('gives the log-probabilities that the trainer computes', async () => {
    const { engine, model, generator } = await open(adapter);
    const requests = requestsWith(24, (episode) =>
      episode % 4 === 3 ? undefined : { start: episode % 2 ? trie : otherTrie },
    );
    const replies = await generator.generate(requests, controls);
    const pairs = replies.map(({ tokens, bound }, index) => ({
      prompt: requests[index]!.prompt,
      reply: tokens,
      ...(bound ? { bound } : {}),
    }));
    const sampled = replies.flatMap(({ logProbs }) => logProbs);
    const trained = await scores(engine, model, pairs.map(sequenceOf));
    sampled.forEach((value, index) => {
      expect(Math.abs(value - trained[index]!)).toBeLessThan(1e-5);
    });
    // Where only one token may follow there is no choice: after [7, 8, 30] for one.
    const certain = replies.find(({ tokens }) => tokens[2] === 30);
    expect(certain!.logProbs.slice(3)).toEqual([0, 0]);
    generator.destroy();
  });

  it.each([1, 2, 5])('binds a reply from a token on, whatever the block: %i tokens', async (blockSize) => {
    const { engine, model, generator } = await open(adapter, blockSize);
    /** Free for three tokens. */
    const constraint = (): Constraint => {
      let count = 0;
      return { start: null, next: () => (++count === 3 ? otherTrie : null) };
    };
    const free = await generator.generate(
      requestsWith(20, () => undefined),
      controls,
    );
    const requests = requestsWith(20, constraint);
    const replies = await generator.generate(requests, controls);
    let bindings = 0;
    for (const [index, { tokens, bound }] of replies.entries()) {
      expect(tokens.slice(0, 3)).toEqual(free[index]!.tokens.slice(0, 3));
      if (tokens.length < 3 || tokens[2] === endToken) continue;
      expect(bound).toEqual<BoundReply>({ trie: otherTrie, from: 3 });
      expect(others).toContainEqual(tokens.slice(3));
      bindings++;
    }
    expect(bindings).toBeGreaterThan(10);
    const pairs = replies.map(({ tokens, bound }, index) => ({
      prompt: requests[index]!.prompt,
      reply: tokens,
      ...(bound ? { bound } : {}),
    }));
    const trained = await scores(engine, model, pairs.map(sequenceOf));
    replies
      .flatMap(({ logProbs }) => logProbs)
      .forEach((value, index) => {
        expect(Math.abs(value - trained[index]!)).toBeLessThan(1e-5);
      });
    generator.destroy();
  });
});
