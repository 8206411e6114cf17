/**
 * Weights in f16: what a model computes with them, that masters and copies stay the same weights, and what frozen
 * models take.
 */
import { describe, expect, it } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../src/base/float16.ts';
import { decoderParameters, decoderSlab } from '../../src/nn/decoderParameters.ts';
import { copyWeights, readParameter, releaseWeights, writeParameter } from '../../src/nn/halfWeights.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { mergeAdapters } from '../../src/nn/mergeAdapters.ts';
import { AdamW } from '../../src/nn/optimizer.ts';
import { storageFor, type WeightStorage } from '../../src/nn/precision.ts';
import { packColumn, packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import { type TrainingMode, Transformer, type TransformerConfig } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gatherGradients } from '../../src/tensor/gradients.ts';
import { Random } from '../../src/tensor/random.ts';
import { input, sizeOf } from '../../src/tensor/tensor.ts';
import { portablePieceBytes } from '../../src/tensor/variable.ts';
import { halfAdapter, needsHalf, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const llama: TransformerConfig = {
  vocabSize: 31,
  dModel: 16,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 4,
  dFf: 20,
  ropeTheta: 100,
  tiedHead: true,
  normEpsilon: 1e-6,
};
const gpt: TransformerConfig = {
  ...llama,
  ropeTheta: 0,
  tiedHead: false,
  norm: 'layer',
  mlp: 'gelu',
  positions: 'learned',
  maxPositions: 16,
  qkvBias: true,
  outputBias: true,
  mlpBias: true,
};
const pairs = [
  { prompt: [1, 2, 3, 4], reply: [5, 6] },
  { prompt: [7], reply: [8, 9, 30] },
].map(sequenceOf);

const makeEngine = async () => new Engine(await testDevice(halfAdapter!));

function make(config: TransformerConfig, storage: WeightStorage, largestPiece = portablePieceBytes): Transformer {
  return new Transformer(config, decoderSlab(config, 7, 'policy', largestPiece, storage));
}

function rounded(values: ArrayLike<number>): Float32Array {
  return float16ToFloat32(float32ToFloat16(Float32Array.from(values)));
}

/** Gives a float32 model the weights that an f16 model has: those of its matrices rounded. */
function roundWeights(engine: Engine, { slab, config }: Transformer): void {
  for (const { name, decay, initial } of decoderParameters(config, new Random(7, 'weights'))) {
    if (decay) writeParameter(engine, slab, name, rounded(initial!));
  }
}

function lossGraph(model: Transformer) {
  const bucket = replyBucket(pairs);
  const graph = replyGraph(model, bucket);
  const { logProb, entropy } = graph.logProbs(1);
  const weight = packColumn(
    pairs.map(({ reply }) => reply.map(() => 0.2)),
    bucket,
  );
  return {
    loss: scale(dot(logProb, input('weight', [bucket.targets])), -1),
    entropy,
    inputs: { ...packReplies(pairs, bucket), weight },
  };
}

async function lossOf(engine: Engine, model: Transformer): Promise<number> {
  const { loss, inputs } = lossGraph(model);
  const program = await engine.compile({ name: 'loss', outputs: { loss } });
  return (await program.run(inputs)).loss[0]!;
}

/** The loss and the gradients of all trained weights. */
async function gradientsOf(engine: Engine, model: Transformer, mode: TrainingMode = {}) {
  const { loss, inputs } = lossGraph(model.inTraining(mode));
  const { trainable } = model;
  const gradients = trainable.variableLike('gradients');
  const updates = [gatherGradients(trainable, gradients, grad(loss, trainable.tensors))];
  const program = await engine.compile({ name: 'gradients', outputs: { loss }, updates });
  return { loss: (await program.run(inputs)).loss[0]!, gradients: await engine.read(gradients) };
}

/** Steps of AdamW on the loss. */
async function train(engine: Engine, model: Transformer, steps: number): Promise<number[]> {
  const { loss, inputs } = lossGraph(model);
  const { trainable } = model;
  const adamW = new AdamW(trainable);
  const gradients = gatherGradients(trainable, trainable.variableLike('gradients'), grad(loss, trainable.tensors));
  const program = await engine.compile({ name: 'step', outputs: { loss }, updates: adamW.update(gradients).updates });
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    losses.push((await program.run({ ...inputs, hyperparameters: adamW.hyperparameters(step, 0.01) })).loss[0]!);
  }
  return losses;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const values = Array.from(a);
  return Math.hypot(...values.map((value, i) => value - b[i]!)) / Math.hypot(...values);
}

describe('weights in f16', needsHalf, () => {
  describe.each([
    ['tied, with RMSNorm and rotary positions', llama, portablePieceBytes],
    ['with biases, LayerNorm and learned positions', gpt, portablePieceBytes],
    ['whose embedding, which is the head, lies in several buffers', { ...llama, vocabSize: 300 }, 8192],
  ])('of a transformer %s', (_, config, largestPiece) => {
    it('give nearly the loss and gradients that the rounded weights give in float32', async () => {
      const engine = await makeEngine();
      const [half, single] = [make(config, 'mixed', largestPiece), make(config, 'f32')];
      roundWeights(engine, single);
      const [got, want] = [await gradientsOf(engine, half), await gradientsOf(engine, single)];
      // What a product reads is off by up to 2^-11 = 4.9e-4 of itself, by chance up or down.
      expect(Math.abs(got.loss - want.loss)).toBeLessThan(1e-3);
      expect(distance(want.gradients, got.gradients)).toBeLessThan(3e-3);
      expect(distance(want.gradients, got.gradients)).toBeGreaterThan(1e-5);
    });

    it('give the same bits where activations are computed again', async () => {
      const engine = await makeEngine();
      const model = make(config, 'mixed', largestPiece);
      const [kept, again] = [
        await gradientsOf(engine, model),
        await gradientsOf(engine, model, { checkpointing: 'block' }),
      ];
      expect(again).toEqual(kept);
    });

    it('train much as those in float32 do', async () => {
      const engine = await makeEngine();
      const [half, single] = [
        await train(engine, make(config, 'mixed', largestPiece), 12),
        await train(engine, make(config, 'f32'), 12),
      ];
      expect(single.at(-1)).toBeLessThan(single[0]! - 1);
      for (const [step, loss] of single.entries())
        expect(Math.abs(half[step]! - loss) / loss, `step ${step}`).toBeLessThan(0.02);
    });
  });

  it.each([portablePieceBytes, 4096])(
    'are their masters, rounded, after steps of the optimiser (pieces of %d bytes)',
    async (largestPiece) => {
      const engine = await makeEngine();
      const model = make(llama, 'mixed', largestPiece);
      await train(engine, model, 3);
      const { slab } = model;
      expect(slab.half!.variable.pieces.length > 1).toBe(largestPiece === 4096);
      const names = slab.parameters.filter(({ decay }) => decay).map(({ name }) => name);
      expect(slab.half!.parameters.map(({ name }) => name)).toEqual(names);
      for (const name of names) {
        const { shape } = slab.parameters.find((parameter) => parameter.name === name)!;
        const copy = await engine.read(slab.half!.variable, slab.half!.offsetOf(name), sizeOf(shape));
        expect(copy, name).toEqual(rounded(await readParameter(engine, slab, name, 0, sizeOf(shape))));
      }
    },
  );

  it('take two bytes an element, beside masters or alone', async () => {
    const engine = await makeEngine();
    const bytes = async (storage: WeightStorage) => {
      const before = engine.memory.variables;
      const { slab, config } = make(llama, storage);
      await lossOf(engine, new Transformer(config, slab));
      const taken = engine.memory.variables - before;
      releaseWeights(engine, slab);
      expect(slab.bytes).toBe(taken);
      expect(slab.parameterCount).toBe(make(llama, 'f32').slab.parameterCount);
      return taken;
    };
    const { slab } = make(llama, 'f32');
    const matrices = slab.decaySize;
    expect(await bytes('f32')).toBe(4 * slab.size);
    expect(await bytes('mixed')).toBe(4 * slab.size + 2 * matrices);
    expect(await bytes('f16')).toBe(4 * (slab.size - matrices) + 2 * matrices);
  });

  it('are copied to a twin, which has no masters', async () => {
    const engine = await makeEngine();
    const policy = make(gpt, 'mixed');
    await train(engine, policy, 2);
    const reference = policy.twin('reference');
    copyWeights(engine, policy.trainable, reference.trainable);
    expect(reference.trainable.has('embedding')).toBe(false);
    expect(await lossOf(engine, reference)).toBe(await lossOf(engine, policy));
    await train(engine, policy, 1);
    expect(await lossOf(engine, reference)).not.toBe(await lossOf(engine, policy));
  });

  it('are written and read as float32, masters as they are, frozen ones rounded', async () => {
    const engine = await makeEngine();
    const values = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i) / 3);
    for (const [storage, want] of [
      ['mixed', values],
      ['f16', rounded(values)],
    ] as const) {
      const { slab } = make(llama, storage);
      writeParameter(engine, slab, 'layers.1.mlp.down', values, 20);
      expect(await readParameter(engine, slab, 'layers.1.mlp.down', 20, 40)).toEqual(want);
      writeParameter(engine, slab, 'finalNorm', values.subarray(0, 16));
      expect(await readParameter(engine, slab, 'finalNorm', 0, 16)).toEqual(values.slice(0, 16));
    }
  });

  it('refuse what f16 cannot hold', async () => {
    const engine = await makeEngine();
    const { slab } = make(llama, 'f16');
    expect(() => writeParameter(engine, slab, 'embedding', Float32Array.of(1, -70000))).toThrow(
      'the weight embedding has the value -70000, which f16 cannot hold; use precision f32.',
    );
    expect(() => make({ ...llama, dFf: 21 }, 'mixed')).toThrow(
      'policy: layers.0.mlp.down is [16, 21], but f16 needs rows of an even length',
    );
  });

  describe('with adapters', () => {
    const start = () => {
      const base = make({ ...llama, tiedHead: true }, 'f16');
      const adapters = new LoraAdapters(
        { family: 'llama', transformer: llama },
        { rank: 2, alpha: 8, targets: ['q_proj', 'up_proj'] },
        3,
      );
      return { base, model: base.withAdapters(adapters) };
    };

    it('stay as they are while the adapters learn', async () => {
      const engine = await makeEngine();
      const { base, model } = start();
      const before = await engine.read(base.slab.half!.variable);
      const losses = await train(engine, model, 10);
      expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.1);
      expect(await engine.read(base.slab.half!.variable)).toEqual(before);
    });

    it.each(['f16', 'mixed'] as const)('take them up when they are merged (%s)', async (storage) => {
      const engine = await makeEngine();
      const { model: trained } = start();
      await train(engine, trained, 10);
      const model = make(llama, storage).withAdapters(trained.adapters!);
      const [before, want] = [await lossOf(engine, model.withoutAdapters()), await lossOf(engine, model)];
      await mergeAdapters(engine, model);
      const merged = await lossOf(engine, model.withoutAdapters());
      expect(Math.abs(merged - want)).toBeLessThan(1e-3);
      expect(Math.abs(before - want)).toBeGreaterThan(0.1);
    });
  });
});

it('needs no masters where nothing trains the matrices', () => {
  expect([storageFor('f32', true), storageFor('f16', true), storageFor('f16', false)]).toEqual(['f32', 'mixed', 'f16']);
});

it('is refused on a device without 16-bit floats', async () => {
  const engine = new Engine(await testDevice('swiftshader'));
  const message = /has no 16-bit floats \(shader-f16\); use precision f32, or another adapter/;
  await expect(lossOf(engine, make(llama, 'f16'))).rejects.toThrow(message);
  expect(() => writeParameter(engine, make(llama, 'f16').slab, 'embedding', new Float32Array(2))).toThrow(message);
});
