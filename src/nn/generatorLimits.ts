/**
 * How many rows and tokens a generator handles at once, so that no buffer of it is larger than the device can bind. A
 * reply depends on neither, up to the rounding of its logits. Attention sums the keys of a packed prompt by tiles that
 * begin where those of its neighbours do, and GPUs share the sums of a few rows out (kernels/matmulRow.ts).
 */
import { elementBytes } from '../../kernels/spec.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import { mebibytes } from '../base/sizes.ts';
import { isGated, type TransformerConfig } from '../models/transformerConfig.ts';
import { bucketSize } from './buckets.ts';

/** Token buckets of a prefill start here. */
export const smallestTokenBucket = 64;
/** Row buckets of a batch of several start here. */
const smallestRowBucket = 4;

/**
 * Rows that a batch is compiled for: one row alone is not padded, because products of one row are the cheapest and a
 * reply on its own is what a user waits for.
 */
export function rowBucket(count: number): number {
  return count === 1 ? 1 : bucketSize(count, smallestRowBucket);
}

export interface BatchSizes {
  readonly maxPromptTokens: number;
  readonly maxNewTokens: number;
  /** Most prompt tokens that are read at once. */
  readonly maxBatchTokens: number;
  /** Most prompts in one batch. */
  readonly maxBatchRows: number;
  /** Sequences of the longest prompts and replies that the KV cache is to hold. Default: `maxBatchRows`. */
  readonly cachedSequences?: number;
}

/** Rows and tokens at once. */
export interface BatchLimits {
  readonly rows: number;
  readonly tokens: number;
  /** Sequences of the longest prompts and replies in the KV cache; shorter ones share it out. */
  readonly slots: number;
}

/**
 * The sizes that were asked for, lowered to what fits: rows by the logits, cached sequences by the keys of a layer,
 * tokens by the widest activations of a layer. 0 where nothing fits.
 * @param largestBinding most bytes that a kernel can bind
 * @param stored how the model stores keys
 */
export function fittingBatch(
  config: TransformerConfig,
  sizes: BatchSizes,
  largestBinding: number,
  stored: FloatStorage = 'f32',
): BatchLimits {
  const logitsFit = (count: number) => rowBucket(count) * config.vocabSize * 4 <= largestBinding;
  const promptsFit = (count: number) => bucketSize(count, smallestTokenBucket) * tokenBytes(config) <= largestBinding;
  const keysFit = (count: number) => count * sequenceBytes(config, sizes, stored) <= largestBinding;
  return {
    rows: largestThat(logitsFit, sizes.maxBatchRows),
    slots: largestThat(keysFit, sizes.cachedSequences ?? sizes.maxBatchRows),
    tokens: largestThat(promptsFit, sizes.maxBatchTokens),
  };
}

/**
 * `fittingBatch`, for a device that must be able to read any prompt and write any reply.
 * @throws {ProxmoError} `shape` if not even one sequence fits
 */
export function batchLimits(
  config: TransformerConfig,
  sizes: BatchSizes,
  largestBinding: number,
  stored: FloatStorage = 'f32',
): BatchLimits {
  const fitting = fittingBatch(config, sizes, largestBinding, stored);
  const { maxPromptTokens, maxNewTokens } = sizes;
  if (Math.min(fitting.rows, fitting.slots) > 0 && fitting.tokens >= maxPromptTokens) return fitting;
  const prompt = bucketSize(maxPromptTokens, smallestTokenBucket) * tokenBytes(config);
  const [limit, sequence, activations] = [largestBinding, sequenceBytes(config, sizes, stored), prompt].map(
    (bytes) => `${mebibytes(bytes)} MiB`,
  );
  throw new ProxmoError(
    'shape',
    `The device binds ${limit} at once, but the keys of a sequence of ${maxPromptTokens + maxNewTokens} tokens need ${sequence} and the activations of a prompt of ${maxPromptTokens} tokens ${activations}; lower prompt.maxTokens or sampling.maxNewTokens.`,
  );
}

/** Bytes of the keys of a sequence in a layer's cache; its values take as many. */
export function sequenceBytes(
  { kvHeads, headDim }: TransformerConfig,
  { maxPromptTokens, maxNewTokens }: Pick<BatchSizes, 'maxPromptTokens' | 'maxNewTokens'>,
  stored: FloatStorage,
): number {
  return (maxPromptTokens + maxNewTokens) * kvHeads * headDim * elementBytes[stored];
}

/** Bytes that the widest tensor of a layer has for a token: what a product gives, in float32. */
function tokenBytes(config: TransformerConfig): number {
  const { heads, kvHeads, headDim, dModel, dFf } = config;
  return 4 * Math.max((heads + 2 * kvHeads) * headDim, dModel, isGated(config) ? 2 * dFf : dFf);
}

/** The largest number up to `most` that passes, where those above one that fails fail too; 0 if none does. */
function largestThat(passes: (count: number) => boolean, most: number): number {
  let [passed, failed] = [0, most + 1];
  while (failed - passed > 1) {
    const middle = Math.floor((passed + failed) / 2);
    if (passes(middle)) passed = middle;
    else failed = middle;
  }
  return passed;
}
