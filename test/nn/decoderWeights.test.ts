/** Weights from a checkpoint to the device and back: nothing is lost, and what does not fit is refused by name. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HfCheckpoint, readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { saveHfModel } from '../../src/models/hf/save.node.ts';
import { loadPretrained, pretrainedWeights } from '../../src/nn/decoderWeights.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { hfFixture, hfFixtures, sourceOf, tensorsOf } from '../support/hfFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-weights-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const makeEngine = async () => new Engine(await testDevice(testAdapters.at(-1)!));

describe('a model', () => {
  it.each(hfFixtures)('%s that is loaded, saved and loaded again has the same bits', async (name) => {
    const engine = await makeEngine();
    const original = await tensorsOf(hfFixture(name));
    const model = await readHfModel(hfFixture(name));
    const transformer = await loadPretrained(engine, model, sourceOf(original), name);
    const dir = join(folder, name);
    await saveHfModel(dir, model, pretrainedWeights(engine, transformer, model));
    const saved = await tensorsOf(dir);
    expect([...saved.keys()].sort()).toEqual([...original.keys()].sort());
    for (const [tensor, { shape, data }] of original) expect(saved.get(tensor), tensor).toEqual({ shape, data });
    expect((await readHfModel(dir)).transformer).toEqual(model.transformer);
    engine.release(transformer.slab.variable);
  });

  it('is saved in the precision asked for, with its tokenizer, and never over another one', async () => {
    const engine = await makeEngine();
    const from = hfFixture('qwen3');
    const checkpoint = await HfCheckpoint.open(from);
    const transformer = await loadPretrained(engine, checkpoint.model, checkpoint, from);
    const weights = pretrainedWeights(engine, transformer, checkpoint.model);
    const dir = join(folder, 'bfloat16');
    await saveHfModel(dir, checkpoint.model, weights, { dtype: 'bfloat16', companions: { folder: from } });
    // The fixture is in bfloat16, so nothing is rounded.
    expect(await tensorsOf(dir)).toEqual(await tensorsOf(from));
    expect(JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')).dtype).toBe('bfloat16');
    expect(readdirSync(dir).sort()).toEqual(['config.json', 'model.safetensors']);
    await expect(saveHfModel(dir, checkpoint.model, weights)).rejects.toThrow(
      'exists already; save the model under another name.',
    );
    await checkpoint.close();
    engine.release(transformer.slab.variable);
  });

  it('leaves nothing behind where it cannot be saved', async () => {
    const model = await readHfModel(hfFixture('gpt2'));
    const broken = {
      ...sourceOf(await tensorsOf(hfFixture('gpt2'))),
      read: () => Promise.reject(new Error('the device is gone')),
    };
    const before = readdirSync(folder);
    await expect(saveHfModel(join(folder, 'broken'), model, broken)).rejects.toThrow('the device is gone');
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('a checkpoint', () => {
  const load = async (
    name: (typeof hfFixtures)[number],
    change: (tensors: Awaited<ReturnType<typeof tensorsOf>>) => void,
  ) => {
    const engine = await makeEngine();
    const tensors = await tensorsOf(hfFixture(name));
    change(tensors);
    const model = await readHfModel(hfFixture(name));
    const transformer = await loadPretrained(engine, model, sourceOf(tensors), 'here');
    const weights = pretrainedWeights(engine, transformer, model);
    return { engine, tensors, weights, transformer };
  };

  it('without the prefix, and with tables that older versions saved, is the same model', async () => {
    const { engine, weights, transformer } = await load('gpt2', (tensors) => {
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name);
        tensors.set(name.replace(/^transformer\./, ''), tensor);
      }
      tensors.set('h.0.attn.bias', { shape: [1, 1, 2, 2], data: new Float32Array(4) });
      tensors.set('h.1.attn.masked_bias', { shape: [], data: new Float32Array(1) });
    });
    const original = await tensorsOf(hfFixture('gpt2'));
    for (const [name, { data }] of original) expect(await weights.read(name), name).toEqual(data);
    engine.release(transformer.slab.variable);
  });

  it('may hold a copy of the embedding as its tied head, if it is one', async () => {
    const copied = await load('qwen2', (tensors) =>
      tensors.set('lm_head.weight', tensors.get('model.embed_tokens.weight')!),
    );
    copied.engine.release(copied.transformer.slab.variable);
    const changed = load('qwen2', (tensors) => {
      const { shape, data } = tensors.get('model.embed_tokens.weight')!;
      tensors.set('lm_head.weight', { shape, data: data.map((value, index) => (index === 77 ? value + 0.01 : value)) });
    });
    await expect(changed).rejects.toThrow(
      'here: lm_head.weight differs from model.embed_tokens.weight, but config.json says that they are one',
    );
  });

  const embedding = 'model.embed_tokens.weight';
  it.each([
    ['lacks a tensor', 'qwen3', 'here has no tensor model.norm.weight;', (t) => t.delete('model.norm.weight')],
    [
      'lacks its head',
      'qwen3',
      'has no tensor lm_head.weight (config.json says that the head is not tied',
      (t) => t.delete('lm_head.weight'),
    ],
    ['is empty', 'llama', `here has no tensor ${embedding} (and 34 more)`, (t) => t.clear()],
    [
      'has too much',
      'qwen2',
      'has a tensor model.layers.2.x that a qwen2 model',
      (t) => t.set('model.layers.2.x', t.get(embedding)!),
    ],
    [
      'has another shape',
      'qwen2',
      `here: ${embedding} has the shape [39, 16], but config.json makes it [40, 16].`,
      (t) => t.set(embedding, { shape: [39, 16], data: new Float32Array(39 * 16) }),
    ],
  ] as [string, (typeof hfFixtures)[number], string, (tensors: Awaited<ReturnType<typeof tensorsOf>>) => void][])(
    'that %s is refused',
    async (_, name, message, change) => {
      await expect(load(name, change)).rejects.toThrow(message);
    },
  );
});
