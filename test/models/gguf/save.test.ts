/**
 * GGUF files that are written, read again: whole models of every family, adapters, tokenizers, and what has no such
 * form. test/oracle/gguf_saved.py holds them against the gguf package, and test/oracle/llama_cpp.mjs against llama.cpp.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copiedTokenizerEntries, tokenizerEntries } from '../../../src/models/gguf/exportTokenizer.ts';
import { openGguf } from '../../../src/models/gguf/ggufFile.node.ts';
import { openGgufParts, readAt } from '../../../src/models/gguf/ggufParts.node.ts';
import { checkGgufAdapter, saveGguf, saveGgufAdapter } from '../../../src/models/gguf/save.node.ts';
import { type HfModel, parseHfConfig } from '../../../src/models/hf/config.ts';
import { AdapterFolder } from '../../../src/models/peft.node.ts';
import { type LoraConfig, loraSites } from '../../../src/models/peft.ts';
import type { HfTokenizerFiles } from '../../../src/text/hf/files.ts';
import { HfTokenizer } from '../../../src/text/hf/hfTokenizer.ts';
import { hfFixture, hfFixtures, sourceOf, tensorsOf } from '../../support/hfFixtures.ts';
import { peftFixture } from '../../support/peftFixtures.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxmo-gguf-save-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What of the fixtures' configurations llama.cpp does not compute, as it does. */
const computable: Readonly<Record<(typeof hfFixtures)[number], Record<string, unknown>>> = {
  gpt2: { activation_function: 'gelu_new', scale_attn_by_inverse_layer_idx: false },
  // The limits and the length of Llama 3.1, which a file does not have.
  llama: {
    rope_parameters: {
      ...{ rope_type: 'llama3', rope_theta: 500_000, factor: 8 },
      ...{ low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 },
    },
  },
  qwen2: {},
  qwen3: {},
  mistral: { sliding_window: null },
  smollm3: { no_rope_layers: [1, 1, 1], no_rope_layer_interval: 4 },
  phi3: {},
  gemma3: {
    query_pre_attn_scalar: 8,
    layer_types: new Array(3).fill('sliding_attention'),
    rope_parameters: {
      full_attention: { rope_type: 'default', rope_theta: 1e6 },
      sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
    },
  },
};

function configOf(name: (typeof hfFixtures)[number]): Record<string, unknown> {
  return JSON.parse(readFileSync(join(hfFixture(name), 'config.json'), 'utf8'));
}

const modelOf = (name: (typeof hfFixtures)[number]): HfModel =>
  parseHfConfig({ ...configOf(name), ...computable[name] });

describe.each(hfFixtures)('a %s model', (name) => {
  it('is read again with the bits and the sizes that it had', async () => {
    const model = modelOf(name);
    const tensors = await tensorsOf(hfFixture(name));
    const path = join(folder, `${name}.gguf`);
    await saveGguf(path, model, sourceOf(tensors), 'float32', null);
    const file = await openGguf(path);
    expect(new Set(file.names())).toEqual(new Set(tensors.keys()));
    for (const [tensor, { shape, data }] of tensors) {
      expect([tensor, file.shape(tensor)]).toEqual([tensor, shape]);
      const values = await file.read(tensor);
      // Gemma's norms are stored plus 1, which costs bits below those of 1.
      const tolerance = name === 'gemma3' && tensor.endsWith('norm.weight') ? 2 ** -24 : 0;
      const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(value - data[at]!)), 0);
      expect(worst, tensor).toBeLessThanOrEqual(tolerance);
    }
    expect(sizesOf(parseHfConfig(file.config))).toEqual(sizesOf(model));
    await file.close();
  });
});

/** A transformer's sizes, without what says the same in another way, and numbers as float32 has them. */
function sizesOf({ transformer }: HfModel): unknown {
  const { layerForms, ...sizes } = transformer;
  const forms = layerForms?.some((form) => Object.keys(form).length > 0) ? { layerForms } : {};
  return JSON.parse(
    JSON.stringify({ ...sizes, ...forms }, (_, value) =>
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value || undefined,
    ),
  );
}

it('a model in half precision has its matrices in it, and its vectors in float32', async () => {
  for (const [type, stored] of [
    ['float16', 'F16'],
    ['bfloat16', 'BF16'],
  ] as const) {
    const path = join(folder, `half-${type}.gguf`);
    await saveGguf(path, modelOf('qwen2'), sourceOf(await tensorsOf(hfFixture('qwen2'))), type, null);
    const file = await openGguf(path);
    expect(file.typeOf('model.layers.0.self_attn.q_proj.weight')).toBe(stored);
    expect(file.typeOf('model.layers.0.self_attn.q_proj.bias')).toBe('F32');
    await file.close();
  }
});

it.each([
  ['mistral', { sliding_window: 7 }, 'a mistral model with sliding windows has no GGUF form that llama.cpp computes'],
  ['smollm3', { no_rope_layers: [1, 0, 1] }, 'positions in other layers than three of four'],
  ['gemma3', { query_pre_attn_scalar: 12 }, 'scores of another scale'],
  ['gemma3', { layer_types: new Array(3).fill('full_attention') }, 'windows on other layers than five of six'],
  ['gpt2', { activation_function: 'gelu' }, 'an exact GELU'],
  ['qwen2', { rope_parameters: { rope_type: 'dynamic', factor: 2, rope_theta: 100 } }, 'dynamic rope scaling'],
] as const)('%s with %j is refused', async (name, change, message) => {
  const model = parseHfConfig({ ...configOf(name), ...computable[name], ...change });
  const path = join(folder, 'refused.gguf');
  await expect(saveGguf(path, model, sourceOf(new Map()), 'float32', null)).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining(message),
  });
});

it('adapters have the names, orders and factors of llama.cpp', async () => {
  const adapter = await AdapterFolder.open(peftFixture('llama'));
  const model = modelOf('llama');
  const sites = loraSites(model, adapter.config);
  const path = join(folder, 'adapter.gguf');
  await saveGgufAdapter(path, model, sites, adapter.config.alpha, adapter);
  const { metadata, tensors, close } = await openGgufParts(path);
  expect(metadata.text('general.type')).toBe('adapter');
  expect(metadata.number('adapter.lora.alpha')).toBe(adapter.config.alpha);
  expect(tensors.size).toBe(2 * sites.length);
  for (const { module, rank, outputs } of sites) {
    const [, layer, , part] = /layers\.(\d+)\.(self_attn|mlp)\.(\w+)_proj/.exec(module)!;
    const name = `blk.${layer}.${{ q: 'attn_q', k: 'attn_k', v: 'attn_v', o: 'attn_output' }[part!] ?? `ffn_${part}`}.weight`;
    const found = tensors.get(`${name}.lora_b`)!;
    expect(found.tensor.dimensions).toEqual([rank, outputs]);
    const bytes = await readAt(found.handle, found.tensor.byteOffset, found.tensor.byteLength, path);
    const stored = new Float32Array(bytes.buffer);
    const original = await adapter.read(`base_model.model.${module}.lora_B.weight`);
    // Rows of a head of queries and keys: its two halves adjoin in a file.
    const half = model.transformer.headDim / 2;
    const from = part === 'q' || part === 'k' ? half : 1;
    expect([...stored.subarray(rank, 2 * rank)]).toEqual([...original.subarray(from * rank, (from + 1) * rank)]);
  }
  await close();
  await adapter.close();
});

it.each([
  ['llama', { targets: ['embed_tokens'] }, 'an adapter of model.embed_tokens'],
  ['qwen2', { targets: ['lm_head'] }, 'an adapter of lm_head'],
  ['llama', { targets: ['q_proj'], modulesToSave: ['lm_head'] }, 'lm_head, trained as a whole'],
] as const)('adapters of a %s with %j are refused, since llama.cpp has no place for them', (name, more, what) => {
  const config: LoraConfig = { rank: 1, alpha: 1, ...more };
  const model = modelOf(name);
  expect(() => checkGgufAdapter(model, config, loraSites(model, config))).toThrow(
    `A GGUF file of adapters cannot hold ${what}; save the merged model with --merge --gguf`,
  );
  const own: LoraConfig = { rank: 1, alpha: 1, targets: ['q_proj', 'lm_head'] };
  expect(() => checkGgufAdapter(modelOf('llama'), own, loraSites(modelOf('llama'), own))).not.toThrow();
});

describe('a tokenizer', () => {
  const texts = ['You see a drawer 12, a desk.', '  two  spaces', 'naïve 漢字 🙂', 'aaaa\n\tb'];

  it.each(['smollm3', 'phi3', 'qwen2'])('of the file of a %s is copied', async (name) => {
    const file = await openGguf(new URL(`../../fixtures/gguf/${name}.gguf`, import.meta.url).pathname);
    const keys = file.metadata.keys().filter((key) => key.startsWith('tokenizer.'));
    const entries = copiedTokenizerEntries(file.metadata);
    expect([...entries.keys()]).toEqual(keys);
    const path = join(folder, `copied-${name}.gguf`);
    await saveGguf(path, parseHfConfig(file.config), file, 'float32', entries);
    const again = await openGguf(path);
    for (const text of texts) expect(again.tokenizer().encode(text)).toEqual(file.tokenizer().encode(text));
    await Promise.all([file.close(), again.close()]);
  });

  it.each(['qwen_like', 'byte_fallback'])("of Hugging Face's %s gives the same ids", async (name) => {
    const files = tokenizerFixture(name);
    const original = new HfTokenizer(files, name);
    const model = modelOf('qwen2');
    const vocabSize = original.vocabSize + 3;
    const transformer = { ...model.transformer, vocabSize };
    const path = join(folder, `tokenizer-${name}.gguf`);
    const tensors = await tensorsOf(hfFixture('qwen2'));
    const { dModel } = transformer;
    tensors.set('model.embed_tokens.weight', {
      shape: [vocabSize, dModel],
      data: new Float32Array(vocabSize * dModel),
    });
    await saveGguf(
      path,
      { ...model, transformer },
      sourceOf(tensors),
      'float32',
      tokenizerEntries(files, vocabSize, name),
    );
    const file = await openGguf(path);
    for (const text of texts) expect([text, file.tokenizer().encode(text)]).toEqual([text, original.encode(text)]);
    await file.close();
  });

  it('that cuts words in a way without a name is refused', () => {
    expect(() => tokenizerEntries(tokenizerFixture('gpt2_like'), 400, 'here')).toThrow(
      'here: the tokenizer cuts text in a way that has no name in GGUF here; export a Hugging Face folder.',
    );
  });
});

function tokenizerFixture(name: string): HfTokenizerFiles {
  return JSON.parse(readFileSync(new URL(`../../fixtures/tokenizers/${name}.json`, import.meta.url), 'utf8')).files;
}
