/**
 * What a decoder-only transformer is, as data: its sizes, and where families of models differ. `src/nn/transformer.ts`
 * builds it; `src/models/hf` and other readers of checkpoints derive it from what they find. The fields that may be
 * left out stand for a Llama; other families set some of them.
 */
export interface TransformerConfig {
  readonly vocabSize: number;
  readonly dModel: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` query heads. */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the MLP's hidden layer. */
  readonly dFf: number;
  /** Base of the rotary angles; 0 where positions are learned. */
  readonly ropeTheta: number;
  /** The output head is the embedding table. */
  readonly tiedHead: boolean;
  readonly normEpsilon: number;
  /** RMSNorm (default), or LayerNorm with biases. */
  readonly norm?: NormKind;
  /**
   * down(silu(gate) · up) (default), down(gelu(gate) · up) (`geglu`), or down(gelu(up)) with GELU in its tanh form
   * (`gelu`, and in `geglu`) or as it is defined (`geluErf`).
   */
  readonly mlp?: MlpKind;
  /** Biases on the projections to queries, keys and values. Default: false. */
  readonly qkvBias?: boolean;
  /** A bias on the projection out of attention. Default: false. */
  readonly outputBias?: boolean;
  /** Biases on the projections of the MLP. Default: false. */
  readonly mlpBias?: boolean;
  /** RMSNorm over each head of queries and keys, before they are turned. Default: false. */
  readonly headNorm?: boolean;
  /** Rotary (default), or a learned table of `maxPositions` rows that is added to the embeddings. */
  readonly positions?: PositionKind;
  /**
   * Longest sequence that the model was made for. Needed where positions are learned or `ropeScaling` is dynamic, which
   * know nothing beyond it.
   */
  readonly maxPositions?: number;
  /** Default: angles as they are. */
  readonly ropeScaling?: RopeScaling;
  /** How many elements of a head are turned, the first of it; even. Default: all. */
  readonly rotaryDim?: number;
  /** How each layer attends, where they differ or have windows. Default: to all before, turned as the model says. */
  readonly layerForms?: readonly LayerForm[];
  /** What attention and MLP add to the residual stream goes through a norm of its own. Default: false. */
  readonly postNorms?: boolean;
  /** Embeddings are multiplied by it. Default: 1. */
  readonly embeddingScale?: number;
  /** Scores are multiplied by it. Default: 1 / √headDim. */
  readonly scoreScale?: number;
  /** Scores of layer l, from 0, are also divided by l + 1. Default: false. */
  readonly layerScaledScores?: boolean;
}

export type NormKind = 'rms' | 'layer';
export type MlpKind = 'swiglu' | 'geglu' | 'gelu' | 'geluErf';

/** How a layer attends. */
export interface LayerForm {
  /** A token attends itself and at most the `window - 1` tokens before it. Default: all before it. */
  readonly window?: number;
  /** Base of rotary angles of its own, which are not scaled; 0 turns nothing. Default: the model's angles. */
  readonly ropeTheta?: number;
}
export type PositionKind = 'rope' | 'learned';

/** How rotary angles are changed for sequences longer than those of pretraining. */
export type RopeScaling =
  /** Angles divided by `factor`. */
  | { readonly kind: 'linear'; readonly factor: number }
  /**
   * A base that grows with the sequence beyond `maxPositions`; up to there, angles are as they are, and longer
   * sequences are refused.
   */
  | { readonly kind: 'dynamic' }
  /**
   * Llama 3.1's: slow angles divided by `factor`, fast ones as they are, and a blend between. Wavelengths count in
   * turns per `originalPositions`.
   */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  /** YaRN (Peng et al., arXiv 2309.00071). Queries and keys are both multiplied by `attentionFactor`. */
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly originalPositions: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly attentionFactor: number;
      /** The borders of the blend are rounded outwards to whole dimensions. */
      readonly truncate: boolean;
    }
  /**
   * LongRoPE (Ding et al., arXiv 2402.13753): each angle divided by its factor, and what is turned of queries and keys
   * multiplied by `attentionFactor`. The factors are those for sequences of up to `originalPositions`; longer ones
   * would take others, for all of their tokens, and are refused.
   */
  | {
      readonly kind: 'longrope';
      readonly factors: readonly number[];
      /** Those for longer sequences, which are kept for whoever reads the model elsewhere. */
      readonly longFactors: readonly number[];
      readonly originalPositions: number;
      readonly attentionFactor: number;
    };

/** Longest sequence that the model can take; infinite where nothing in it ends. */
export function positionLimit({ positions, maxPositions, ropeScaling }: TransformerConfig): number {
  if (ropeScaling?.kind === 'longrope') return ropeScaling.originalPositions;
  const bounded = positions === 'learned' || ropeScaling?.kind === 'dynamic';
  return bounded ? (maxPositions ?? 0) : Number.POSITIVE_INFINITY;
}

/** Whether the MLP has a gate beside its projection up. */
export function isGated({ mlp = 'swiglu' }: Pick<TransformerConfig, 'mlp'>): boolean {
  return mlp === 'swiglu' || mlp === 'geglu';
}
