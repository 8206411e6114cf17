/** Text from a model as a stream, for programs. */
import { beforeAll, describe, expect, it } from 'vitest';
import { trainConfigSchema } from '../../../src/rl/config.ts';
import { generateText } from '../../../src/rl/generate/generateText.ts';
import { type PolicySource, wordPolicySource } from '../../../src/rl/policySource.ts';
import type { Engine } from '../../../src/tensor/engine.ts';
import { WordTokenizer } from '../../../src/text/wordTokenizer.ts';
import { tinyEngine } from '../../support/tinyRun.ts';

let engine: Engine;
let source: PolicySource;

beforeAll(async () => {
  engine = await tinyEngine();
  const policy = { dModel: 8, layers: 1, heads: 1, kvHeads: 1, headDim: 8, dFf: 8 };
  const { model, ...rest } = wordPolicySource(
    trainConfigSchema.parse({ policy }),
    WordTokenizer.build([...'abcdefghijklmnopqrst']),
  );
  // A reply goes on to its limit.
  source = { model, ...rest, endTokens: [] };
  engine.clear(model.slab.variable);
  const { initial } = model.slab.variable;
  if (initial) engine.write(model.slab.variable, initial);
});

const piecesOf = async (stream: AsyncIterable<string>) => {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
};

describe('generateText', () => {
  it('gives in pieces what its result is, the same for a seed', async () => {
    const stream = generateText(engine, source, 'a b c', { maxTokens: 9 });
    const pieces = await piecesOf(stream);
    const { text, tokens, logProbs, finishReason } = await stream.result;
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join('')).toBe(text);
    expect([tokens.length, logProbs.length, finishReason]).toEqual([9, 9, 'length']);
    expect((await generateText(engine, source, 'a b c', { maxTokens: 9 }).result).text).toBe(text);
    expect((await generateText(engine, source, 'a b c', { maxTokens: 9, seed: 2 }).result).text).not.toBe(text);
    // One reader has the pieces.
    expect(await piecesOf(stream)).toEqual([]);
  });

  it('ends at a stop string, which is no part of the reply', async () => {
    const options = { maxTokens: 9, temperature: 0 };
    const { text } = await generateText(engine, source, 'a b c', options).result;
    const third = text.trim().split(' ')[2]!;
    const stopped = await generateText(engine, source, 'a b c', { ...options, stop: [third] }).result;
    expect(stopped.finishReason).toBe('stop');
    expect(stopped.text).toBe(text.slice(0, text.indexOf(third)));
  });

  it('ends with an error where its signal fires, before or while it comes', async () => {
    const before = generateText(engine, source, 'a', { signal: AbortSignal.abort() });
    await expect(before.result).rejects.toMatchObject({ code: 'interrupted' });
    const controller = new AbortController();
    const during = generateText(engine, source, 'a', { maxTokens: 40, signal: controller.signal });
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const piece of during) {
        pieces.push(piece);
        controller.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
    expect(pieces.join('').trim().split(' ').length).toBeLessThan(40);
  });

  it('ends where nobody reads it, and gives back what it held', async () => {
    const held = engine.memory.variables;
    const stream = generateText(engine, source, 'a b', { maxTokens: 40 });
    for await (const piece of stream) if (piece) break;
    const { finishReason, tokens } = await stream.result;
    expect(finishReason).toBe('left');
    expect(tokens.length).toBeLessThan(40);
    expect(engine.memory.variables).toBe(held);
  });

  it.each([
    ['a conversation without a chat template', [{ role: 'user', content: 'a' }], {}, 'config', /has no chat template/],
    ['an empty prompt', '', {}, 'shape', /prompt/],
    ['an empty stop string', 'a', { stop: [''] }, 'config', /Stop strings: one is empty/],
  ] as const)('refuses %s', async (_, prompt, options, code, message) => {
    const { result } = generateText(engine, source, prompt, options);
    await expect(result).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(piecesOf(generateText(engine, source, prompt, options))).rejects.toMatchObject({ code });
  });
});
