/** What is told of a model that an adapter has no room for, before any of it is there. */
import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import type { HfModel } from '../../src/models/hf/config.ts';
import { checkModelRoom } from '../../src/rl/modelRoom.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testDevice } from '../support/adapters.ts';
import { hfFixture, sourceOf } from '../support/hfFixtures.ts';

/** A model of other sizes, without its weights. */
const changed = (model: HfModel, change: object) => ({
  model: { ...model, transformer: { ...model.transformer, ...change } },
  weights: sourceOf(new Map()),
  path: 'a model',
});

it('a model that takes more than the machine has is refused, with what it takes', async () => {
  const engine = new Engine(await testDevice('swiftshader'));
  const model = await readHfModel(hfFixture('llama'));
  const check = (change: object, ...more: [copies?: number]) =>
    checkModelRoom(engine, changed(model, change), 'f32', ...more);
  expect(() => check({})).not.toThrow();
  const made = engine.gpu.memory().bytes;
  // A width of 4096 at 4 bytes is 16 KiB a token of the vocabulary, twice where the head is its own.
  const fitting = Math.floor(totalmem() / 2 ** 15 / 2);
  const sizes = { dModel: 4096, vocabSize: fitting };
  expect(() => check(sizes)).not.toThrow();
  expect(() => check(sizes, 5)).toThrow(/a model takes [\d.]+ GiB for its weights and what training keeps beside them/);
  const tooLarge = { layers: 1, dModel: 2 ** 15, vocabSize: Math.ceil(totalmem() / 2 ** 17) };
  expect(() => check(tooLarge)).toThrow(
    /^a model takes [\d.]+ GiB for its weights, and .* has the machine's [\d.]+ GiB; use a smaller model, precision f16, or a GPU\.$/,
  );
  expect(engine.gpu.memory().bytes).toBe(made);
});

it('so is one of which an adapter cannot bind what a token needs', async () => {
  const engine = new Engine(await testDevice('swiftshader'), { largestBinding: 2 ** 16 });
  const model = await readHfModel(hfFixture('llama'));
  expect(() => checkModelRoom(engine, changed(model, { vocabSize: 2 ** 15 }), 'f32')).toThrow(
    expect.objectContaining({ code: 'shape', message: expect.stringContaining('The device binds ') }),
  );
});
