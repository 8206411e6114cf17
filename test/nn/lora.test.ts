/** Low-rank adapters: against PEFT, from its files and back, merged, and as what alone is trained. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HfCheckpoint, readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { AdapterFolder, saveAdapter } from '../../src/models/peft.node.ts';
import type { WeightSource } from '../../src/models/weightSource.ts';
import { loadPretrained } from '../../src/nn/decoderWeights.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { adapterWeights, loadAdapters } from '../../src/nn/loraWeights.ts';
import { mergeAdapters } from '../../src/nn/mergeAdapters.ts';
import { AdamW } from '../../src/nn/optimizer.ts';
import { packColumn, packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import type { Transformer } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gatherGradients } from '../../src/tensor/gradients.ts';
import { plan } from '../../src/tensor/planner.ts';
import { input, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { hfFixture } from '../support/hfFixtures.ts';
import { peftBase, peftExpected, peftFixture, peftFixtures } from '../support/peftFixtures.ts';
import { sequenceOf } from '../support/sequences.ts';

type Fixture = (typeof peftFixtures)[number];

const folder = mkdtempSync(join(tmpdir(), 'proxmo-lora-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const makeEngine = async () => new Engine(await testDevice(testAdapters.at(-1)!));

async function loadFixture(engine: Engine, name: Fixture): Promise<Transformer> {
  const checkpoint = await HfCheckpoint.open(peftBase(name));
  const adapter = await AdapterFolder.open(peftFixture(name));
  const base = await loadPretrained(engine, checkpoint.model, checkpoint, name);
  const adapters = await loadAdapters(engine, checkpoint.model, adapter.config, adapter, name, checkpoint);
  await Promise.all([checkpoint.close(), adapter.close()]);
  return base.withAdapters(adapters);
}

/** Each sequence's first token is given, the others are predicted. */
const pairsOf = (sequences: readonly (readonly number[])[]) =>
  sequences.map(([first, ...reply]) => sequenceOf({ prompt: [first!], reply }));

/** The mean loss over all predicted tokens as a graph, and a run's inputs. */
function meanLoss(model: Transformer, sequences: readonly (readonly number[])[]) {
  const pairs = pairsOf(sequences);
  const bucket = replyBucket(pairs);
  const graph = replyGraph(model, bucket);
  const loss = scale(dot(graph.logProbs().logProb, input('weight', [bucket.targets])), -1);
  const count = pairs.reduce((sum, { reply }) => sum + reply.length, 0);
  const weight = packColumn(
    pairs.map(({ reply }) => reply.map(() => 1 / count)),
    bucket,
  );
  return { ...graph, loss, inputs: { ...packReplies(pairs, bucket), weight } };
}

async function lossOf(engine: Engine, model: Transformer, sequences: readonly (readonly number[])[]): Promise<number> {
  const { loss, inputs } = meanLoss(model, sequences);
  const program = await engine.compile({ name: 'loss', outputs: { loss } });
  const value = (await program.run(inputs)).loss[0]!;
  program.destroy();
  return value;
}

/** A gradient in PEFT's layout: A of an embedding is held as its transpose. */
function asPeftHas({ trainable }: Transformer, name: string, values: ArrayLike<number>): number[] {
  const list = Array.from(values);
  if (!name.endsWith('lora_embedding_A')) return list;
  const [tokens = 0, rank = 0] = trainable.get(name).shape;
  return list.map((_, at) => list[(at % tokens) * rank + Math.floor(at / tokens)]!);
}

describe.each(peftFixtures)('an adapter of PEFT on %s', (name) => {
  it('has the loss and the gradients that PyTorch computes', async () => {
    const engine = await makeEngine();
    const model = await loadFixture(engine, name);
    const expected = peftExpected(name);
    const { loss, inputs } = meanLoss(model, expected.input_ids);
    const { parameters } = model.trainable;
    const gradients = grad(
      loss,
      parameters.map(({ tensor }) => tensor),
    );
    const outputs = Object.fromEntries(parameters.map((parameter, index) => [parameter.name, gradients[index]!]));
    const program = await engine.compile({
      name: 'gradients',
      outputs: { ...outputs, loss } as Record<string, Tensor>,
    });
    const result = await program.run(inputs);
    expect(Math.abs(result.loss![0]! - expected.loss)).toBeLessThan(2e-5);
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(expected.grads).sort());
    for (const [parameter, { norm, first }] of Object.entries(expected.grads)) {
      const got = asPeftHas(model, parameter, result[parameter]!);
      expect(Math.abs(Math.hypot(...got) - norm) / norm, parameter).toBeLessThan(1e-4);
      for (const [index, value] of first.entries())
        expect(Math.abs(got[index]! - value), parameter).toBeLessThan(1e-4 * norm);
    }
  });

  it('has the logits that PyTorch computes, and keeps them when it is merged', async () => {
    const engine = await makeEngine();
    const model = await loadFixture(engine, name);
    const { input_ids: sequences, last_logits: expected } = peftExpected(name);
    const pairs = sequences.map((tokens) => sequenceOf({ prompt: tokens, reply: [0] }));
    const logitsOf = async (transformer: Transformer) => {
      const bucket = replyBucket(pairs);
      const { logits } = replyGraph(transformer, bucket);
      const program = await engine.compile({ name: 'logits', outputs: { logits }, optionalInputs: ['targets'] });
      return (await program.run(packReplies(pairs, bucket))).logits.subarray(0, expected.flat().length);
    };
    const distance = (logits: ArrayLike<number>) =>
      Math.max(...expected.flat().map((value, index) => Math.abs(value - logits[index]!)));
    expect(distance(await logitsOf(model))).toBeLessThan(1e-4);
    expect(distance(await logitsOf(model.withoutAdapters()))).toBeGreaterThan(1e-2);
    const merged = await mergeAdapters(engine, model);
    expect(merged.config.tiedHead).toBe(model.config.tiedHead && name !== 'qwen2-tied');
    expect(distance(await logitsOf(merged))).toBeLessThan(1e-4);
  });

  it('is saved as it was loaded', async () => {
    const engine = await makeEngine();
    const model = await loadFixture(engine, name);
    const adapters = model.adapters!;
    const dir = join(folder, name);
    await saveAdapter(dir, adapters.model, adapters.config, adapterWeights(engine, adapters), 'base');
    const [original, saved] = [await AdapterFolder.open(peftFixture(name)), await AdapterFolder.open(dir)];
    // PEFT adds copies of the base's embedding and head.
    expect(saved.names().toSorted()).toEqual(Object.keys(peftExpected(name).grads).toSorted());
    for (const tensor of saved.names()) expect(await saved.read(tensor)).toEqual(await original.read(tensor));
    expect({ ...saved.config, targets: 0 }).toEqual({ ...original.config, targets: 0 });
    await Promise.all([original.close(), saved.close()]);
    await expect(
      saveAdapter(dir, adapters.model, adapters.config, adapterWeights(engine, adapters), 'base'),
    ).rejects.toThrow('exists already');
  });
});

describe('training', () => {
  const sequences = peftExpected('llama').input_ids;
  const config = { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj'], dropout: 0.25 };
  const start = async (engine: Engine) => {
    const checkpoint = await HfCheckpoint.open(hfFixture('llama'));
    const base = await loadPretrained(engine, checkpoint.model, checkpoint, 'llama');
    await checkpoint.close();
    return { base, model: base.withAdapters(new LoraAdapters(checkpoint.model, config, 5)) };
  };
  /** The gradient slab of a step. */
  const gradientsOf = (model: Transformer) => {
    const { loss, inputs } = meanLoss(model, sequences);
    const { trainable } = model;
    const tensors = trainable.parameters.map(({ tensor }) => tensor);
    return {
      inputs,
      loss,
      gradients: gatherGradients(trainable, new Variable('gradients', [trainable.size]), grad(loss, tensors)),
    };
  };

  it('starts from the base', async () => {
    const engine = await makeEngine();
    const { base, model } = await start(engine);
    expect(await lossOf(engine, model, sequences)).toBe(await lossOf(engine, base, sequences));
  });

  it('lowers the loss, and leaves the base and its twin alone', async () => {
    const engine = await makeEngine();
    const { base, model } = await start(engine);
    const before = await engine.read(base.slab.variable);
    const reference = model.twin('reference');
    expect(reference.slab.variable).toBe(base.slab.variable);
    const adamW = new AdamW(model.trainable);
    const dropoutSeed = input('dropoutSeed', [2], 'u32');
    const { inputs, loss, gradients } = gradientsOf(model.inTraining({ dropoutSeed }));
    const { updates } = adamW.update(gradients);
    const step = await engine.compile({ name: 'step', outputs: { loss }, updates });
    const losses: number[] = [];
    for (let count = 1; count <= 15; count++) {
      const result = await step.run({
        ...inputs,
        dropoutSeed: Uint32Array.of(7, count),
        hyperparameters: adamW.hyperparameters(count, 0.02),
      });
      losses.push(result.loss[0]!);
    }
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.1);
    expect(await engine.read(base.slab.variable)).toEqual(before);
    expect(await lossOf(engine, reference, sequences)).toBe(await lossOf(engine, base, sequences));
    engine.copy(model.trainable.variable, reference.trainable.variable);
    expect(await lossOf(engine, reference, sequences)).toBe(await lossOf(engine, model, sequences));
  });

  it('draws the same dropout for the same seed, and another one for another', async () => {
    const engine = await makeEngine();
    const { model } = await start(engine);
    // B is 0 at first, so that the adapters would change nothing.
    engine.write(
      model.trainable.variable,
      Float32Array.from({ length: model.trainable.size }, (_, index) => Math.sin(index) / 4),
    );
    const { inputs, loss } = gradientsOf(model.inTraining({ dropoutSeed: input('dropoutSeed', [2], 'u32') }));
    const program = await engine.compile({ name: 'dropped', outputs: { loss } });
    const lossFor = async (seed: number) =>
      (await program.run({ ...inputs, dropoutSeed: Uint32Array.of(seed, 0) })).loss[0];
    expect(await lossFor(1)).toBe(await lossFor(1));
    expect(await lossFor(1)).not.toBe(await lossFor(2));
  });

  it('computes no gradient of a frozen weight', async () => {
    const engine = await makeEngine();
    const { base, model } = await start(engine);
    const adapterShapes = new Set(model.trainable.parameters.map(({ tensor }) => tensor.size));
    const launchesOf = (transformer: Transformer) => {
      const { gradients } = gradientsOf(transformer);
      return plan([], [gradients]).launches;
    };
    const weightProducts = (transformer: Transformer) =>
      launchesOf(transformer).flatMap(({ spec, params }) => (spec.name === 'matmul.tn' ? [params.m! * params.n!] : []));
    expect(weightProducts(model)).toHaveLength(model.trainable.parameters.length);
    expect(weightProducts(model).every((size) => adapterShapes.has(size))).toBe(true);
    const norms = (transformer: Transformer) =>
      launchesOf(transformer).filter(({ spec }) => /NormGradients/.test(spec.name));
    const tables = (transformer: Transformer) =>
      launchesOf(transformer).filter(
        ({ spec, params }) => spec.name === 'gatherRowsBackward' && params.tableRows === transformer.config.vocabSize,
      );
    expect([norms(base).length > 0, tables(base).length > 0]).toEqual([true, true]);
    expect([norms(model).length, tables(model).length]).toEqual([0, 0]);
  });
});

it('refuses adapters that do not fit the model', async () => {
  const engine = await makeEngine();
  const model = await readHfModel(hfFixture('llama'));
  expect(() => new LoraAdapters(model, { rank: 2, alpha: 4, targets: ['c_attn'] }, 1)).toThrow(
    'the adapter\'s targets name no projection "c_attn"; a llama model has q_proj, k_proj',
  );
  const adapter = await AdapterFolder.open(peftFixture('llama'));
  await expect(loadAdapters(engine, model, { ...adapter.config, rank: 3 }, adapter, 'here')).rejects.toThrow(
    'but this model and rank make it',
  );
  await expect(
    loadAdapters(engine, model, { ...adapter.config, targets: 'all-linear' }, adapter, 'here'),
  ).rejects.toThrow('here has no tensor');
  await expect(
    loadAdapters(engine, model, { ...adapter.config, targets: ['q_proj'] }, adapter, 'here'),
  ).rejects.toThrow('here has a tensor');
  const [name = ''] = adapter.names();
  const spoilt: WeightSource = {
    names: () => adapter.names(),
    shape: (each) => adapter.shape(each),
    read: async (each) => (await adapter.read(each)).fill(each === name ? Number.NaN : 0),
  };
  await expect(loadAdapters(engine, model, adapter.config, spoilt, 'here')).rejects.toThrow(
    `here: the tensor ${name} has`,
  );
  await adapter.close();
});
