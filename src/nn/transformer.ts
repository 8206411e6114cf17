/**
 * A decoder-only transformer: pre-norm blocks of attention and MLP on a residual stream. The configuration chooses a
 * family's form: RMSNorm or LayerNorm, also behind attention and MLP, rotary or learned positions, grouped-query
 * attention with or without norms on its heads and windows, SwiGLU, GeGLU or GELU, biases, tied or untied head.
 * (Radford et al., GPT-2, 2019; Touvron et al., arXiv 2302.13971; Ainslie et al., arXiv 2305.13245; Shazeer, arXiv
 * 2002.05202; Gemma 3, arXiv 2503.19786.)
 *
 * Sequences are packed: the tokens of many sequences lie one after another on one axis, `[rows]`. How queries meet keys
 * is the caller's choice (`AttentionPath`), so that training, prefill and decoding run the same blocks.
 *
 * Where matrices are stored in f16 (`halfWeights.ts`), so is what products with them read, and what attention reads and
 * gives: it is rounded once, by the op that makes it. The residual stream, what products give, logits and gradients are
 * float32.
 */
import type { FloatStorage } from '../../kernels/storage.ts';
import { isGated, type TransformerConfig } from '../models/transformerConfig.ts';
import { type AllowedTokens, maskLogits } from '../ops/allowedTokens.ts';
import { attention, type Segments } from '../ops/attention.ts';
import { add, gelu, geluErf, scale } from '../ops/elementwise.ts';
import { gatherRows } from '../ops/embedding.ts';
import { geglu, swiglu } from '../ops/gatedLinear.ts';
import { headNorm } from '../ops/headNorm.ts';
import { norm } from '../ops/norm.ts';
import { type HeadLayout, splitHeadsWithRope } from '../ops/rope.ts';
import { embeddingOfParts, linearOfParts } from '../ops/rowParts.ts';
import { tokenLogProbs } from '../ops/tokenLogProbs.ts';
import { chunkedLogProbsOfTerms } from '../ops/vocabLoss.ts';
import type { Matrix } from '../tensor/packedMatrix.ts';
import { recomputed } from '../tensor/recompute.ts';
import { inScope } from '../tensor/scope.ts';
import { constant, Tensor } from '../tensor/tensor.ts';
import { ParameterSlab } from '../tensor/variable.ts';
import type { Checkpointing } from './checkpointing.ts';
import { decoderSlab } from './decoderParameters.ts';
import { queryScale, rotaryFrequencies, rotaryScale } from './decoderRope.ts';
import { LoraAdapters } from './lora.ts';

export type { TransformerConfig } from '../models/transformerConfig.ts';

/** Queries `[rows, heads, headDim]`, keys and values `[rows, kvHeads, headDim]`; all in `Transformer.stored`. */
export interface Heads {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** A layer's fused projection, and how it becomes heads. */
export interface ProjectedHeads {
  /** `[rows, (heads + 2 · kvHeads) · headDim]` */
  readonly qkv: Tensor;
  /** u32 `[rows]` */
  readonly positions: Tensor;
  readonly layout: HeadLayout;
}

/** What a layer's heads attend to; returns `[rows, heads, headDim]`. */
export type AttentionPath = (layer: number, projected: ProjectedHeads) => Tensor;

export function splitHeads({ qkv, positions, layout }: ProjectedHeads): Heads {
  return splitHeadsWithRope(qkv, positions, layout);
}

/** Attention within packed sequences, for training and scoring. */
export function packedAttention(segments: Segments): AttentionPath {
  return (_, projected) => {
    const { q, k, v } = splitHeads(projected);
    return attention(q, k, v, segments, projected.layout.window);
  };
}

/** The residual stream: `x`, and what is yet to be added to it, which the next norm does. */
interface Stream {
  readonly x: Tensor;
  readonly update?: Tensor;
}

function joined({ x, update }: Stream): Tensor {
  return update ? add(x, update) : x;
}

/** How a transformer is trained; none of it changes what it computes but dropout. */
export interface TrainingMode {
  /**
   * `block`: keeps the residual stream between blocks, and computes what is within a block again in the backward pass.
   * Default: `none`.
   */
  readonly checkpointing?: Checkpointing;
  /** u32 `[2]`: the adapters' dropout is drawn from it. Default: no dropout. */
  readonly dropoutSeed?: Tensor;
}

/**
 * Logits of more bytes than this are computed in chunks of the vocabulary of about a quarter of it. WebGPU lets every
 * device bind as much.
 */
const largestLogits = 2 ** 27;

/** Tokens of a chunk of the vocabulary for `rows` targets, or null where all logits together are small enough. */
export function vocabChunkSize(rows: number, vocabSize: number): number | null {
  return rows * vocabSize * 4 <= largestLogits ? null : Math.max(64, Math.floor(largestLogits / 16 / rows / 64) * 64);
}

const activations = { swiglu, geglu, gelu, geluErf } as const;

/**
 * What lies between the two projections of an MLP.
 * @param x `[rows, dFf]`; where the configuration's `mlp` is gated, `[rows, 2 · dFf]`: the gate of a row, then its up
 * projection
 * @param stored how the result must be stored
 * @returns `[rows, dFf]`
 */
export type Activation = (x: Tensor, stored: FloatStorage) => Tensor;

function frequenciesOf(config: TransformerConfig): Tensor[] {
  const known = new Map<number | undefined, Tensor>();
  return Array.from({ length: config.layers }, (_, layer) => {
    const theta = config.layerForms?.[layer]?.ropeTheta;
    const found = known.get(theta) ?? constant(rotaryFrequencies(config, layer), [config.headDim / 2]);
    known.set(theta, found);
    return found;
  });
}

/**
 * A decoder: packed sequences of tokens to hidden states, logits and log-probabilities. Its weights are in `slab`.
 * @example
 * const model = new Transformer(
 *   { vocabSize: 256, dModel: 32, layers: 2, heads: 2, kvHeads: 2, headDim: 16, dFf: 64, ropeTheta: 10_000,
 *     tiedHead: true, normEpsilon: 1e-5 },
 *   1, // the seed of its starting weights
 * );
 */
export class Transformer {
  readonly slab: ParameterSlab;
  /** Rotary angles of each layer, `[headDim / 2]`; layers that turn alike share them. */
  private readonly frequencies: readonly Tensor[];

  /**
   * @param weights a seed that starting weights are drawn from; null leaves them at 0, without a copy on the host, for
   * those that are loaded later; or the slab of another transformer of this configuration, which is shared
   * @param name of the slab, for error messages
   * @param activation of one's own, in place of the configuration's
   * @throws {ProxmoError} `config`
   */
  constructor(
    readonly config: TransformerConfig,
    weights: number | null | ParameterSlab,
    name = 'policy',
    readonly adapters: LoraAdapters | null = null,
    private readonly mode: TrainingMode = {},
    private readonly activation: Activation = activations[config.mlp ?? 'swiglu'],
  ) {
    this.slab = weights instanceof ParameterSlab ? weights : decoderSlab(config, weights, name);
    this.frequencies = frequenciesOf(config);
  }

  /** How the operands of products with weights are stored, and heads with them, in a KV cache too. */
  get stored(): FloatStorage {
    return this.slab.half ? 'f16' : 'f32';
  }

  /** The gated activation of the MLP; null where it has none, or one of its own. */
  get gate(): 'swiglu' | 'geglu' | null {
    const { mlp = 'swiglu' } = this.config;
    return (mlp === 'swiglu' || mlp === 'geglu') && this.activation === activations[mlp] ? mlp : null;
  }

  /** What training changes: the adapters where there are any, else all weights. */
  get trainable(): ParameterSlab {
    return this.adapters?.slab ?? this.slab;
  }

  /** The same weights, frozen, with adapters that are trained in their place. */
  withAdapters(adapters: LoraAdapters): Transformer {
    return this.alike(this.slab.frozen(), this.slab.variable.name, adapters);
  }

  /** The base of the adapters: the same weights in the same storage, frozen, as a reference policy. */
  withoutAdapters(): Transformer {
    return this.alike(this.slab.frozen(), this.slab.variable.name);
  }

  /**
   * A transformer of the same form whose trained part is its own, at 0, and whose frozen part is shared: a reference
   * policy that what is trained is copied to (`copyWeights`). Its own matrices are in f16 alone where this one's are
   * read in f16.
   */
  twin(name: string): Transformer {
    const { adapters } = this;
    return adapters
      ? this.withAdapters(new LoraAdapters(adapters.model, adapters.config, null, name))
      : this.alike(decoderSlab(this.config, null, name, this.slab.largestPiece, this.slab.half ? 'f16' : 'f32'), name);
  }

  /** The same transformer as a training step computes it. */
  inTraining(mode: TrainingMode): Transformer {
    return this.alike(this.slab, this.slab.variable.name, this.adapters, mode);
  }

  /** A transformer of the same form. */
  private alike(
    slab: ParameterSlab,
    name: string,
    adapters: LoraAdapters | null = null,
    mode: TrainingMode = {},
  ): Transformer {
    return new Transformer(this.config, slab, name, adapters, mode, this.activation);
  }

  /**
   * The final hidden states.
   * @param tokens u32 `[rows]`
   * @param positions u32 `[rows]`: each token's index in its sequence
   * @param wanted u32 `[count]`: the rows whose states are wanted; all by default. What comes after the last layer's
   * attention is then computed for them alone
   * @returns `[rows, dModel]`, or `[count, dModel]`
   */
  hidden(tokens: Tensor, positions: Tensor, attend: AttentionPath, wanted?: Tensor): Tensor {
    const { layers } = this.config;
    let stream: Stream = { x: inScope('embedding', () => this.embed(tokens, positions)) };
    for (let layer = 0; layer < layers; layer++) {
      const block = (before: Stream) =>
        this.block(layer, before, positions, attend, layer === layers - 1 ? wanted : undefined);
      stream =
        this.mode.checkpointing === 'block' ? { x: recomputed(stream.x, (x) => joined(block({ x }))) } : block(stream);
    }
    return inScope('finalNorm', () => this.norm(stream, 'finalNorm').normed);
  }

  /** Logits `[rows, vocabSize]` of hidden states `[rows, dModel]`. */
  logits(hidden: Tensor): Tensor {
    return inScope('head', () => {
      const y = linearOfParts(hidden, this.headParts);
      return this.adapters?.add(y, hidden, 'head', this.mode.dropoutSeed ?? null) ?? y;
    });
  }

  /**
   * Log-probabilities of given tokens, and the entropies of what they were drawn from; both `[rows]`. Where the logits
   * would be large, they never exist as a whole.
   * @param hidden `[rows, dModel]`
   * @param targets u32 `[rows]`
   * @param allowed what each row's token is drawn from; all tokens by default
   * @throws {ProxmoError} `config` for the temperature
   */
  tokenLogProbs(
    hidden: Tensor,
    targets: Tensor,
    temperature = 1,
    allowed: AllowedTokens | null = null,
  ): { readonly logProb: Tensor; readonly entropy: Tensor } {
    const head = this.headParts;
    const chunk =
      vocabChunkSize(hidden.dim(0), this.config.vocabSize) ?? (head.length > 1 ? this.config.vocabSize : null);
    if (chunk !== null) {
      const update = this.adapters?.headTerm(hidden, this.mode.dropoutSeed ?? null);
      const terms = [{ x: hidden, head }, ...(update ? [update] : [])];
      return chunkedLogProbsOfTerms(terms, targets, temperature, chunk, allowed);
    }
    const logits = this.logits(hidden);
    return tokenLogProbs(allowed ? maskLogits(logits, allowed) : logits, targets, temperature);
  }

  /** The head's matrix, `[vocabSize, dModel]`. One that is tied is the base's embedding, unless it is a copy itself. */
  get headParts(): readonly Matrix[] {
    return this.adapters?.partsOf('head') ?? this.slab.parts(this.config.tiedHead ? 'embedding' : 'head');
  }

  /** A parameter, in parts: as the adapters have it, where they have all of it, else as the base does. */
  parts(name: string): readonly Matrix[] {
    return this.adapters?.partsOf(name) ?? this.slab.parts(name);
  }

  /** The same of a vector. */
  vector(name: string): Tensor {
    const [own] = this.adapters?.partsOf(name) ?? [];
    return own instanceof Tensor ? own : this.slab.get(name);
  }

  /** One layer on the residual stream; `wanted` as in `hidden`. */
  private block(
    layer: number,
    stream: Stream,
    positions: Tensor,
    attend: AttentionPath,
    wanted: Tensor | undefined,
  ): Stream {
    const pick = (all: Tensor) => (wanted ? gatherRows(all, wanted) : all);
    const middle = inScope(`layers.${layer}.attention`, () => {
      const { sum, normed } = this.norm(stream, `layers.${layer}.attention.norm`);
      const context = this.attentionContext(layer, normed, positions, attend);
      const output = this.attentionOutput(layer, pick(context));
      return { x: pick(sum), update: this.postNorm(output, `layers.${layer}.attention`) };
    });
    return inScope(`layers.${layer}.mlp`, () => {
      const { sum, normed } = this.norm(middle, `layers.${layer}.mlp.norm`);
      return { x: sum, update: this.postNorm(this.mlpBlock(layer, normed), `layers.${layer}.mlp`) };
    });
  }

  /** What the first layer reads, `[rows, dModel]`. */
  embed(tokens: Tensor, positions: Tensor): Tensor {
    const { embeddingScale = 1 } = this.config;
    const plain = this.rowsOf('embedding', tokens);
    const x = embeddingScale === 1 ? plain : scale(plain, embeddingScale);
    return this.config.positions === 'learned' ? add(x, this.rowsOf('positions', positions)) : x;
  }

  private rowsOf(name: string, ids: Tensor): Tensor {
    const rows = embeddingOfParts(this.parts(name), ids);
    return this.adapters?.addRows(rows, ids, name) ?? rows;
  }

  /** What the heads of a layer read, `[rows, heads * headDim]`. */
  private attentionContext(layer: number, input: Tensor, positions: Tensor, attend: AttentionPath): Tensor {
    const { config } = this;
    const qkv = this.project(input, `layers.${layer}.attention.qkv`, config.qkvBias);
    const context = attend(layer, this.headsOf(layer, qkv, positions));
    return context.reshape([input.dim(0), config.heads * config.headDim]);
  }

  /** How a layer's fused projection becomes heads. @param qkv as `ProjectedHeads` has it, before any norms of heads */
  headsOf(layer: number, qkv: Tensor, positions: Tensor): ProjectedHeads {
    const { config, frequencies } = this;
    const { window } = config.layerForms?.[layer] ?? {};
    const layout = {
      ...config,
      frequencies: frequencies[layer]!,
      queryScale: queryScale(config, layer),
      rotaryScale: rotaryScale(config, layer),
      stored: this.stored,
      ...(window === undefined ? {} : { window }),
    };
    return { qkv: config.headNorm ? this.normHeads(qkv, `layers.${layer}.attention`) : qkv, positions, layout };
  }

  private attentionOutput(layer: number, context: Tensor): Tensor {
    return this.project(context, `layers.${layer}.attention.output`, this.config.outputBias);
  }

  private normHeads(qkv: Tensor, prefix: string): Tensor {
    const { heads, kvHeads, normEpsilon } = this.config;
    return headNorm(
      qkv,
      this.vector(`${prefix}.queryNorm`),
      this.vector(`${prefix}.keyNorm`),
      heads,
      kvHeads,
      normEpsilon,
    );
  }

  private mlpBlock(layer: number, normed: Tensor): Tensor {
    const { mlpBias } = this.config;
    const prefix = `layers.${layer}.mlp`;
    const first = this.project(normed, `${prefix}.${isGated(this.config) ? 'gateUp' : 'up'}`, mlpBias);
    return this.project(this.activation(first, this.stored), `${prefix}.down`, mlpBias);
  }

  /** The norm of the stream, and the stream that is left: with its update added, by the same kernel. */
  private norm({ x, update }: Stream, name: string): { readonly sum: Tensor; readonly normed: Tensor } {
    return norm(name, {
      x,
      ...(update ? { residual: update } : {}),
      weight: this.vector(name),
      ...(this.config.norm === 'layer' ? { bias: this.vector(`${name}.bias`) } : {}),
      epsilon: this.config.normEpsilon,
      stored: this.stored,
    });
  }

  /** What a part of a layer adds to the stream. */
  private postNorm(update: Tensor, part: string): Tensor {
    if (!this.config.postNorms) return update;
    const name = `${part}.postNorm`;
    const { normed } = norm(name, { x: update, weight: this.vector(name), epsilon: this.config.normEpsilon });
    return normed;
  }

  /**
   * Every product of activations with a weight matrix.
   * @param x `[rows, in]`
   * @returns `[rows, out]` for the weight's `[out, in]`
   */
  private project(x: Tensor, name: string, hasBias = false): Tensor {
    const y = linearOfParts(x, this.parts(name), hasBias ? this.vector(`${name}.bias`) : undefined);
    return this.adapters ? this.adapters.add(y, x, name, this.mode.dropoutSeed ?? null) : y;
  }
}
