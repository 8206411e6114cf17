/**
 * Batches of prompts with replies, for training and scoring: packed tokens, the rows whose logits predict reply tokens,
 * and columns of numbers that go with each reply token. A prompt's tokens are read but never predicted: that is the
 * loss mask.
 */
import type { InputArray } from '../../kernels/spec.ts';
import { maskLogits } from '../ops/allowedTokens.ts';
import { input, type Tensor } from '../tensor/tensor.ts';
import { bucketSize } from './buckets.ts';
import { type BoundReply, EdgeList, rangesOfReply } from './constraint.ts';
import { packedInputs, packSequences, paddingIndex } from './packing.ts';
import { packedAttention, type Transformer } from './transformer.ts';

/** A prompt and the tokens that were sampled after it, exactly as sampled. */
export interface PromptReply {
  readonly prompt: ArrayLike<number>;
  readonly reply: ArrayLike<number>;
  /**
   * The part of the reply that was bound to a tree; its log-probabilities are among the tokens that the tree allowed.
   */
  readonly bound?: BoundReply;
}

/** Shape of a compiled batch. */
export interface ReplyBucket {
  /** Packed tokens. */
  readonly rows: number;
  /** Reply tokens. */
  readonly targets: number;
  /** Edges of the trees that replies are bound to; 0 if none is. */
  readonly edges: number;
}

const smallestRows = 256;
const smallestTargets = 64;

/** Tokens that a pair puts on the packed axis: the last reply token is predicted but not read. */
export function packedLength({ prompt, reply }: PromptReply): number {
  return prompt.length + reply.length - 1;
}

/** The bucket that holds a batch. */
export function replyBucket(pairs: readonly PromptReply[]): ReplyBucket {
  return {
    rows: bucketSize(
      pairs.reduce((sum, pair) => sum + packedLength(pair), 0),
      smallestRows,
    ),
    targets: bucketSize(
      pairs.reduce((sum, { reply }) => sum + reply.length, 0),
      smallestTargets,
    ),
    edges: edgesOf(pairs).bucket,
  };
}

/** Names the programs that are compiled for a bucket. */
export function bucketName({ rows, targets, edges }: ReplyBucket): string {
  return `${rows} ${targets} ${edges}`;
}

function edgesOf(pairs: readonly PromptReply[]): EdgeList {
  return new EdgeList(pairs.flatMap(({ bound }) => bound?.trie ?? []));
}

/** Graph inputs of a batch, and the logits that predict its reply tokens. */
export interface ReplyGraph {
  /** `[targets, vocabSize]`; of bound tokens only those of allowed ones. */
  readonly logits: Tensor;
  /** The reply tokens, u32 `[targets]`. */
  readonly targets: Tensor;
  /**
   * Log-probability of each target and entropy of what it was drawn from, both `[targets]`, without the logits of the
   * whole batch in memory where they are large.
   */
  readonly logProbs: (temperature?: number) => { readonly logProb: Tensor; readonly entropy: Tensor };
}

export function replyGraph(model: Transformer, bucket: ReplyBucket): ReplyGraph {
  const { tokens, positions, segments } = packedInputs(bucket.rows);
  const targetRows = input('targetRows', [bucket.targets], 'u32');
  const hidden = model.hidden(tokens, positions, packedAttention(segments), targetRows);
  const logits = model.logits(hidden);
  const targets = input('targets', [bucket.targets], 'u32');
  const allowed =
    bucket.edges === 0
      ? null
      : { ranges: input('ranges', [bucket.targets, 2], 'u32'), tokens: input('edgeTokens', [bucket.edges], 'u32') };
  return {
    logits: allowed ? maskLogits(logits, allowed) : logits,
    targets,
    logProbs: (temperature) => model.tokenLogProbs(hidden, targets, temperature, allowed),
  };
}

/**
 * The host arrays of a batch for a bucket. Targets that are left over have no row; a weight of 0 takes them out of a
 * loss.
 */
export function packReplies(pairs: readonly PromptReply[], bucket: ReplyBucket): Record<string, InputArray> {
  const sequences = pairs.map(({ prompt, reply }) => {
    const tokens = new Uint32Array(prompt.length + reply.length - 1);
    tokens.set(prompt);
    for (let index = 0; index < reply.length - 1; index++) tokens[prompt.length + index] = reply[index]!;
    return tokens;
  });
  const { arrays, starts } = packSequences(sequences, bucket.rows);
  const targetRows = new Uint32Array(bucket.targets).fill(paddingIndex);
  const targets = new Uint32Array(bucket.targets);
  const ranges = new Uint32Array(2 * bucket.targets);
  const edges = edgesOf(pairs);
  let at = 0;
  pairs.forEach(({ prompt, reply, bound }, pair) => {
    ranges.set(rangesOfReply(edges, reply, bound).flat(), 2 * at);
    for (let index = 0; index < reply.length; index++, at++) {
      targetRows[at] = starts[pair]! + prompt.length - 1 + index;
      targets[at] = reply[index]!;
    }
  });
  return { ...arrays, targetRows, targets, ranges, edgeTokens: edges.tokens(bucket.edges) };
}

/** One number for each reply token of a batch, `[targets]`; 0 for those left over. */
export function packColumn(columns: readonly ArrayLike<number>[], bucket: ReplyBucket): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(bucket.targets);
  let at = 0;
  for (const column of columns) {
    packed.set(column, at);
    at += column.length;
  }
  return packed;
}
