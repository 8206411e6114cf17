/**
 * What a transformer's work costs at the least: operations, and bytes that must be read, for workloads to be held
 * against.
 */
import { packedBytes } from '../../../kernels/packed.ts';
import { elementBytes } from '../../../kernels/spec.ts';
import { isGated, type TransformerConfig } from '../../models/transformerConfig.ts';
import type { Precision } from '../../nn/precision.ts';

type Sizes = Pick<
  TransformerConfig,
  'vocabSize' | 'dModel' | 'layers' | 'heads' | 'kvHeads' | 'headDim' | 'dFf' | 'mlp'
>;

/** Weights of the matrices that every token meets, without the head. */
function blockWeights(sizes: Sizes): number {
  const { dModel, layers, heads, kvHeads, headDim, dFf } = sizes;
  const attention = dModel * headDim * (2 * heads + 2 * kvHeads);
  return layers * (attention + (isGated(sizes) ? 3 : 2) * dModel * dFf);
}

const headWeights = ({ vocabSize, dModel }: Sizes) => vocabSize * dModel;
const queryWidth = ({ heads, headDim }: Sizes) => heads * headDim;
const keyWidth = ({ kvHeads, headDim }: Sizes) => kvHeads * headDim;

/** Pairs of a token and one that it sees, in a sequence. */
const pairsOf = (length: number) => (length * (length + 1)) / 2;

/**
 * Operations of a training step: three products of each weight matrix, and two and five products of scores and values,
 * attention's masked half left out.
 */
export function trainingFlops(config: Sizes, batch: number, length: number): number {
  const weights = blockWeights(config) + headWeights(config);
  return 2 * (3 * weights * batch * length + 7 * config.layers * batch * pairsOf(length) * queryWidth(config));
}

/** Reading prompts; only the last token of each meets the head. */
export function prefillCost(
  config: Sizes,
  batch: number,
  length: number,
): { readonly flops: number; readonly bytes: number } {
  const tokens = batch * length;
  return {
    flops:
      2 * blockWeights(config) * tokens +
      2 * headWeights(config) * batch +
      4 * config.layers * queryWidth(config) * batch * pairsOf(length),
    bytes: 4 * (blockWeights(config) + headWeights(config) + 2 * config.layers * keyWidth(config) * tokens),
  };
}

/** Replies of `length` tokens. A step reads the weights once, and the keys and values of every row. */
export function decodeCost(
  config: Sizes,
  batch: number,
  length: number,
  precision: Precision,
): { readonly flops: number; readonly bytes: number } {
  const weights = blockWeights(config) + headWeights(config);
  const read = batch * pairsOf(length);
  const cacheBytes = elementBytes[precision === 'f16' ? 'f16' : 'f32'];
  return {
    flops: 2 * weights * batch * length + 4 * config.layers * queryWidth(config) * read,
    bytes: weightBytes(precision) * weights * length + cacheBytes * 2 * config.layers * keyWidth(config) * read,
  };
}

/** Of packed ones in Q4_1. */
function weightBytes(precision: Precision): number {
  return precision === 'packed' ? packedBytes('q4_1', 1, 1024) / 1024 : elementBytes[precision];
}
