/** GGUF files of every supported family against what they were made from; written by test/oracle/gguf_files.py. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { widened } from '../../../kernels/packed.ts';
import { ProxmoError } from '../../../src/base/errors.ts';
import { openGguf } from '../../../src/models/gguf/ggufFile.node.ts';
import { parseHfConfig } from '../../../src/models/hf/config.ts';
import { locateWeights } from '../../../src/models/hf/locate.ts';
import { digestOfModel } from '../../../src/models/pretrained.node.ts';
import { rowsOfBlocks } from '../../../src/nn/packedRows.ts';
import { packedTypeOf } from '../../../src/nn/packedWeights.ts';
import { endTokens } from '../../../src/text/hf/endTokens.ts';
import { loadHfTokenizer } from '../../../src/text/hf/loadHfTokenizer.node.ts';
import { arrayOf, ggufBytes, keyValue, tensorInfo, text, u16, u32 } from '../../support/gguf.ts';

interface Expected {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly sha256: string }>>;
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

const fixtures = new URL('../../fixtures/gguf', import.meta.url).pathname;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxmo-gguf-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Opens these bytes as a file. */
async function openBytes(bytes: Uint8Array) {
  const path = join(folder, 'file.gguf');
  await writeFile(path, bytes);
  return openGguf(path);
}

describe.each(['llama', 'qwen2', 'qwen3', 'gpt2', 'smollm3', 'phi3', 'gemma3'])('a %s model', (family) => {
  const expected = JSON.parse(readFileSync(join(fixtures, `${family}.json`), 'utf8')) as Expected;

  test('has the tensors of the original, bit by bit, under their names and in their shapes', async () => {
    const file = await openGguf(join(fixtures, `${family}.gguf`));
    expect([...file.names()].sort()).toEqual(Object.keys(expected.tensors).sort());
    for (const [name, { shape, sha256 }] of Object.entries(expected.tensors)) {
      expect([name, file.shape(name)]).toEqual([name, shape]);
      const hash = createHash('sha256').update(new Uint8Array((await file.read(name)).buffer));
      expect([name, hash.digest('hex')]).toEqual([name, sha256]);
    }
    await file.close();
  });

  test('hands out its blocks in the order in which products read the matrix', async () => {
    const file = await openGguf(join(fixtures, `${family}.gguf`));
    let packed = 0;
    for (const name of file.names()) {
      const blocks = file.blocks(name);
      const type = packedTypeOf(blocks?.type ?? '');
      if (!blocks || !type) continue;
      packed++;
      const { columns } = blocks;
      const words = rowsOfBlocks(type, await blocks.read(), columns);
      const values = await file.read(name);
      const rows = values.length / columns;
      const isTurned = family === 'gpt2' && name.includes('.h.');
      const expectedAt = (row: number, column: number) => (isTurned ? column * rows + row : row * columns + column);
      const wide = widened(type, words, rows, columns);
      const differing = wide.findIndex(
        (value, at) => value !== values[expectedAt(Math.floor(at / columns), at % columns)],
      );
      expect([name, differing]).toEqual([name, -1]);
    }
    expect(packed).toBeGreaterThan(0);
    await file.close();
  });

  test('has the configuration of the original, and fits it', async () => {
    const file = await openGguf(join(fixtures, `${family}.gguf`));
    expect(file.config).toMatchObject(expected.config);
    const model = parseHfConfig(file.config);
    expect(locateWeights(model, file, file.path).weights).toHaveLength(file.names().length);
    await file.close();
  });

  test('has a tokenizer that a Hugging Face folder can have', async () => {
    const file = await openGguf(join(fixtures, `${family}.gguf`));
    const dir = join(folder, family);
    await mkdir(dir);
    for (const [name, text] of Object.entries(file.tokenizerTexts())) await writeFile(join(dir, name), text);
    await writeFile(join(dir, 'config.json'), JSON.stringify(file.config));
    const [own, copied] = [file.tokenizer(), await loadHfTokenizer(dir)];
    for (const { text } of expected.texts) expect(copied.encode(text)).toEqual(own.encode(text));
    expect([copied.endId, copied.stopIds, copied.vocabSize]).toEqual([own.endId, own.stopIds, own.vocabSize]);
    expect(copied.hasChatTemplate).toBe(own.hasChatTemplate);
    await file.close();
  });

  test('has the tokenizer of the original', async () => {
    const file = await openGguf(join(fixtures, `${family}.gguf`));
    const tokenizer = file.tokenizer();
    expect(tokenizer.vocabSize).toBe(expected.config.vocab_size);
    expect(expected.texts.length).toBeGreaterThan(8);
    for (const { text, ids } of expected.texts) {
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
      expect(tokenizer.decode(ids)).toBe(text);
    }
    await file.close();
  });
});

test('a chat template and special tokens come along', async () => {
  const file = await openGguf(join(fixtures, 'qwen2.gguf'));
  const tokenizer = file.tokenizer();
  expect(tokenizer.applyChatTemplate([{ role: 'user', content: 'go' }])).toBe('go<|im_end|>');
  expect(tokenizer).toMatchObject({ endId: 1, padId: 0, stopIds: [0, 1] });
  expect(tokenizer.encodeChat([{ role: 'user', content: 'go' }]).at(-1)).toBe(1);
  // The last two ids only fill up the table.
  expect(tokenizer.decode([...tokenizer.encode('go'), 328, 329])).toBe('go');
  expect(file.typeOf('model.embed_tokens.weight')).toBe('Q8_0');
  expect(() => file.shape('none')).toThrow('has no tensor "none"');
  await expect(file.read('none')).rejects.toThrow('has no tensor "none"');
  await file.close();
});

/** A one-layer file with a few keys changed; enough to be opened. */
const smallest = (
  keys: readonly Uint8Array[] = [],
  architecture = 'gpt2',
  tensors = [tensorInfo('token_embd.weight', [4, 2], 0, 0)],
) =>
  ggufBytes({
    keys: [
      keyValue('general.architecture', 8, text(architecture)),
      ...['context_length', 'embedding_length', 'block_count', 'feed_forward_length', 'attention.head_count'].map(
        (name) => keyValue(`${architecture}.${name}`, 4, u32(name === 'attention.head_count' ? 2 : 4)),
      ),
      keyValue(`${architecture}.attention.layer_norm_epsilon`, 6, new Uint8Array(Float32Array.of(1e-5).buffer)),
      ...keys,
    ],
    tensors,
    dataBytes: 32,
  });

describe('a model in parts', () => {
  const part = (no: number, count: number, keys: readonly Uint8Array[], tensors: [string, number[]][]) => {
    const place = [keyValue('split.no', 2, u16(no)), keyValue('split.count', 2, u16(count))];
    const infos = tensors.map(([name, dimensions], index) => tensorInfo(name, dimensions, 0, 32 * index));
    return keys.length > 0
      ? smallest([...place, ...keys], 'gpt2', infos)
      : ggufBytes({ keys: place, tensors: infos, dataBytes: 32 * tensors.length });
  };
  const first = (count = 2, due = 2) =>
    part(0, count, [keyValue('split.tensors.count', 5, u32(due))], [['token_embd.weight', [4, 2]]]);
  const second = (no = 1, name = 'output_norm.weight') => part(no, 2, [], [[name, [4]]]);
  let folders = 0;
  const write = async (files: Readonly<Record<string, Uint8Array>>) => {
    const dir = join(folder, `parts-${folders++}`);
    await mkdir(dir);
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(dir, name), bytes);
    return (name: string) => join(dir, name);
  };
  const [one, two] = ['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'] as const;

  test.each([one, two])('is opened by %s', async (name) => {
    const path = await write({ [one]: first(), [two]: second() });
    const file = await openGguf(path(name));
    expect(file.paths).toEqual([path(one), path(two)]);
    expect(file.names()).toEqual(['transformer.wte.weight', 'transformer.ln_f.weight']);
    expect(await file.read('transformer.ln_f.weight')).toEqual(new Float32Array(4));
    await file.close();
  });

  test('has a hash of all of it', async () => {
    const path = await write({ [one]: first(), [two]: second() });
    const before = await digestOfModel(path(one));
    expect(await digestOfModel(path(two))).toBe(before);
    await writeFile(path(two), new Uint8Array([...second(), 1]));
    expect(await digestOfModel(path(one))).not.toBe(before);
  });

  test.each([
    ['without a part', { [one]: first() }, one, /m-00002-of-00002\.gguf does not exist; .* needs all of its 2 parts/],
    ['without the first', { [two]: second() }, two, /is part 2 of 2 of a model, where part 1 of 2 is due/],
    ['under another name', { 'm.gguf': first() }, 'm.gguf', /is the first of 2 parts of a model, which must be called/],
    ['in the wrong order', { [one]: first(), [two]: second(2) }, one, /is part 3 of 2 .*, where part 2 of 2 is due/],
    [
      'with a tensor twice',
      { [one]: first(), [two]: second(1, 'token_embd.weight') },
      one,
      /has the tensor "token_embd.weight", as has/,
    ],
    ['with too few tensors', { [one]: first(2, 3), [two]: second() }, one, /have 2 tensors, where 3 are due/],
  ] as const)('%s is refused', async (_, files, name, message) => {
    const path = await write(files);
    await expect(openGguf(path(name))).rejects.toMatchObject({ code: 'file', message });
  });
});

test('byte order marks in a vocabulary are characters', async () => {
  const tokens = ['a', '\u{feff}', '\u{feff}a', 'a\u{feff}', '\u{feff}'.repeat(2), 'b'];
  const keys = [
    keyValue('tokenizer.ggml.tokens', 9, arrayOf(8, tokens.map(text))),
    keyValue('tokenizer.chat_template', 8, text('\u{feff}{{ 1 }}')),
  ];
  const file = await openBytes(smallest(keys));
  expect(file.metadata.texts('tokenizer.ggml.tokens')).toEqual(tokens);
  expect(file.metadata.text('tokenizer.chat_template')).toBe('\u{feff}{{ 1 }}');
  await file.close();
});

test('a turn ends with every token that is known to end one', async () => {
  const names = ['a', '<|endoftext|>', '<|im_end|>', '<|fim_pad|>', '<|repo_name|>', 'b', 'stop', '<|im_start|>'];
  const keys = (named: readonly Uint8Array[]) => [
    keyValue('tokenizer.ggml.tokens', 9, arrayOf(8, names.map(text))),
    keyValue('tokenizer.ggml.model', 8, text('gpt2')),
    keyValue('tokenizer.ggml.pre', 8, text('qwen2')),
    keyValue('tokenizer.ggml.merges', 9, arrayOf(8, [])),
    keyValue('tokenizer.ggml.eos_token_id', 4, u32(1)),
    ...named,
  ];
  const rows = [tensorInfo('token_embd.weight', [1, 8], 0, 0)];
  const file = await openBytes(smallest(keys([keyValue('tokenizer.ggml.eom_token_id', 4, u32(6))]), 'gpt2', rows));
  expect(file.tokenizer()).toMatchObject({ endId: 1, stopIds: [1, 2, 3, 4, 6] });
  await file.close();
  const named = await openBytes(smallest(keys([keyValue('tokenizer.ggml.fim_pad_token_id', 4, u32(5))]), 'gpt2', rows));
  expect(named.tokenizer().stopIds).toEqual([1, 2, 4, 5]);
  await named.close();
});

test.each([
  [
    ['<|return|>', '<|call|>', '<|end|>'],
    [0, 1],
  ],
  [
    ['<|flush|>', '<|calls|>', '<|end|>'],
    [0, 1],
  ],
  [
    ['<|return|>', '<|end|>'],
    [0, 1],
  ],
  [['</s>', '<|tool_response>'], [1]],
  [
    ['</s>', '<eos>'],
    [0, 1],
  ],
])('of %j, %j end a turn', (tokens, ends) => {
  const idOfText = (token: string) => (tokens.includes(token) ? tokens.indexOf(token) : undefined);
  expect(endTokens(() => undefined, idOfText)).toEqual(ends);
});

test('the magnitude of YaRN is multiplied by a factor of its own', async () => {
  const floats = (name: string, value: number) =>
    keyValue(`llama.rope.scaling.${name}`, 6, new Uint8Array(Float32Array.of(value).buffer));
  const keys = (...own: readonly Uint8Array[]) => [
    keyValue('llama.attention.layer_norm_rms_epsilon', 6, new Uint8Array(Float32Array.of(1e-5).buffer)),
    ...own,
  ];
  const llama = (...own: readonly Uint8Array[]) =>
    ggufBytes({
      keys: [
        keyValue('general.architecture', 8, text('llama')),
        ...['context_length', 'embedding_length', 'block_count', 'feed_forward_length', 'attention.head_count'].map(
          (name) => keyValue(`llama.${name}`, 4, u32(name === 'attention.head_count' ? 2 : 4)),
        ),
        ...keys(...own),
      ],
      tensors: [tensorInfo('token_embd.weight', [4, 2], 0, 0)],
      dataBytes: 32,
    });
  const yarn = [keyValue('llama.rope.scaling.type', 8, text('yarn')), floats('factor', 4)];
  const file = await openBytes(llama(...yarn, floats('attn_factor', 0.5)));
  expect(file.config.rope_scaling).toMatchObject({ attention_factor: 0.5 * (0.1 * Math.log(4) + 1) });
  await file.close();
  await (await openBytes(llama(floats('attn_factor', 1)))).close();
  await expect(openBytes(llama(floats('attn_factor', 2)))).rejects.toThrow('`llama.rope.scaling.attn_factor` is 2');
});

describe('what is not supported is named', () => {
  test.each([
    [
      'an architecture',
      smallest([], 'mamba'),
      'config',
      /architecture "mamba", which is not known; known are llama, qwen2, qwen3, gpt2/,
    ],
    ['a key', smallest([keyValue('gpt2.logit_scale', 4, u32(1))]), 'config', /`gpt2\.logit_scale` is not known/],
    [
      'a tensor',
      smallest([], 'gpt2', [
        tensorInfo('token_embd.weight', [4, 1], 0, 0),
        tensorInfo('blk.0.ffn_gate_exps.weight', [4], 0, 32),
      ]),
      'file',
      /no place for/,
    ],
    [
      'no embedding',
      smallest([], 'gpt2', [tensorInfo('output.weight', [4, 2], 0, 0)]),
      'file',
      /has no tensor "token_embd\.weight"/,
    ],
    [
      'a value of another kind',
      smallest([keyValue('gpt2.attention.causal', 4, u32(1))]),
      'file',
      /`gpt2\.attention\.causal`, but it is not true or false/,
    ],
  ])('%s', async (_, bytes, code, message) => {
    const padded =
      bytes.length < 1000 && message.source.includes('no place')
        ? new Uint8Array([...bytes, ...new Uint8Array(16)])
        : bytes;
    await expect(openBytes(padded)).rejects.toMatchObject({ code, message });
  });

  test('a type of tensor, by the name of the first one, before anything is read', async () => {
    const tensors = [
      tensorInfo('token_embd.weight', [32, 1], 0, 0),
      tensorInfo('blk.0.attn_q.weight', [32, 1], 20, 128),
      tensorInfo('blk.0.attn_k.weight', [32, 1], 20, 160),
    ];
    const opening = openBytes(new Uint8Array([...smallest([], 'gpt2', tensors), ...new Uint8Array(256)]));
    await expect(opening).rejects.toMatchObject({
      code: 'file',
      message: /has the tensor "blk\.0\.attn_q\.weight" in IQ4_NL, which is not supported; use a file with these: F32/,
    });
  });

  test('a tokenizer', async () => {
    const file = await openBytes(smallest());
    expect(() => file.tokenizer()).toThrow('has no metadata `tokenizer.ggml.tokens`');
    await file.close();
    const tokens = keyValue('tokenizer.ggml.tokens', 9, arrayOf(8, [text('a'), text('b')]));
    const model = (name: string) => keyValue('tokenizer.ggml.model', 8, text(name));
    const t5 = await openBytes(smallest([tokens, model('t5')]));
    expect(() => t5.tokenizer()).toThrow('tokenizer.ggml.model "t5", which is not supported; known are gpt2, llama');
    await t5.close();
    const pre = await openBytes(smallest([tokens, model('gpt2'), keyValue('tokenizer.ggml.pre', 8, text('falcon'))]));
    expect(() => pre.tokenizer()).toThrow('tokenizer.ggml.pre "falcon", which is not supported');
    await pre.close();
  });
});

describe('damaged files', () => {
  const valid = new Uint8Array(readFileSync(join(fixtures, 'gpt2.gguf')));

  test('a path that is no file, and a file that is cut short in use', async () => {
    await expect(openGguf(join(folder, 'none'))).rejects.toMatchObject({
      code: 'file',
      message: /none does not exist/,
    });
    await expect(openGguf(folder)).rejects.toMatchObject({ code: 'file', message: /is not a file/ });
    const file = await openBytes(valid);
    await truncate(file.path, valid.length - 4000);
    await expect(file.read('transformer.h.0.mlp.c_proj.weight'))
      .resolves.toBeDefined()
      .catch(() => {});
    const reads = await Promise.allSettled(file.names().map((name) => file.read(name)));
    const failed = reads.filter((result) => result.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'file', message: /cut short while in use/ });
    await file.close();
  });

  test('the last text of a long list is whole, wherever it lies', async () => {
    // Lists are read in windows of 2,000,000 bytes; the last token lies across a border.
    const start = smallest().length;
    const fill = Array.from({ length: 400 }, () => text('x'.repeat(4990)));
    for (let shift = 0; shift < 40; shift += 3) {
      const rest = 2_000_000 - start - 400 * 4998 + 60 - shift;
      const tokens = [...fill, text('y'.repeat(Math.max(rest, 0))), text('the last token of all')];
      const file = await openBytes(smallest([keyValue('tokenizer.ggml.tokens', 9, arrayOf(8, tokens))]));
      expect(file.metadata.texts('tokenizer.ggml.tokens').at(-1)).toBe('the last token of all');
      await file.close();
    }
  });

  test('a file with bytes changed or cut gives tensors of their sizes or a ProxmoError', async () => {
    const change = fc.record({ at: fc.nat(valid.length - 1), value: fc.oneof(fc.nat(255), fc.constantFrom(0, 255)) });
    const headerChange = fc.record({ at: fc.nat(9000), value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 255)) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(headerChange, change), { maxLength: 3 }),
        fc.option(fc.nat(valid.length)),
        async (changes, cut) => {
          const bytes = valid.slice(0, cut ?? valid.length);
          for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
          try {
            const file = await openBytes(bytes);
            try {
              for (const name of file.names()) {
                const size = file.shape(name).reduce((product, n) => product * n, 1);
                expect(await file.read(name)).toHaveLength(size);
              }
              file.tokenizer();
            } finally {
              await file.close();
            }
          } catch (error) {
            expect(error).toBeInstanceOf(ProxmoError);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
