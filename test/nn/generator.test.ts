/**
 * Batched generation: the KV cache changes nothing, a reply does not depend on its neighbours, and rows end where they
 * should.
 */
import { describe, expect, it } from 'vitest';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { Generator, type Reply, type SamplingControls } from '../../src/nn/generator.ts';
import { packedInputs, packSequences } from '../../src/nn/packing.ts';
import type { WeightStorage } from '../../src/nn/precision.ts';
import { packedAttention, Transformer } from '../../src/nn/transformer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

const vocabSize = 23;
const endToken = 2;
const limits = { maxPromptTokens: 12, maxNewTokens: 7, maxBatchTokens: 64, maxBatchRows: 4, blockSize: 3, endToken };
const greedy: SamplingControls = { seed: 5, temperature: 0, topP: 1, topK: 0 };
const sampling: SamplingControls = { ...greedy, temperature: 1 };
const prompts = [[3, 4, 5, 6], [7], [8, 9, 10, 11, 12, 13, 14, 15, 16], [17, 18], [19, 20, 21], [1, 1, 1, 1, 1, 1]];
const requests = prompts.map((prompt, episode) => ({ prompt, episode, turn: 1 }));

async function open(adapter: string, endTokens: number | readonly number[] = endToken, storage: WeightStorage = 'f32') {
  const engine = new Engine(await testDevice(adapter));
  const config = {
    vocabSize,
    dModel: 16,
    layers: 2,
    heads: 2,
    kvHeads: 1,
    headDim: 8,
    dFf: 24,
    ropeTheta: 100,
    tiedHead: false,
    normEpsilon: 1e-6,
  };
  const model = new Transformer(config, decoderSlab(config, 3, 'model', undefined, storage));
  return { engine, model, generator: new Generator(engine, model, { ...limits, endToken: endTokens }) };
}

it('refuses replies that would be longer than the positions a model has learned', async () => {
  const engine = new Engine(await testDevice(testAdapters[0]!));
  const sizes = {
    vocabSize,
    dModel: 16,
    layers: 1,
    heads: 2,
    kvHeads: 2,
    headDim: 8,
    dFf: 24,
    tiedHead: true,
    normEpsilon: 1e-5,
  };
  const model = (maxPositions: number) =>
    new Transformer({ ...sizes, ropeTheta: 0, positions: 'learned', maxPositions }, 1);
  expect(() => new Generator(engine, model(18), limits)).toThrow('are 19 tokens, but the model takes 18');
  expect(() => new Generator(engine, model(19), limits)).not.toThrow();
});

/** The likeliest next token, by a forward pass over the whole sequence without a cache. */
async function nextToken(engine: Engine, model: Transformer, tokens: readonly number[]): Promise<number> {
  const { tokens: ids, positions, segments } = packedInputs(tokens.length);
  const logits = model.logits(model.hidden(ids, positions, packedAttention(segments)));
  const program = await engine.compile({ name: 'forward', outputs: { logits } });
  const result = await program.run(packSequences([tokens], tokens.length).arrays);
  const last = Array.from(result.logits.subarray((tokens.length - 1) * vocabSize));
  program.destroy();
  return last.indexOf(Math.max(...last));
}

it('takes the tokens that a forward pass would take with keys and values in f16, too', needsHalf, async () => {
  const { engine, model, generator } = await open(halfAdapter!, endToken, 'f16');
  const before = engine.memory.variables;
  const replies = await generator.generate(requests, greedy);
  // Two layers of keys and values: 4 slots of 19 positions, a head of 8.
  expect(engine.memory.variables - before).toBe(2 * 2 * (4 * 19 * 8) * 2 + model.slab.bytes);
  for (const [index, { tokens }] of replies.entries()) {
    for (let length = 0; length < tokens.length; length++) {
      expect(await nextToken(engine, model, [...prompts[index]!, ...tokens.slice(0, length)])).toBe(tokens[length]);
    }
  }
  generator.destroy();
});

describe.each(testAdapters)('on %s', (adapter) => {
  it('takes the tokens that a forward pass without a cache would take', async () => {
    const { engine, model, generator } = await open(adapter);
    const replies = await generator.generate(requests, greedy);
    for (const [index, { tokens }] of replies.entries()) {
      for (let length = 0; length < tokens.length; length++) {
        expect(await nextToken(engine, model, [...prompts[index]!, ...tokens.slice(0, length)])).toBe(tokens[length]);
      }
    }
    generator.destroy();
  });

  it('gives a reply that does not depend on its neighbours in the batch', async () => {
    const { generator } = await open(adapter);
    const together = await generator.generate(requests, sampling);
    for (const [index, request] of requests.entries()) {
      expect((await generator.generate([request], sampling))[0]!.tokens).toEqual(together[index]!.tokens);
    }
    generator.destroy();
  });

  it('ends at the end token or at the longest reply', async () => {
    const { generator } = await open(adapter);
    const many = Array.from({ length: 40 }, (_, episode) => ({ prompt: [3, 4], episode, turn: 0 }));
    const replies = await generator.generate(many, sampling);
    for (const { tokens, logProbs } of replies) {
      expect(logProbs).toHaveLength(tokens.length);
      expect(tokens.indexOf(endToken)).toBe(tokens.at(-1) === endToken ? tokens.length - 1 : -1);
      expect(tokens.length === limits.maxNewTokens || tokens.at(-1) === endToken).toBe(true);
    }
    expect(new Set(replies.map(({ tokens }) => tokens.join())).size).toBeGreaterThan(20);
    generator.destroy();
  });

  it('ends at any of several tokens, or never where there is none', async () => {
    const { generator: endless } = await open(adapter, []);
    const [whole] = await endless.generate(requests.slice(0, 1), sampling);
    expect(whole!.tokens).toHaveLength(limits.maxNewTokens);
    const [first = 0, second = 0] = [whole!.tokens[4], whole!.tokens[2]];
    const { generator } = await open(adapter, [first, second]);
    const [cut] = await generator.generate(requests.slice(0, 1), sampling);
    expect(cut!.tokens).toEqual(
      whole!.tokens.slice(0, whole!.tokens.findIndex((token) => [first, second].includes(token)) + 1),
    );
    endless.destroy();
    generator.destroy();
  });

  it('reads equal prompts of a batch once, and gives the replies of separate reading', async () => {
    const { generator } = await open(adapter);
    const shared = [3, 4, 5, 6, 3, 4].flatMap((token, index) => [
      { prompt: [token, 9, 10], episode: 10 + index, turn: 0 },
      { prompt: [7, 8, 7], episode: 20 + index, turn: 1 },
    ]);
    const together = await generator.generate(shared, sampling);
    // Three batches of four rows with two or three prompts: 3, 7 and 4; 5, 7 and 6; 3, 7 and 4.
    expect(generator.promptTokens).toEqual({ given: 36, read: 27 });
    for (const [index, request] of shared.entries()) {
      const [alone] = await generator.generate([request], sampling);
      expect(alone!.tokens).toEqual(together[index]!.tokens);
      // What is read beside a prompt decides where attention's tiles begin, and the size of a batch which kernels GPUs
      // take; both round differently.
      for (const [token, value] of alone!.logProbs.entries())
        expect(value).toBeCloseTo(together[index]!.logProbs[token]!, 5);
    }
    expect(generator.promptTokens).toEqual({ given: 72, read: 63 });
    generator.destroy();
  });

  it('tells of the tokens as they come, and stops a reply where it is told to', async () => {
    const { generator } = await open(adapter);
    const pieces = requests.map((): number[][] => []);
    const replies = await generator.generate(requests, sampling, (request, tokens) => {
      pieces[request]!.push([...tokens]);
      return request === 3;
    });
    expect(pieces.map((blocks) => blocks.flat())).toEqual(replies.map(({ tokens }) => tokens));
    expect(pieces.some((blocks) => blocks.length > 1)).toBe(true);
    const whole = await generator.generate(requests, sampling);
    expect(replies[3]!.tokens).toEqual(whole[3]!.tokens.slice(0, limits.blockSize));
    expect(replies.toSpliced(3, 1)).toEqual(whole.toSpliced(3, 1));
    generator.destroy();
  });

  it('has first tokens before the rest where that is asked for, and writes the same', async () => {
    const { engine, model, generator } = await open(adapter);
    const early = new Generator(engine, model, { ...limits, endToken, firstBlock: 1 });
    const sizes: number[] = [];
    const replies = await early.generate(requests.slice(0, 4), sampling, (_, { length }) => {
      sizes.push(length);
      return false;
    });
    expect(sizes.slice(0, 4)).toEqual([1, 1, 1, 1]);
    expect(sizes.at(-1)).toBeGreaterThan(1);
    const usual = await generator.generate(requests.slice(0, 4), sampling);
    expect(replies.map(({ tokens }) => tokens)).toEqual(usual.map(({ tokens }) => tokens));
    early.destroy();
    generator.destroy();
  });

  it('answers calls that overlap as it answers one after another', async () => {
    const { generator } = await open(adapter);
    const halves = [requests.slice(0, 3), requests.slice(3)];
    const apart: Reply[][] = [];
    for (const half of halves) apart.push(await generator.generate(half, sampling));
    // One that is refused holds up nobody.
    const empty = [{ prompt: [], episode: 0, turn: 0 }];
    const calls = [halves[0]!, empty, halves[1]!].map((half) => generator.generate(half, sampling));
    const [first, refused, last] = await Promise.allSettled(calls);
    expect([first, last]).toEqual(apart.map((value) => ({ status: 'fulfilled', value })));
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'shape' } });
    generator.destroy();
  });

  it('refuses prompts that are empty or too long', async () => {
    const { generator } = await open(adapter);
    await expect(generator.generate([{ prompt: [], episode: 0, turn: 0 }], greedy)).rejects.toThrow(
      'a prompt has 0 tokens, but 1 to 12 are allowed',
    );
    await expect(generator.generate([{ prompt: new Array(13).fill(1), episode: 0, turn: 0 }], greedy)).rejects.toThrow(
      'a prompt has 13 tokens',
    );
    generator.destroy();
  });
});

it('gives the place of a reply that is whole to the next prompt, and tells of each', async () => {
  const { engine, model } = await open(testAdapters.at(-1)!);
  const generator = new Generator(engine, model, { ...limits, endToken: [], refills: true });
  const many = [...requests, ...requests].map(({ prompt }, episode) => ({ prompt, episode, turn: 0 }));
  const told: number[] = [];
  const whole = new Map<number, Reply>();
  const replies = await generator.generate(
    many,
    sampling,
    (request) => {
      told.push(request);
      return request === 1;
    },
    (request, reply) => whole.set(request, reply),
  );
  // The fifth prompt is read while the first, third and fourth are still being answered.
  expect(told.indexOf(4)).toBeLessThan(told.lastIndexOf(0));
  expect([...whole.keys()][0]).toBe(1);
  expect(replies.map((_, request) => whole.get(request))).toEqual(replies);
  // Nobody's tokens depend on who is beside him.
  for (const request of [0, 4, 11]) {
    const [alone] = await generator.generate([many[request]!], sampling);
    expect([request, alone!.tokens]).toEqual([request, replies[request]!.tokens]);
  }
});
