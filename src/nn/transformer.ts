/**
 * A decoder-only transformer: pre-norm blocks of attention and MLP on a residual stream. The configuration chooses a family's form: RMSNorm or LayerNorm, rotary or
 * learned positions, grouped-query attention with or without norms on its heads, SwiGLU or GELU, biases, tied or untied head (Radford et al., GPT-2, 2019; Touvron et al.,
 * arXiv 2302.13971; Ainslie et al., arXiv 2305.13245; Shazeer, arXiv 2002.05202).
 *
 * Sequences are packed: the tokens of many sequences lie one after another on one axis, `[rows]`. How queries meet keys is the caller's choice (`AttentionPath`), so that
 * training, prefill and decoding run the same blocks.
 */
import type { TransformerConfig } from '../models/transformerConfig.ts';
import { attention, type Segments } from '../ops/attention.ts';
import { add, gelu, geluErf } from '../ops/elementwise.ts';
import { embedding } from '../ops/embedding.ts';
import { headNorm } from '../ops/headNorm.ts';
import { layerNorm } from '../ops/layerNorm.ts';
import { linear } from '../ops/linear.ts';
import { rmsNorm } from '../ops/rmsNorm.ts';
import { splitHeadsWithRope } from '../ops/rope.ts';
import { swiglu } from '../ops/swiglu.ts';
import { Random } from '../tensor/random.ts';
import { constant, type Tensor } from '../tensor/tensor.ts';
import { ParameterSlab } from '../tensor/variable.ts';
import { checkTransformerConfig } from './decoderConfig.ts';
import { decoderParameters } from './decoderParameters.ts';
import { queryScale, rotaryFrequencies } from './decoderRope.ts';

export type { TransformerConfig } from '../models/transformerConfig.ts';

/** Queries `[rows, heads, headDim]`, keys and values `[rows, kvHeads, headDim]`. */
export interface Heads {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** What a layer's heads attend to; returns `[rows, heads, headDim]`. */
export type AttentionPath = (layer: number, heads: Heads) => Tensor;

/** Attention within packed sequences, for training and scoring. */
export function packedAttention(segments: Segments): AttentionPath {
  return (_, { q, k, v }) => attention(q, k, v, segments);
}

export class Transformer {
  readonly slab: ParameterSlab;
  private readonly frequencies: Tensor;

  /**
   * @param seed starting weights are drawn from it; null leaves all weights at 0, without a copy on the host, for those that are loaded later
   * @param name of the slab, for error messages
   * @throws {ProxmoError} `config`
   */
  constructor(
    readonly config: TransformerConfig,
    seed: number | null,
    name = 'policy',
  ) {
    checkTransformerConfig(config, name);
    this.slab = new ParameterSlab(name, decoderParameters(config, seed === null ? null : new Random(seed, 'weights')));
    this.frequencies = constant(rotaryFrequencies(config), [config.headDim / 2]);
  }

  /**
   * The final hidden states.
   * @param tokens u32 `[rows]`
   * @param positions u32 `[rows]`: each token's index in its sequence
   * @returns `[rows, dModel]`
   */
  hidden(tokens: Tensor, positions: Tensor, attend: AttentionPath): Tensor {
    let x = this.embed(tokens, positions);
    for (let layer = 0; layer < this.config.layers; layer++) {
      x = add(x, this.attentionBlock(layer, x, positions, attend));
      x = add(x, this.mlpBlock(layer, x));
    }
    return this.norm(x, 'finalNorm');
  }

  /** Logits `[rows, vocabSize]` of hidden states `[rows, dModel]`. */
  logits(hidden: Tensor): Tensor {
    return this.project(hidden, this.config.tiedHead ? 'embedding' : 'head');
  }

  private embed(tokens: Tensor, positions: Tensor): Tensor {
    const x = embedding(this.slab.get('embedding'), tokens);
    return this.config.positions === 'learned' ? add(x, embedding(this.slab.get('positions'), positions)) : x;
  }

  private attentionBlock(layer: number, x: Tensor, positions: Tensor, attend: AttentionPath): Tensor {
    const { config, frequencies } = this;
    const prefix = `layers.${layer}.attention`;
    const qkv = this.project(this.norm(x, `${prefix}.norm`), `${prefix}.qkv`, config.qkvBias);
    const normed = config.headNorm ? this.normHeads(qkv, prefix) : qkv;
    const heads = splitHeadsWithRope(normed, positions, { ...config, frequencies, queryScale: queryScale(config, layer) });
    const context = attend(layer, heads).reshape([x.dim(0), config.heads * config.headDim]);
    return this.project(context, `${prefix}.output`, config.outputBias);
  }

  private normHeads(qkv: Tensor, prefix: string): Tensor {
    const { heads, kvHeads, normEpsilon } = this.config;
    return headNorm(qkv, this.slab.get(`${prefix}.queryNorm`), this.slab.get(`${prefix}.keyNorm`), heads, kvHeads, normEpsilon);
  }

  private mlpBlock(layer: number, x: Tensor): Tensor {
    const { mlp = 'swiglu', mlpBias } = this.config;
    const prefix = `layers.${layer}.mlp`;
    const normed = this.norm(x, `${prefix}.norm`);
    const inner =
      mlp === 'swiglu'
        ? swiglu(this.project(normed, `${prefix}.gateUp`, mlpBias))
        : (mlp === 'gelu' ? gelu : geluErf)(this.project(normed, `${prefix}.up`, mlpBias));
    return this.project(inner, `${prefix}.down`, mlpBias);
  }

  private norm(x: Tensor, name: string): Tensor {
    const { norm, normEpsilon } = this.config;
    const weight = this.slab.get(name);
    return norm === 'layer' ? layerNorm(x, weight, this.slab.get(`${name}.bias`), normEpsilon) : rmsNorm(x, weight, normEpsilon);
  }

  /** Every product of activations with a weight matrix. @param x `[rows, in]` @returns `[rows, out]` for the weight's `[out, in]` */
  private project(x: Tensor, name: string, hasBias = false): Tensor {
    return linear(x, this.slab.get(name), hasBias ? this.slab.get(`${name}.bias`) : undefined);
  }
}
