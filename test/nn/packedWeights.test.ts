/**
 * Weights that stay packed: that kernels read the numbers of the file, that a model computes with them what it computes
 * with widened ones, and that adapters learn on them.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type PackedType, packedRowWords, packedTypes, widened } from '../../kernels/packed.ts';
import { dequantize, ggufTypes } from '../../src/models/gguf/quants.ts';
import type { HfModel } from '../../src/models/hf/config.ts';
import { weightPlacements } from '../../src/models/hf/weightNames.ts';
import { openPretrained } from '../../src/models/pretrained.node.ts';
import type { WeightSource } from '../../src/models/weightSource.ts';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { loadPretrained, pretrainedWeights } from '../../src/nn/decoderWeights.ts';
import { Generator } from '../../src/nn/generator.ts';
import { releaseWeights } from '../../src/nn/halfWeights.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { mergeAdapters } from '../../src/nn/mergeAdapters.ts';
import { haveFiniteScales, rowsOfBlocks } from '../../src/nn/packedRows.ts';
import { packingOf } from '../../src/nn/packedWeights.ts';
import { storageFor } from '../../src/nn/precision.ts';
import { packColumn, packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import type { Transformer } from '../../src/nn/transformer.ts';
import { dot } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { input, sizeOf, type Tensor } from '../../src/tensor/tensor.ts';
import { portablePieceBytes } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';
import { needsSmollm2, smollm2 } from '../support/smollm2.ts';

const fixture = new URL('../fixtures/gguf/quants.json', import.meta.url);
const blocksOf = JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, { blocks: string; values: string }>;
const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));
const ggufType = (type: PackedType) => [...ggufTypes.values()].find(({ name }) => name === type.toUpperCase())!;

describe.each(packedTypes)('rows of %s', (type) => {
  it('hold the values that the gguf package makes of the blocks, bit by bit', () => {
    const { blocks, values } = blocksOf[type.toUpperCase()]!;
    const bytes = bytesOf(blocks);
    const { blockValues, blockBytes } = ggufType(type);
    const columns = (bytes.length / blockBytes) * blockValues;
    const words = rowsOfBlocks(type, bytes, columns);
    expect(words.length).toBe(packedRowWords(type, columns));
    // −0 has become 0 where the reference has it.
    const expected = new Float32Array(bytesOf(values).buffer).map((value) => value + 0);
    expect(Float32Array.from(widened(type, words, 1, columns)).map((value) => value + 0)).toEqual(expected);
  });

  it('are known for scales that are no numbers', () => {
    const bytes = randomBlocks(type, 4, 512, new Random(1, type));
    expect(haveFiniteScales(type, bytes)).toBe(true);
    bytes[bytes.length - (type === 'q6_k' ? 1 : ggufType(type).blockBytes - 1)] = 0xfc;
    expect(haveFiniteScales(type, bytes)).toBe(false);
  });
});

/** Blocks of random numbers whose values are about as large as weights. */
function randomBlocks(type: PackedType, rows: number, columns: number, random: Random): Uint8Array {
  const { blockValues, blockBytes } = ggufType(type);
  const bytes = Uint8Array.from({ length: ((rows * columns) / blockValues) * blockBytes }, () =>
    Math.floor(random.uniform() * 256),
  );
  const halves = { q4_0: [0], q4_1: [0, 2], q8_0: [0], q4_k: [0, 2], q6_k: [208] }[type];
  // Of 2^-13 for the K types, whose scales are times up to 127, and 2^-8 or 2^-11 for the others.
  const exponent = { q4_0: 7, q4_1: 7, q8_0: 4, q4_k: 2, q6_k: 2 }[type];
  for (let at = 0; at < bytes.length; at += blockBytes)
    for (const half of halves) bytes[at + half + 1] = (bytes[at + half + 1]! & 0x83) | (exponent << 2);
  return bytes;
}

/** Every parameter in another type, and a fused one in two. */
const typeOfTensor: readonly (readonly [RegExp, PackedType])[] = [
  [/embed_tokens/, 'q8_0'],
  [/q_proj|k_proj/, 'q4_k'],
  [/v_proj/, 'q6_k'],
  [/o_proj/, 'q4_0'],
  [/gate_proj|up_proj/, 'q4_1'],
  [/down_proj/, 'q6_k'],
];

const model: Pick<HfModel, 'family' | 'transformer'> = {
  family: 'qwen2',
  transformer: {
    ...{ vocabSize: 70, dModel: 256, layers: 1, heads: 4, kvHeads: 2, headDim: 64, dFf: 256 },
    ...{ ropeTheta: 100, tiedHead: true, normEpsilon: 1e-6, qkvBias: true },
  },
};

interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** How it is packed; null if it is not. */
  readonly packed: { readonly type: PackedType; readonly bytes: Uint8Array } | null;
}

function storedTensor(name: string, shape: readonly number[], random: Random, spoil: Spoil): StoredTensor {
  if (shape.length !== 2) {
    const values = Float32Array.from({ length: sizeOf(shape) }, () => 1 + random.normal() / 8);
    return { shape, values, packed: null };
  }
  const type = typeOfTensor.find(([pattern]) => pattern.test(name))![1];
  const bytes = randomBlocks(type, shape[0]!, shape[1]!, random);
  spoil(name, bytes);
  const values = new Float32Array(sizeOf(shape));
  dequantize(ggufType(type), bytes, values);
  return { shape, values, packed: { type, bytes } };
}

type Spoil = (name: string, bytes: Uint8Array) => void;

/** A checkpoint of such blocks. */
function packedSource(spoil: Spoil = () => {}): WeightSource {
  const random = new Random(3, 'packed model');
  const tensors = new Map<string, StoredTensor>();
  for (const { name, shape } of weightPlacements(model)) tensors.set(name, storedTensor(name, shape, random, spoil));
  return {
    names: () => [...tensors.keys()],
    shape: (name) => tensors.get(name)!.shape,
    read: async (name) => tensors.get(name)!.values.slice(),
    blocks: (name) => {
      const { packed, shape } = tensors.get(name)!;
      return packed && { type: packed.type.toUpperCase(), columns: shape[1]!, read: async () => packed.bytes };
    },
  };
}

describe.each(testAdapters)('a packed model on %s', (adapter) => {
  const source = packedSource();
  const pairs = [
    { prompt: [1, 2, 3, 4], reply: [5, 6] },
    { prompt: [7, 69], reply: [8, 9, 30] },
  ].map(sequenceOf);
  let engine: Engine;
  let packed: Transformer;
  let wide: Transformer;

  beforeAll(async () => {
    engine = new Engine(await testDevice(adapter));
    packed = await loadPretrained(engine, model as HfModel, source, 'here', 'packed');
    wide = await loadPretrained(engine, model as HfModel, source, 'here', 'f32');
  });

  /** Log-probabilities of replies, and gradients of the adapters. */
  const measure = async (transformer: Transformer) => {
    const bucket = replyBucket(pairs);
    const { logProb } = replyGraph(transformer, bucket).logProbs();
    const loss = dot(logProb, input('weight', [bucket.targets]));
    const gradients = grad(loss, transformer.trainable.tensors);
    const named = Object.fromEntries(gradients.map((gradient, index) => [`g${index}`, gradient]));
    const outputs: Record<string, Tensor> = { logProb, ...named };
    const program = await engine.compile({ name: 'measure', outputs });
    const weight = packColumn(
      pairs.map(({ reply }) => reply.map((_, i) => 1 + i)),
      bucket,
    );
    const result = await program.run({ ...packReplies(pairs, bucket), weight });
    program.destroy();
    return {
      logProbs: Array.from(result.logProb!).slice(0, 5),
      gradients: gradients.map((_, index) => Array.from(result[`g${index}`]!)),
    };
  };
  const distance = (a: readonly number[], b: readonly number[]) =>
    Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

  it('takes the bytes of its blocks, and has their values', async () => {
    const { slab } = packed;
    const values = sizeOf([70, 256]) + 5 * 256 * 256 + sizeOf([2 * 128, 256]);
    expect(slab.packed!.bytes).toBeLessThan(values * 0.9);
    expect(slab.parameterCount).toBe(wide.slab.parameterCount);
    expect(slab.packed!.parts('layers.0.attention.qkv').map(({ type, shape }) => [type, ...shape])).toEqual([
      ['q4_k', 384, 256],
      ['q6_k', 128, 256],
    ]);
    const read = pretrainedWeights(engine, packed, model);
    for (const name of source.names())
      expect(
        (await read.read(name)).map((v) => v + 0),
        name,
      ).toEqual((await source.read(name)).map((v) => v + 0));
  });

  it('has the log-probabilities of the widened one, and adapters on it have their gradients', async () => {
    const adapters = new LoraAdapters(model, { rank: 4, alpha: 8, targets: 'all-linear' }, 5);
    engine.write(
      adapters.slab.variable,
      Float32Array.from({ length: adapters.slab.size }, (_, i) => Math.sin(i) / 30),
    );
    const [got, want] = [await measure(packed.withAdapters(adapters)), await measure(wide.withAdapters(adapters))];
    expect(distance(got.logProbs, want.logProbs)).toBeLessThan(2e-4);
    expect(got.gradients.length).toBe(14);
    for (const [index, gradient] of got.gradients.entries()) {
      const norm = Math.hypot(...want.gradients[index]!);
      expect(norm).toBeGreaterThan(0);
      expect(distance(gradient, want.gradients[index]!) / norm).toBeLessThan(2e-4);
    }
    await expect(mergeAdapters(engine, packed.withAdapters(adapters))).rejects.toThrow(
      'is packed and cannot be changed',
    );
    engine.release(adapters.slab.variable);
  });

  it('writes what the widened one writes', async () => {
    const replies = async (transformer: Transformer) => {
      const sizes = { maxPromptTokens: 8, maxNewTokens: 6, maxBatchTokens: 64, maxBatchRows: 2 };
      const generator = new Generator(engine, transformer, { ...sizes, blockSize: 3, endToken: 70 });
      const requests = pairs.map(({ prompt }, episode) => ({ prompt, episode, turn: 0 }));
      const made = await generator.generate(requests, { seed: 1, temperature: 0, topP: 1, topK: 0 });
      generator.destroy();
      return made.map(({ tokens }) => tokens);
    };
    expect(await replies(packed)).toEqual(await replies(wide));
    releaseWeights(engine, packed.slab);
    releaseWeights(engine, wide.slab);
  });
});

describe('SmolLM2-135M', () => {
  it('takes at most 110 MiB of weights, by its file alone', needsSmollm2, async () => {
    const { model: real, weights, path, close } = await openPretrained(smollm2!);
    const packing = packingOf(real, weights, path);
    const slab = decoderSlab(real.transformer, null, 'model', portablePieceBytes, 'packed', packing);
    await close();
    expect(slab.parameterCount).toBe(134_515_008);
    expect(slab.bytes / 2 ** 20).toBeLessThan(110);
    expect(
      [...slab.packed!.parts('embedding'), ...slab.packed!.parts('layers.0.mlp.gateUp')].map(({ type }) => type),
    ).toEqual(['q8_0', 'q4_1']);
  });
});

describe('what cannot stay packed', () => {
  it('is refused: a checkpoint without such types, and training of the weights themselves', () => {
    const { blocks: _, ...plain } = packedSource();
    expect(() => packingOf(model, plain, 'here')).toThrow(
      'here has no matrix in Q4_0, Q4_1, Q8_0, Q4_K, Q6_K, so nothing can stay packed; use a GGUF file with such types',
    );
    expect(() => storageFor('packed', true)).toThrow('Packed weights cannot be trained themselves; train adapters');
    expect(storageFor('packed', false)).toBe('packed');
  });

  it('is widened: a matrix of which one part has another type', () => {
    const source = packedSource();
    const partly: WeightSource = {
      ...source,
      blocks: (name) => (name.includes('v_proj') ? { ...source.blocks!(name)!, type: 'Q5_K' } : source.blocks!(name)),
    };
    const packing = packingOf(model, partly, 'here');
    expect(packing.has('layers.0.attention.qkv')).toBe(false);
    expect(packing.get('layers.0.mlp.gateUp')).toEqual([{ type: 'q4_1', rows: 512 }]);
  });

  it('is refused by name: a tensor with a scale that is no number', async () => {
    const engine = new Engine(await testDevice(testAdapters.at(-1)!));
    const source = packedSource((name, bytes) => {
      if (name.includes('o_proj')) bytes[1] = 0x7c;
    });
    await expect(loadPretrained(engine, model as HfModel, source, 'here', 'packed')).rejects.toThrow(
      'here: the tensor model.layers.0.self_attn.o_proj.weight has',
    );
  });
});
