/**
 * Replies bound to actions, with a vocabulary whose logits no device must bind: they are scored and learnt from in
 * chunks, as they were sampled.
 */
import { expect, it } from 'vitest';
import { Generator } from '../../src/nn/generator.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { dot } from '../../src/ops/reduce.ts';
import { Optimiser } from '../../src/rl/optimise.ts';
import { Scorer } from '../../src/rl/score.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { TokenTrie } from '../../src/text/tokenTrie.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const vocabSize = 151_936;
const endToken = 2;
/** Spread over the vocabulary, so that they lie in many chunks. */
const actions = [
  [7, 150_000, 90_000, 64, endToken],
  [7, 150_000, 3, 151_935, endToken],
  [149_999, 12, 70_000, 70_001, endToken],
  [30_000, 60_000, 30_001, 60_001, endToken],
];

it('is sampled, scored and learnt with the same log-probabilities', { timeout: 120_000 }, async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!), { largestBinding: 2 ** 27 });
  const sizes = {
    vocabSize,
    dModel: 16,
    layers: 1,
    heads: 2,
    kvHeads: 1,
    headDim: 8,
    dFf: 24,
    ropeTheta: 100,
    tiedHead: true,
  };
  const model = new Transformer({ ...sizes, normEpsilon: 1e-6 }, 3);
  const limits = { maxPromptTokens: 4, maxNewTokens: 5, maxBatchTokens: 256, maxBatchRows: 56, blockSize: 5, endToken };
  const generator = new Generator(engine, model, limits);
  const trie = TokenTrie.fromSequences(actions);
  const requests = Array.from({ length: 56 }, (_, episode) => ({
    prompt: [5, episode],
    episode,
    turn: 0,
    constraint: { start: trie },
  }));
  const replies = await generator.generate(requests, { seed: 1, temperature: 1, topP: 1, topK: 0 });
  generator.destroy();
  expect(new Set(replies.map(({ tokens }) => tokens.join()))).toEqual(new Set(actions.map((tokens) => tokens.join())));

  // 280 tokens of replies: 162 MiB of logits.
  const pairs = replies.map(({ tokens, bound }, index) =>
    sequenceOf({ prompt: requests[index]!.prompt, reply: tokens, bound: bound! }),
  );
  const scoreAll = async () => (await new Scorer(engine, model, 4096, 1).score(pairs)).flatMap((scores) => [...scores]);
  const before = await scoreAll();
  const sampled = replies.flatMap(({ logProbs }) => logProbs);
  expect(Math.max(...before.map((score, index) => Math.abs(score - sampled[index]!)))).toBeLessThan(1e-5);

  const options = { microBatchTokens: 4096, checkpointing: 'none', seed: 1 } as const;
  const optimiser = new Optimiser(engine, model, options, ['weight'], ({ logProbs, column }) => {
    const loss = dot(logProbs().logProb, column('weight'));
    return { loss, statistics: loss };
  });
  // The first action is to become likelier.
  const isWanted = (reply: readonly number[]) => reply.join() === actions[0]!.join();
  const trained = pairs.map((pair) => ({
    ...pair,
    columns: { weight: pair.reply.map(() => (isWanted(pair.reply) ? -1 : 0)) },
  }));
  for (let step = 0; step < 3; step++) expect((await optimiser.step(trained, 3e-3)).skipped).toBeNull();
  const after = await scoreAll();
  const wantedSum = (scores: readonly number[]) =>
    pairs.reduce(
      (sum, { reply }, pair) =>
        sum + (isWanted(reply) ? scores.slice(5 * pair, 5 * pair + 5).reduce((a, b) => a + b, 0) : 0),
      0,
    );
  expect(wantedSum(after)).toBeGreaterThan(wantedSum(before) + 0.1);
  optimiser.destroy();
});
