/** What a generator does at once, on devices that bind little. */
import { expect, it } from 'vitest';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { Generator, type SamplingControls } from '../../src/nn/generator.ts';
import { batchLimits } from '../../src/nn/generatorLimits.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const config = {
  vocabSize: 100,
  dModel: 32,
  layers: 1,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  dFf: 48,
  ropeTheta: 100,
  tiedHead: true,
  normEpsilon: 1e-6,
};
const asked = { maxPromptTokens: 10, maxNewTokens: 6, maxBatchTokens: 1024, maxBatchRows: 64 };
// A sequence's keys take 16 · 2 · 8 · 4 = 1 KiB, a row of logits 400 bytes, the widest activation of a token 96 · 4 =
// 384 bytes.
const kibibyte = 1024;

it('is what was asked for, where it fits', () => {
  expect(batchLimits(config, asked, 1024 * kibibyte)).toEqual({ rows: 64, slots: 64, tokens: 1024 });
});

it('is as many rows as logits allow, as many cached sequences as keys, and as many tokens as activations do', () => {
  expect(batchLimits(config, asked, 25 * kibibyte)).toEqual({ rows: 64, slots: 25, tokens: 64 });
  expect(batchLimits({ ...config, vocabSize: 1000 }, asked, 25 * kibibyte)).toEqual({ rows: 4, slots: 25, tokens: 64 });
  expect(batchLimits(config, asked, 48 * kibibyte)).toEqual({ rows: 64, slots: 48, tokens: 128 });
  // Keys in f16 take half.
  expect(batchLimits(config, asked, 25 * kibibyte, 'f16')).toEqual({ rows: 64, slots: 50, tokens: 64 });
  expect(batchLimits(config, { ...asked, cachedSequences: 20 }, 25 * kibibyte).slots).toBe(20);
});

it('is refused where not one sequence fits, or not one prompt', () => {
  expect(() => batchLimits(config, { ...asked, maxNewTokens: 100_000 }, 1024 * kibibyte)).toThrow(
    'The device binds 1.0 MiB at once, but the keys of a sequence of 100010 tokens need 6.1 MiB and the activations of a prompt of 10 tokens 0.0 MiB; lower prompt.maxTokens or sampling.maxNewTokens.',
  );
  expect(() => batchLimits(config, { ...asked, maxPromptTokens: 4096, maxBatchTokens: 4096 }, 1024 * kibibyte)).toThrow(
    'the activations of a prompt of 4096 tokens 1.5 MiB',
  );
});

it('changes no reply', async () => {
  const gpu = await testDevice(testAdapters.at(-1)!);
  const controls: SamplingControls = { seed: 1, temperature: 1, topP: 1, topK: 0 };
  const requests = Array.from({ length: 60 }, (_, episode) => ({ prompt: [1, 2, episode], episode, turn: 0 }));
  const answers = async (engine: Engine) => {
    const model = new Transformer(config, decoderSlab(config, 3, 'policy', engine.largestBinding));
    const generator = new Generator(engine, model, { ...asked, blockSize: 6, endToken: 2 });
    const { variables } = engine.memory;
    const replies = await generator.generate(requests, controls);
    const cache = engine.memory.variables - variables - model.slab.size * 4;
    generator.destroy();
    return { tokens: replies.map(({ tokens }) => tokens), cache };
  };
  const [whole, little] = [
    await answers(new Engine(gpu)),
    await answers(new Engine(gpu, { largestBinding: 25 * kibibyte })),
  ];
  expect([whole.cache, little.cache]).toEqual([2 * 64 * kibibyte, 2 * 25 * kibibyte]);
  expect(little.tokens).toEqual(whole.tokens);
});

it('shares the KV cache out among short prompts, and changes no reply', async () => {
  const gpu = await testDevice(testAdapters.at(-1)!);
  const controls: SamplingControls = { seed: 1, temperature: 1, topP: 1, topK: 0 };
  const promptOf = (episode: number, length: number) => Array.from({ length }, (_, at) => (7 * at + episode) % 100);
  const requests = (length: number) =>
    Array.from({ length: 32 }, (_, episode) => ({ prompt: promptOf(episode, length), episode, turn: 0 }));
  const answers = async (cachedSequences: number) => {
    const engine = new Engine(gpu);
    const model = new Transformer(config, decoderSlab(config, 3, 'policy', engine.largestBinding));
    const sizes = { ...asked, maxPromptTokens: 250, maxBatchTokens: 8192, maxBatchRows: 32, cachedSequences };
    const generator = new Generator(engine, model, { ...sizes, blockSize: 6, endToken: 2 });
    const { variables } = engine.memory;
    const short = await generator.generate(requests(40), controls);
    const cache = engine.memory.variables - variables - model.slab.size * 4;
    const dispatches = generator.dispatches;
    const long = await generator.generate(requests(240), controls);
    generator.destroy();
    return { tokens: [...short, ...long].map(({ tokens }) => tokens), cache, dispatches };
  };
  const [whole, shared] = [await answers(32), await answers(8)];
  expect(shared.cache).toBe(whole.cache / 4);
  // All short prompts were one batch.
  expect(shared.dispatches).toBe(whole.dispatches);
  expect(shared.tokens).toEqual(whole.tokens);
});
