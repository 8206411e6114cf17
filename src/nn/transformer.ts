/**
 * A decoder-only transformer in the Llama family's form: pre-norm RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied or untied head
 * (Touvron et al., arXiv 2302.13971; Ainslie et al., arXiv 2305.13245; Shazeer, arXiv 2002.05202).
 *
 * Sequences are packed: the tokens of many sequences lie one after another on one axis, `[rows]`. How queries meet keys is the caller's choice (`AttentionPath`), so that
 * training, prefill and decoding run the same blocks.
 */
import { ProxmoError } from '../errors.ts';
import { attention, type Segments } from '../ops/attention.ts';
import { add } from '../ops/elementwise.ts';
import { embedding } from '../ops/embedding.ts';
import { linear } from '../ops/linear.ts';
import { rmsNorm } from '../ops/rmsNorm.ts';
import { splitHeadsWithRope } from '../ops/rope.ts';
import { swiglu } from '../ops/swiglu.ts';
import { Random } from '../tensor/random.ts';
import { type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts';
import { type ParameterRequest, ParameterSlab } from '../tensor/variable.ts';

export interface TransformerConfig {
  readonly vocabSize: number;
  readonly dModel: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` query heads. */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the MLP between gate and down projection. */
  readonly dFf: number;
  /** Base of the rotary angles. */
  readonly ropeTheta: number;
  /** The output head is the embedding table. */
  readonly tiedHead: boolean;
  readonly normEpsilon: number;
}

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

/** @throws {ProxmoError} `config` with the first contradiction found */
export function checkTransformerConfig(config: TransformerConfig): void {
  const { heads, kvHeads, headDim } = config;
  for (const name of ['vocabSize', 'dModel', 'layers', 'heads', 'kvHeads', 'headDim', 'dFf'] as const) {
    if (!Number.isSafeInteger(config[name]) || config[name] < 1) {
      throw new ProxmoError('config', `policy.${name} is ${config[name]}; it must be a whole number of 1 or more.`);
    }
  }
  if (heads % kvHeads !== 0) throw new ProxmoError('config', `policy.heads (${heads}) must be a multiple of policy.kvHeads (${kvHeads}).`);
  if (headDim % 4 !== 0 || headDim > 128)
    throw new ProxmoError('config', `policy.headDim is ${headDim}; it must be a multiple of 4, at most 128.`);
}

export class Transformer {
  readonly slab: ParameterSlab;

  /**
   * @param name of the slab, for error messages
   * @param seed starting weights are drawn from it
   * @throws {ProxmoError} `config`
   */
  constructor(
    readonly config: TransformerConfig,
    seed: number,
    name = 'policy',
  ) {
    checkTransformerConfig(config);
    this.slab = new ParameterSlab(name, requestParameters(config, new Random(seed, 'weights')));
  }

  /**
   * The final hidden states.
   * @param tokens u32 `[rows]`
   * @param positions u32 `[rows]`: each token's index in its sequence
   * @returns `[rows, dModel]`
   */
  hidden(tokens: Tensor, positions: Tensor, attend: AttentionPath): Tensor {
    const { layers, normEpsilon } = this.config;
    let x = embedding(this.slab.get('embedding'), tokens);
    for (let layer = 0; layer < layers; layer++) {
      x = add(x, this.attentionBlock(layer, x, positions, attend));
      x = add(x, this.mlpBlock(layer, x));
    }
    return rmsNorm(x, this.slab.get('finalNorm'), normEpsilon);
  }

  /** Logits `[rows, vocabSize]` of hidden states `[rows, dModel]`. */
  logits(hidden: Tensor): Tensor {
    return linear(hidden, this.slab.get(this.config.tiedHead ? 'embedding' : 'head'));
  }

  private attentionBlock(layer: number, x: Tensor, positions: Tensor, attend: AttentionPath): Tensor {
    const { heads, kvHeads, headDim, ropeTheta, normEpsilon } = this.config;
    const weights = (name: string) => this.slab.get(`layers.${layer}.attention.${name}`);
    const qkv = linear(rmsNorm(x, weights('norm'), normEpsilon), weights('qkv'));
    const context = attend(layer, splitHeadsWithRope(qkv, positions, { heads, kvHeads, headDim, theta: ropeTheta }));
    return linear(context.reshape([x.dim(0), heads * headDim]), weights('output'));
  }

  private mlpBlock(layer: number, x: Tensor): Tensor {
    const weights = (name: string) => this.slab.get(`layers.${layer}.mlp.${name}`);
    return linear(swiglu(linear(rmsNorm(x, weights('norm'), this.config.normEpsilon), weights('gateUp'))), weights('down'));
  }
}

/**
 * Matrices start as normals with variance 2 / (5 · dModel) (the small init of Nguyen and Salazar, arXiv 1910.05895); those that write into the residual stream are
 * divided by √(2 · layers), so that its size does not grow with depth (as GPT-2). Norm weights start at 1.
 */
function requestParameters(config: TransformerConfig, random: Random): ParameterRequest[] {
  const { vocabSize, dModel, layers, heads, kvHeads, headDim, dFf, tiedHead } = config;
  const spread = Math.sqrt(2 / (5 * dModel));
  const residualSpread = spread / Math.sqrt(2 * layers);
  const matrix = (name: string, shape: Shape, deviation = spread): ParameterRequest => ({
    name,
    shape,
    decay: true,
    initial: Float32Array.from({ length: sizeOf(shape) }, () => random.normal() * deviation),
  });
  const norm = (name: string): ParameterRequest => ({ name, shape: [dModel], decay: false, initial: new Float32Array(dModel).fill(1) });
  const layer = (index: number): ParameterRequest[] => {
    const prefix = `layers.${index}`;
    return [
      norm(`${prefix}.attention.norm`),
      matrix(`${prefix}.attention.qkv`, [(heads + 2 * kvHeads) * headDim, dModel]),
      matrix(`${prefix}.attention.output`, [dModel, heads * headDim], residualSpread),
      norm(`${prefix}.mlp.norm`),
      matrix(`${prefix}.mlp.gateUp`, [2 * dFf, dModel]),
      matrix(`${prefix}.mlp.down`, [dModel, dFf], residualSpread),
    ];
  };
  return [
    matrix('embedding', [vocabSize, dModel]),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    norm('finalNorm'),
    ...(tiedHead ? [] : [matrix('head', [vocabSize, dModel])]),
  ];
}
