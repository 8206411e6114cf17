/** Sessions: a sequence that is read turn by turn behind its cache gets the replies that it gets when read at once. */
import { describe, expect, it } from 'vitest';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { type GenerationRequest, Generator, type Reply, type SamplingControls } from '../../src/nn/generator.ts';
import type { WeightStorage } from '../../src/nn/precision.ts';
import { Transformer, type TransformerConfig } from '../../src/nn/transformer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

const vocabSize = 23;
const limits = { maxPromptTokens: 64, maxNewTokens: 5, maxBatchTokens: 96, maxBatchRows: 6, blockSize: 3, endToken: 2 };
const sampling: SamplingControls = { seed: 5, temperature: 1, topP: 1, topK: 0 };

async function open(adapter: string, storage: WeightStorage = 'f32', more: Partial<TransformerConfig> = {}) {
  const engine = new Engine(await testDevice(adapter));
  const config = {
    vocabSize,
    dModel: 16,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    dFf: 24,
    ropeTheta: 100,
    tiedHead: false,
    normEpsilon: 1e-6,
    ...more,
  };
  const model = new Transformer(config, decoderSlab(config, 3, 'model', undefined, storage));
  return { engine, model, generator: new Generator(engine, model, limits) };
}

/** What an episode reads in a turn; episodes differ in length, and 0 and 1 begin alike. */
function observation(episode: number, turn: number): number[] {
  const length = 1 + ((5 * episode + 3 * turn) % 7);
  const first = turn === 0 && episode < 2 ? 0 : episode;
  return Array.from({ length: turn === 0 && episode < 2 ? 4 : length }, (_, i) => 3 + ((7 * first + turn + i) % 20));
}

function expectSame(got: Reply, expected: Reply, tolerance: number): void {
  expect(got.tokens).toEqual(expected.tokens);
  got.logProbs.forEach((logProb, index) => {
    expect(Math.abs(logProb - expected.logProbs[index]!)).toBeLessThan(tolerance);
  });
}

/**
 * Plays turns with sessions, in batches that change from turn to turn, and holds each reply against a whole reading.
 */
async function playAndCompare({ generator }: Awaited<ReturnType<typeof open>>, tolerance: number): Promise<void> {
  const episodes = [0, 1, 2, 3, 4];
  const sessions = episodes.map(() => generator.openSession());
  for (let turn = 0; turn < 4; turn++) {
    // The last episode begins when the others are in their second turn.
    const playing = episodes.filter((episode) => turn + episode !== 4);
    const requests: GenerationRequest[] = playing.map((episode) => ({
      prompt: observation(episode, turn),
      episode,
      turn,
      session: sessions[episode]!,
    }));
    const whole = requests.map(({ prompt, episode }) => ({
      prompt: [...sessions[episode]!.tokens, ...Array.from(prompt)],
      episode,
      turn,
    }));
    const replies = await generator.generate(requests, sampling);
    // One place of the cache is left for sequences without a session.
    const expected = await generator.generate(whole, sampling);
    replies.forEach((reply, index) => {
      expectSame(reply, expected[index]!, tolerance);
      expect(sessions[playing[index]!]!.tokens).toEqual([...whole[index]!.prompt, ...reply.tokens]);
    });
  }
  for (const session of sessions) session.close();
}

describe.each(testAdapters)('sessions on %s', (adapter) => {
  it('get the replies that their whole sequences get, whoever shares the batch', async () => {
    await playAndCompare(await open(adapter), 2e-5);
  });

  it('do so where layers have windows, turn nothing, or turn heads in part', async () => {
    const layerForms = [{ window: 5 }, { window: 9, ropeTheta: 0 }];
    await playAndCompare(await open(adapter, 'f32', { layerForms }), 2e-5);
    await playAndCompare(await open(adapter, 'f32', { layerForms, rotaryDim: 6, postNorms: true }), 2e-5);
  });

  it('read only what is new: what was read before, once, and the last token of a reply', async () => {
    const { generator } = await open(adapter);
    const session = generator.openSession();
    const ask = (prompt: number[], turn: number) =>
      generator.generate([{ prompt, episode: 0, turn, session }], sampling);
    await ask([3, 4, 5, 6], 0);
    expect(generator.promptTokens.read).toBe(4);
    await ask([7, 8], 1);
    expect(generator.promptTokens.read).toBe(4 + 1 + 2);
    session.clear();
    await ask([7, 8], 2);
    expect(generator.promptTokens.read).toBe(7 + 2);
  });

  it('read an equal beginning once for all', async () => {
    const { generator } = await open(adapter);
    const requests = [0, 1, 2].map((episode) => ({
      prompt: [3, 4, 5, 6],
      episode,
      turn: 0,
      session: generator.openSession(),
    }));
    await generator.generate(requests, sampling);
    expect(generator.promptTokens).toEqual({ given: 12, read: 4 });
  });
});

it('get the same replies with keys and values in f16', needsHalf, async () => {
  await playAndCompare(await open(halfAdapter!, 'f16'), 2e-2);
});

describe('places in the cache', () => {
  it('are as many as the rows, and are given back', async () => {
    const { generator } = await open(testAdapters[0]!);
    const sessions = Array.from({ length: generator.slots }, () => generator.openSession());
    expect(new Set(sessions.map(({ slot }) => slot)).size).toBe(limits.maxBatchRows);
    expect(() => generator.openSession()).toThrow('The KV cache holds 6 sequences, and all are in use');
    await expect(generator.generate([{ prompt: [3], episode: 0, turn: 0 }], sampling)).rejects.toThrow(
      'Sessions have all places of the KV cache',
    );
    sessions[3]!.close();
    sessions[3]!.close();
    expect(generator.openSession().slot).toBe(sessions[3]!.slot);
    expect(() => generator.openSession()).toThrow('all are in use');
  });

  it('serve one request at a time, of a session that is open', async () => {
    const { generator } = await open(testAdapters[0]!);
    const session = generator.openSession();
    const request = { prompt: [3], episode: 0, turn: 0, session };
    await expect(generator.generate([request, request], sampling)).rejects.toThrow('two requests at once');
    session.close();
    await expect(generator.generate([request], sampling)).rejects.toThrow('A session is closed');
  });

  it('hold a sequence up to the longest prompt', async () => {
    const { generator } = await open(testAdapters[0]!);
    const session = generator.openSession();
    const ask = (length: number) =>
      generator.generate([{ prompt: new Array(length).fill(4), episode: 0, turn: 0, session }], sampling);
    const [reply] = await ask(40);
    await expect(ask(25 - reply!.tokens.length)).rejects.toThrow('a prompt has 65 tokens with its session');
    await ask(24 - reply!.tokens.length);
  });
});
