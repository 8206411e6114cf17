/**
 * Models whose parameters lie in several buffers, and matrices in several parts: they compute, train, generate, and are
 * saved and loaded as those in one buffer. An engine that pretends to bind little shows it with small models.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { saveHfModel } from '../../src/models/hf/save.node.ts';
import type { TransformerConfig } from '../../src/models/transformerConfig.ts';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { loadPretrained, pretrainedWeights } from '../../src/nn/decoderWeights.ts';
import { Generator } from '../../src/nn/generator.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { mergeAdapters } from '../../src/nn/mergeAdapters.ts';
import { AdamW } from '../../src/nn/optimizer.ts';
import { packedInputs, packSequences } from '../../src/nn/packing.ts';
import { packedAttention, Transformer } from '../../src/nn/transformer.ts';
import { add } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { accumulate, gatherGradients } from '../../src/tensor/gradients.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant } from '../../src/tensor/tensor.ts';
import { portablePieceBytes } from '../../src/tensor/variable.ts';
import { TokenTrie } from '../../src/text/tokenTrie.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { hfFixture, hfFixtures, sourceOf, tensorsOf } from '../support/hfFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-pieces-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A piece holds 64 rows of a matrix of 32 columns. */
const smallPiece = 2 ** 13;
const vocabSize = 700;
const sizes = { vocabSize, dModel: 32, layers: 2, heads: 4, kvHeads: 2, headDim: 8, dFf: 80, normEpsilon: 1e-5 };
const forms: Readonly<Record<string, TransformerConfig>> = {
  gpt2: {
    ...sizes,
    kvHeads: 4,
    ropeTheta: 0,
    positions: 'learned',
    maxPositions: 128,
    norm: 'layer',
    mlp: 'gelu',
    qkvBias: true,
    outputBias: true,
    mlpBias: true,
    tiedHead: true,
  },
  qwen2: { ...sizes, ropeTheta: 10_000, qkvBias: true, tiedHead: true },
  llama: { ...sizes, ropeTheta: 10_000, tiedHead: false },
};

const modelOf = (form: string, largestPiece: number, seed: number | null = 7) =>
  new Transformer(forms[form]!, decoderSlab(forms[form]!, seed, form, largestPiece), form);

const sequence = Uint32Array.from([3, 699, 64, 63, 128, 512, 3, 3, 640, 1, 0, 300]);

/** Trains on one sequence, in two equal micro-batches a step. */
async function trainer(engine: Engine, model: Transformer) {
  const { slab } = model;
  const count = sequence.length - 1;
  const { tokens, positions, segments } = packedInputs(count);
  const hidden = model.hidden(tokens, positions, packedAttention(segments));
  const { logProb, entropy } = model.tokenLogProbs(hidden, constant(sequence.subarray(1), [count], 'u32'));
  const weights = (value: number) => constant(new Float32Array(count).fill(value), [count]);
  const loss = add(dot(logProb, weights(-1 / count)), dot(entropy, weights(-0.01)));
  const [micro, total] = [slab.variableLike('micro'), slab.variableLike('total')];
  const after = accumulate(total.tensor, gatherGradients(slab, micro, grad(loss, slab.tensors)));
  const gradient = await engine.compile({ name: 'gradient', outputs: { loss }, updates: [after] });
  const adamW = new AdamW(slab, { epsilon: 1e-3, weightDecay: 0.1, maxGradNorm: 0.5 });
  const { updates, norm } = adamW.update(total.tensor);
  const update = await engine.compile({ name: 'update', outputs: { norm }, updates });
  const step = async (number: number) => {
    engine.clear(total);
    const inputs = packSequences([sequence.subarray(0, count)], count).arrays;
    const [first] = [await gradient.run(inputs), await gradient.run(inputs)];
    const { norm } = await update.run({ hyperparameters: adamW.hyperparameters(number, 0.01, 0.5) });
    return [first.loss[0]!, norm[0]!] as const;
  };
  const state = [slab.variable, ...adamW.variables];
  const free = () => {
    for (const variable of [...state, micro, total]) engine.release(variable);
  };
  return { step, total, state, free };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);
}

describe.each(testAdapters)('on %s', (adapter) => {
  it.each(Object.keys(forms))(
    'a model of the form of %s that is cut has the loss, gradients and steps of one that is not',
    async (form) => {
      const engine = new Engine(await testDevice(adapter));
      const little = new Engine(await testDevice(adapter), { largestBinding: smallPiece });
      const [whole, cut] = [modelOf(form, portablePieceBytes), modelOf(form, little.largestBinding)];
      expect(whole.slab.variable.pieces).toHaveLength(1);
      expect(cut.slab.variable.pieces.length).toBeGreaterThan(15);
      expect(cut.slab.parts('embedding').length).toBeGreaterThan(10);
      const [a, b] = [await trainer(engine, whole), await trainer(little, cut)];
      for (let number = 1; number <= 3; number++) {
        const [wanted, got] = [await a.step(number), await b.step(number)];
        expect(largestDifference(wanted, got)).toBeLessThan(2e-5);
        // Over a head that is cut the loss goes part by part, which sums in another order.
        const gradients = await engine.read(a.total);
        const largest = largestDifference(gradients, new Float32Array(gradients.length));
        expect(largestDifference(gradients, await little.read(b.total)) / largest).toBeLessThan(3e-6);
      }
      for (const [index, variable] of a.state.entries()) {
        expect(
          largestDifference(await engine.read(variable), await little.read(b.state[index]!)),
          variable.name,
        ).toBeLessThan(2e-6);
      }
      a.free();
      b.free();
    },
  );

  it('goes on from the state of a model that is cut otherwise, with the same bits where it is cut alike', async () => {
    const engine = new Engine(await testDevice(adapter));
    const first = await trainer(engine, modelOf('qwen2', smallPiece));
    await first.step(1);
    const saved = await Promise.all(first.state.map((variable) => engine.read(variable)));
    await first.step(2);
    const after = await Promise.all(first.state.map((variable) => engine.read(variable)));
    for (const [largestPiece, tolerance] of [
      [smallPiece, 0],
      [3 * smallPiece, 2e-6],
      [portablePieceBytes, 2e-6],
    ] as const) {
      const second = await trainer(engine, modelOf('qwen2', largestPiece, null));
      for (const [index, variable] of second.state.entries()) engine.write(variable, saved[index]!);
      await second.step(2);
      for (const [index, variable] of second.state.entries()) {
        expect(largestDifference(await engine.read(variable), after[index]!)).toBeLessThanOrEqual(tolerance);
      }
      second.free();
    }
    first.free();
  });

  it('copies to a reference that is cut otherwise', async () => {
    const engine = new Engine(await testDevice(adapter));
    const model = modelOf('llama', smallPiece);
    const twin = model.twin('reference');
    expect(twin.slab.variable.pieces).toEqual(model.slab.variable.pieces);
    for (const other of [twin, modelOf('llama', 3 * smallPiece, null), modelOf('llama', portablePieceBytes, null)]) {
      engine.copy(model.slab.variable, other.slab.variable);
      expect(largestDifference(await engine.read(other.slab.variable), model.slab.variable.initial!)).toBe(0);
      engine.release(other.slab.variable);
    }
    engine.release(model.slab.variable);
  });

  it.each(['gpt2', 'llama'])(
    'a model of the form of %s that is cut samples the same tokens, free and bound to trees',
    async (form) => {
      const engine = new Engine(await testDevice(adapter));
      const tree = TokenTrie.fromSequences([
        [5, 600, 601],
        [5, 64, 2],
        [699, 0, 128, 2],
      ]);
      const requests = [[3, 650, 5], [64], [699, 0, 128, 127, 256]].flatMap((prompt, turn) =>
        [0, 1].map((episode) => ({ prompt, episode, turn, ...(episode === 1 ? { constraint: { start: tree } } : {}) })),
      );
      const limits = {
        maxPromptTokens: 8,
        maxNewTokens: 6,
        maxBatchTokens: 64,
        maxBatchRows: 8,
        blockSize: 3,
        endToken: 2,
      };
      const answers = async (largestPiece: number) => {
        const model = modelOf(form, largestPiece);
        const generator = new Generator(engine, model, limits);
        const replies = await generator.generate(requests, { seed: 3, temperature: 1, topP: 0.95, topK: 50 });
        generator.destroy();
        engine.release(model.slab.variable);
        return replies;
      };
      const [whole, cut] = [await answers(portablePieceBytes), await answers(smallPiece)];
      expect(cut.map(({ tokens }) => tokens)).toEqual(whole.map(({ tokens }) => tokens));
      expect(
        largestDifference(
          cut.flatMap(({ logProbs }) => logProbs),
          whole.flatMap(({ logProbs }) => logProbs),
        ),
      ).toBeLessThan(1e-5);
    },
  );
});

it('adapters of a base that is cut compute, and are merged, as those of one that is not', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const targets = ['q_proj', 'v_proj', 'gate_proj', 'up_proj', 'down_proj'];
  const logitsOf = async (largestPiece: number) => {
    const hf = { family: 'qwen2', transformer: forms.qwen2! } as const;
    const adapters = new LoraAdapters(hf, { rank: 3, alpha: 6, targets }, 5);
    const random = new Random(2, 'up');
    engine.write(
      adapters.slab.variable,
      Float32Array.from({ length: adapters.slab.size }, () => 0.1 * random.normal()),
    );
    const base = modelOf('qwen2', largestPiece);
    const model = base.withAdapters(adapters);
    const run = async (which: Transformer) => {
      const { tokens, positions, segments } = packedInputs(4);
      const logits = which.logits(which.hidden(tokens, positions, packedAttention(segments)));
      const program = await engine.compile({ name: 'logits', outputs: { logits } });
      return (await program.run(packSequences([[1, 699, 64, 63]], 4).arrays)).logits;
    };
    const adapted = await run(model);
    await mergeAdapters(engine, model);
    return {
      adapted,
      merged: await run(model.withoutAdapters()),
      parts: base.slab.parts('layers.0.mlp.gateUp').length,
    };
  };
  const [whole, cut] = [await logitsOf(portablePieceBytes), await logitsOf(smallPiece)];
  expect([whole.parts, cut.parts]).toEqual([1, 3]);
  expect(largestDifference(cut.adapted, whole.adapted)).toBeLessThan(1e-6);
  expect(largestDifference(cut.merged, whole.merged)).toBeLessThan(1e-6);
  expect(largestDifference(cut.merged, cut.adapted)).toBeLessThan(1e-5);
});

describe('a checkpoint', () => {
  it.each(hfFixtures)(
    '%s is loaded into pieces, has the same logits, and is saved from them with the same bits',
    async (name) => {
      const gpu = await testDevice(testAdapters.at(-1)!);
      const original = await tensorsOf(hfFixture(name));
      const model = await readHfModel(hfFixture(name));
      const logitsOf = async (engine: Engine) => {
        const transformer = await loadPretrained(engine, model, sourceOf(original), name);
        const { tokens, positions, segments } = packedInputs(4);
        const logits = transformer.logits(transformer.hidden(tokens, positions, packedAttention(segments)));
        const program = await engine.compile({ name: 'logits', outputs: { logits } });
        const result = await program.run(packSequences([[1, 39, 20, 19]], 4).arrays);
        return { transformer, logits: result.logits };
      };
      const little = new Engine(gpu, { largestBinding: 2048 });
      const [whole, cut] = [await logitsOf(new Engine(gpu)), await logitsOf(little)];
      expect(cut.transformer.slab.parts('embedding').length).toBeGreaterThan(1);
      expect(largestDifference(cut.logits, whole.logits)).toBeLessThan(1e-6);
      const dir = join(folder, name);
      await saveHfModel(dir, model, pretrainedWeights(little, cut.transformer, model));
      const saved = await tensorsOf(dir);
      for (const [tensor, { shape, data }] of original) expect(saved.get(tensor), tensor).toEqual({ shape, data });
    },
  );
});

it('a model of 41 million parameters, in two buffers on a device that binds 128 MiB, takes a training step and decodes', {
  timeout: 120_000,
}, async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!), { largestBinding: portablePieceBytes });
  const config: TransformerConfig = {
    ...sizes,
    vocabSize: 80_000,
    dModel: 512,
    headDim: 128,
    dFf: 512,
    ropeTheta: 10_000,
    tiedHead: true,
  };
  const slab = decoderSlab(config, null, 'large', engine.largestBinding);
  const model = new Transformer(config, slab, 'large');
  expect(slab.size * 4).toBeGreaterThan(engine.largestBinding);
  expect(slab.variable.pieces).toHaveLength(2);
  expect(slab.parts('embedding').map(({ shape }) => shape)).toEqual([
    [40_000, 512],
    [40_000, 512],
  ]);
  const random = new Random(1, 'weights');
  const block = Float32Array.from({ length: 2 ** 16 }, () => 0.03 * random.normal());
  for (let at = 0; at < slab.size; at += block.length)
    engine.write(slab.variable, block.subarray(0, slab.size - at), at);
  const { step, free } = await trainer(engine, model);
  const [[before, norm], [after]] = [await step(1), await step(2)];
  expect(norm).toBeGreaterThan(0);
  expect(after).toBeLessThan(before);
  const limits = {
    maxPromptTokens: 8,
    maxNewTokens: 3,
    maxBatchTokens: 8,
    maxBatchRows: 1,
    blockSize: 3,
    endToken: [],
  };
  const generator = new Generator(engine, model, limits);
  const request = { prompt: [3, 79_999, 40_000], episode: 0, turn: 0 };
  const [reply] = await generator.generate([request], { seed: 1, temperature: 1, topP: 1, topK: 0 });
  expect(reply!.tokens).toHaveLength(3);
  generator.destroy();
  free();
});
