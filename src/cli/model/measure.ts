/**
 * Runs a pretrained model over a reference's inputs: logits, loss, gradients, the greedy continuation, and training
 * steps.
 */
import { ProxmoError } from '../../base/errors.ts';
import { positionLimit } from '../../models/transformerConfig.ts';
import { Generator } from '../../nn/generator.ts';
import { lossScale } from '../../nn/lossScale.ts';
import { AdamW } from '../../nn/optimizer.ts';
import { packedInputs, packSequences } from '../../nn/packing.ts';
import { packedAttention, type Transformer } from '../../nn/transformer.ts';
import { crossEntropy } from '../../ops/crossEntropy.ts';
import { scale } from '../../ops/elementwise.ts';
import { gatherRows } from '../../ops/embedding.ts';
import { filled, grad } from '../../tensor/autograd.ts';
import type { Engine, Program } from '../../tensor/engine.ts';
import { gatherGradients } from '../../tensor/gradients.ts';
import { input, type Tensor } from '../../tensor/tensor.ts';
import type { Variable } from '../../tensor/variable.ts';
import type { Expected } from './expected.ts';

/** Most sampled tokens in one submit. */
const longestBlock = 8;

/** Logits at some positions of each sequence, `[sequences · positions, vocabSize]`. */
export async function measureLogits(
  engine: Engine,
  model: Transformer,
  sequences: readonly (readonly number[])[],
  positions: readonly number[],
): Promise<Float32Array> {
  const { arrays, starts, rows } = packWhole(model, sequences);
  const { hidden } = hiddenGraph(model, rows);
  const targetRows = starts.flatMap((start) => positions.map((position) => start + position));
  const logits = model.logits(gatherRows(hidden, input('targetRows', [targetRows.length], 'u32')));
  const program = await engine.compile({ name: 'logits', outputs: { logits } });
  const result = await program.run({ ...arrays, targetRows: Uint32Array.from(targetRows) });
  program.destroy();
  return result.logits as Float32Array;
}

/** The likeliest continuation of a prompt, with a KV cache. */
export async function measureGreedy(
  engine: Engine,
  model: Transformer,
  prompt: readonly number[],
  count: number,
): Promise<readonly number[]> {
  checkTokens(model, [prompt]);
  const generator = new Generator(engine, model, {
    maxPromptTokens: prompt.length,
    maxNewTokens: count,
    maxBatchTokens: prompt.length,
    maxBatchRows: 1,
    blockSize: Math.min(longestBlock, count),
    endToken: [],
  });
  const [reply] = await generator.generate([{ prompt, episode: 0, turn: 0 }], {
    seed: 0,
    temperature: 0,
    topP: 1,
    topK: 0,
  });
  generator.destroy();
  return reply?.tokens ?? [];
}

/** The mean cross-entropy of a batch, its gradients, and AdamW on it. */
export class TrainingProbe {
  /** Gradients of the last loss, in the layout of the model's parameters. */
  readonly gradients: Variable;
  private constructor(
    private readonly lossProgram: Program<{ loss: Tensor }>,
    private readonly inputs: Parameters<Program['run']>[0],
    private readonly stepOf: () => Promise<void>,
    gradients: Variable,
  ) {
    this.gradients = gradients;
  }

  static async create(
    engine: Engine,
    model: Transformer,
    sequences: readonly (readonly number[])[],
    options: Expected['adamw'],
  ): Promise<TrainingProbe> {
    const { arrays, starts, rows } = packWhole(model, sequences);
    const { hidden } = hiddenGraph(model, rows);
    const predicted = sequences.flatMap((sequence, index) =>
      sequence.slice(1).map((token, at) => ({ token, row: starts[index]! + at })),
    );
    const count = predicted.length;
    const logits = model.logits(gatherRows(hidden, input('targetRows', [count], 'u32')));
    const loss = crossEntropy(logits, input('targets', [count], 'u32'), input('weights', [count]));
    const { slab } = model;
    const gradients = slab.variableLike('gradients');
    const factor = lossScale(model.stored, 1 / count);
    const scaled = grad(loss, slab.tensors, filled([1], factor));
    const gathered = gatherGradients(
      slab,
      gradients,
      factor === 1 ? scaled : scaled.map((gradient) => scale(gradient, 1 / factor)),
    );
    const lossProgram = await engine.compile({ name: 'loss', outputs: { loss }, updates: [gathered] });
    const inputs = {
      ...arrays,
      targetRows: Uint32Array.from(predicted, ({ row }) => row),
      targets: Uint32Array.from(predicted, ({ token }) => token),
      weights: new Float32Array(count).fill(1 / count),
    };
    return new TrainingProbe(
      lossProgram,
      inputs,
      options ? await adamWSteps(engine, model, gradients, options) : async () => {},
      gradients,
    );
  }

  /** Computes the loss, and its gradients into `gradients`. */
  async loss(): Promise<number> {
    return (await this.lossProgram.run(this.inputs)).loss[0] ?? Number.NaN;
  }

  /** One step of AdamW with the gradients of the last loss. */
  step(): Promise<void> {
    return this.stepOf();
  }
}

async function adamWSteps(
  engine: Engine,
  { slab }: Transformer,
  gradients: Variable,
  { lr, weight_decay: weightDecay, betas, eps: epsilon, clip: maxGradNorm }: NonNullable<Expected['adamw']>,
): Promise<() => Promise<void>> {
  const adamW = new AdamW(slab, {
    beta1: betas[0],
    beta2: betas[1],
    epsilon,
    weightDecay,
    maxGradNorm,
    decayAll: true,
  });
  const program = await engine.compile({ name: 'update', updates: adamW.update(gradients.tensor).updates });
  let steps = 0;
  return async () => {
    await program.run({ hyperparameters: adamW.hyperparameters(++steps, lr) });
  };
}

function hiddenGraph(model: Transformer, rows: number): { readonly hidden: Tensor } {
  const { tokens, positions, segments } = packedInputs(rows);
  return { hidden: model.hidden(tokens, positions, packedAttention(segments)) };
}

function packWhole(model: Transformer, sequences: readonly (readonly number[])[]) {
  checkTokens(model, sequences);
  const rows = sequences.reduce((sum, { length }) => sum + length, 0);
  return { ...packSequences(sequences, rows), rows };
}

function checkTokens({ config }: Transformer, sequences: readonly (readonly number[])[]): void {
  const { vocabSize } = config;
  const beyond = sequences.flat().find((token) => token >= vocabSize);
  if (beyond !== undefined)
    throw new ProxmoError('data', `The reference has the token ${beyond}, but the model has ${vocabSize} tokens only.`);
  const longest = Math.max(...sequences.map(({ length }) => length));
  if (longest > positionLimit(config)) {
    throw new ProxmoError(
      'data',
      `The reference has sequences of ${longest} tokens, but the model takes ${positionLimit(config)} only.`,
    );
  }
}
