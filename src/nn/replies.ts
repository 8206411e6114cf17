/**
 * Batches of token sequences with replies in them, for training and scoring: packed tokens, the rows whose logits
 * predict reply tokens, and columns of numbers that go with each reply token. A sequence is a prompt with its reply, or
 * a whole episode with a reply in every turn. All other tokens are read but never predicted: that is the loss mask.
 */
import type { InputArray } from '../../kernels/spec.ts';
import { maskLogits } from '../ops/allowedTokens.ts';
import { input, type Tensor } from '../tensor/tensor.ts';
import { bucketSize } from './buckets.ts';
import { type BoundReply, EdgeList, rangesOfReply } from './constraint.ts';
import { packedInputs, packSequences, paddingIndex } from './packing.ts';
import { packedAttention, type Transformer } from './transformer.ts';

/** Tokens of a sequence that the policy wrote, exactly as sampled. */
export interface ReplySpan {
  /** Index of its first token; at least 1, since a token is predicted by the one before it. */
  readonly start: number;
  readonly length: number;
  /**
   * The part of the reply that was bound to a tree; its log-probabilities are among the tokens that the tree allowed.
   */
  readonly bound?: BoundReply;
}

/** Tokens in the order in which they were read and written, and which of them are replies. */
export interface TokenSequence {
  readonly tokens: ArrayLike<number>;
  /** In rising order, without overlaps. */
  readonly replies: readonly ReplySpan[];
}

/** A prompt and the tokens that were sampled after it, as a sequence with one reply. */
export function promptReply(prompt: ArrayLike<number>, reply: ArrayLike<number>, bound?: BoundReply): TokenSequence {
  const tokens = new Uint32Array(prompt.length + reply.length);
  tokens.set(prompt);
  tokens.set(reply, prompt.length);
  return { tokens, replies: [{ start: prompt.length, length: reply.length, ...(bound ? { bound } : {}) }] };
}

/** Tokens of a sequence's replies together: the numbers in each of its columns. */
export function replyTokens({ replies }: Pick<TokenSequence, 'replies'>): number {
  return replies.reduce((sum, { length }) => sum + length, 0);
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

/**
 * Tokens that a sequence puts on the packed axis: the last reply token is predicted but not read, and nothing after it
 * matters.
 */
export function packedLength({ replies }: Pick<TokenSequence, 'replies'>): number {
  const last = replies.at(-1);
  return last ? last.start + last.length - 1 : 0;
}

/** The bucket that holds a batch. */
export function replyBucket(sequences: readonly TokenSequence[]): ReplyBucket {
  return {
    rows: bucketSize(
      sequences.reduce((sum, sequence) => sum + packedLength(sequence), 0),
      smallestRows,
    ),
    targets: bucketSize(
      sequences.reduce((sum, sequence) => sum + replyTokens(sequence), 0),
      smallestTargets,
    ),
    edges: edgesOf(sequences).bucket,
  };
}

/** Names the programs that are compiled for a bucket. */
export function bucketName({ rows, targets, edges }: ReplyBucket): string {
  return `${rows} ${targets} ${edges}`;
}

function edgesOf(sequences: readonly TokenSequence[]): EdgeList {
  return new EdgeList(sequences.flatMap(({ replies }) => replies.flatMap(({ bound }) => bound?.trie ?? [])));
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
export function packReplies(sequences: readonly TokenSequence[], bucket: ReplyBucket): Record<string, InputArray> {
  const read = sequences.map((sequence) => Uint32Array.from(sequence.tokens).subarray(0, packedLength(sequence)));
  const { arrays, starts } = packSequences(read, bucket.rows);
  const targetRows = new Uint32Array(bucket.targets).fill(paddingIndex);
  const targets = new Uint32Array(bucket.targets);
  const ranges = new Uint32Array(2 * bucket.targets);
  const edges = edgesOf(sequences);
  let at = 0;
  sequences.forEach(({ tokens, replies }, index) => {
    for (const { start, length, bound } of replies) {
      const reply = Array.from({ length }, (_, offset) => tokens[start + offset]!);
      ranges.set(rangesOfReply(edges, reply, bound).flat(), 2 * at);
      targets.set(reply, at);
      for (let offset = 0; offset < length; offset++) targetRows[at + offset] = starts[index]! + start - 1 + offset;
      at += length;
    }
  });
  const bounds = bucket.edges === 0 ? {} : { ranges, edgeTokens: edges.tokens(bucket.edges) };
  return { ...arrays, targetRows, targets, ...bounds };
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
