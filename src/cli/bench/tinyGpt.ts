/**
 * A training step of a tiny GPT, as a workload that other libraries can run too. Vocabulary 512, width 128, 4 layers of
 * 4 heads, an MLP of 512 with tanh GELU, LayerNorm before each block, learned positions, an untied head, no biases in
 * linear layers: 936,192 parameters. A batch is 8 sequences of 128 tokens, each with its next token as target; a step
 * is forward, backward and Adam, with the mean cross-entropy read back.
 */

import type { FloatStorage } from '../../../kernels/storage.ts';
import { decoderSlab } from '../../nn/decoderParameters.ts';
import { releaseWeights } from '../../nn/halfWeights.ts';
import { lossScale } from '../../nn/lossScale.ts';
import { AdamW } from '../../nn/optimizer.ts';
import { packSequences } from '../../nn/packing.ts';
import { storageFor } from '../../nn/precision.ts';
import { packedAttention, Transformer, type TransformerConfig } from '../../nn/transformer.ts';
import { crossEntropy } from '../../ops/crossEntropy.ts';
import { filled, grad } from '../../tensor/autograd.ts';
import type { Engine, Program } from '../../tensor/engine.ts';
import { gatherGradients } from '../../tensor/gradients.ts';
import { constant, input, type Tensor } from '../../tensor/tensor.ts';
import type { Variable } from '../../tensor/variable.ts';

export const tinyGptConfig = {
  vocabSize: 512,
  dModel: 128,
  layers: 4,
  heads: 4,
  kvHeads: 4,
  headDim: 32,
  dFf: 512,
  ropeTheta: 0,
  tiedHead: false,
  normEpsilon: 1e-5,
  norm: 'layer',
  mlp: 'gelu',
  positions: 'learned',
  maxPositions: 128,
} as const satisfies TransformerConfig;

export const tinyGptBatch = 8;
export const tinyGptLength = 128;
/** Tokens of a step. */
export const tinyGptTokens = tinyGptBatch * tinyGptLength;

/** u32 `[tinyGptTokens]` each: sequences one after another. */
export interface TinyGptData {
  readonly tokens: Uint32Array<ArrayBuffer>;
  readonly targets: Uint32Array<ArrayBuffer>;
}

export class TinyGpt {
  private steps = 0;

  private constructor(
    private readonly engine: Engine,
    readonly model: Transformer,
    private readonly optimiser: AdamW,
    private readonly gradients: Variable,
    /** The whole step. */
    readonly program: Program<{ loss: Tensor }>,
  ) {}

  /**
   * @param precision f16: what products read is stored in f16
   * @throws {ProxmoError} `gpu-error`; `config` if the device has no f16
   */
  static async create(engine: Engine, precision: FloatStorage = 'f32'): Promise<TinyGpt> {
    const slab = decoderSlab(tinyGptConfig, 1, 'tiny GPT', engine.largestBinding, storageFor(precision, true));
    const model = new Transformer(tinyGptConfig, slab, 'tiny GPT');
    const optimiser = new AdamW(model.slab, { weightDecay: 0, maxGradNorm: Number.POSITIVE_INFINITY });
    const gradients = model.slab.variableLike('tiny GPT gradients');
    const loss = lossGraph(model);
    const seed = filled([1], scaleOf(model));
    const { updates } = optimiser.update(gatherGradients(model.slab, gradients, grad(loss, model.slab.tensors, seed)));
    const program = await engine.compile({ name: 'tiny GPT step', outputs: { loss }, updates });
    return new TinyGpt(engine, model, optimiser, gradients, program);
  }

  /** One step of Adam. @returns the loss before it */
  async step(data: TinyGptData, learningRate = 1e-3): Promise<number> {
    const { loss } = await this.program.run(this.inputs(data, learningRate));
    return loss[0] ?? Number.NaN;
  }

  /** The program's inputs for the next step, which they count. */
  inputs({ tokens, targets }: TinyGptData, learningRate = 1e-3) {
    return {
      tokens,
      targets,
      hyperparameters: this.optimiser.hyperparameters(++this.steps, learningRate, 1 / scaleOf(this.model)),
    };
  }

  destroy(): void {
    this.program.destroy();
    releaseWeights(this.engine, this.model.slab);
    for (const variable of [this.gradients, ...this.optimiser.variables]) this.engine.release(variable);
  }
}

/** Of the mean over all tokens. */
function scaleOf({ stored }: Transformer): number {
  return lossScale(stored, 1 / tinyGptTokens);
}

/** Mean cross-entropy of the targets, `[1]`. */
function lossGraph(model: Transformer): Tensor {
  const rows = tinyGptTokens;
  const sequences = Array.from({ length: tinyGptBatch }, () => new Uint32Array(tinyGptLength));
  const { positions, segmentStart, segmentEnd } = packSequences(sequences, rows).arrays;
  const table = (values: Uint32Array) => constant(values, [rows], 'u32');
  const attend = packedAttention({ segmentStart: table(segmentStart), segmentEnd: table(segmentEnd) });
  const logits = model.logits(model.hidden(input('tokens', [rows], 'u32'), table(positions), attend));
  return crossEntropy(logits, input('targets', [rows], 'u32'), filled([rows], 1 / rows));
}

/**
 * Operations of a step, those of attention's masked half left out: three products of each weight matrix, and two and
 * five products of scores and values.
 */
export function tinyGptFlops(): number {
  const { dModel, layers, dFf, vocabSize } = tinyGptConfig;
  const weights = layers * (4 * dModel * dModel + 2 * dModel * dFf) + dModel * vocabSize;
  const pairs = (tinyGptBatch * tinyGptLength * (tinyGptLength + 1)) / 2;
  return 2 * (3 * weights * tinyGptTokens + 7 * layers * pairs * dModel);
}

/** Sequences that a model can learn: each token follows from the one before it by one of two rules. */
export function tinyGptData(seed: number): TinyGptData {
  const { vocabSize } = tinyGptConfig;
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 16;
  };
  const tokens = new Uint32Array(tinyGptTokens);
  const targets = new Uint32Array(tinyGptTokens);
  let token = 0;
  for (let row = 0; row < tinyGptTokens; row++) {
    if (row % tinyGptLength === 0) token = random() % vocabSize;
    tokens[row] = token;
    token = (random() % 2 === 0 ? token * 5 + 1 : token + 7) % vocabSize;
    targets[row] = token;
  }
  return { tokens, targets };
}
