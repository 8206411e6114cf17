/**
 * Log-probabilities and entropies from hidden states, over chunks of the vocabulary: the logits of a whole batch never
 * exist, in either pass. The forward pass carries the sums of a softmax on from chunk to chunk; the backward pass
 * computes each chunk's logits again (as Wijmans et al., arXiv 2411.09009).
 */
import { tokenLogProbsBackward } from '../../kernels/tokenLogProbs.ts';
import { vocabChunk, vocabFinish } from '../../kernels/vocabLoss.ts';
import { ProxmoError } from '../base/errors.ts';
import { assign } from '../tensor/assign.ts';
import { differentiableMany, filled } from '../tensor/autograd.ts';
import { accumulate } from '../tensor/gradients.ts';
import { type Matrix, rowsOfMatrix, storageOfMatrix } from '../tensor/packedMatrix.ts';
import { launch, scratch, type Tensor } from '../tensor/tensor.ts';
import { type AllowedTokens, maskedGradient, maskedLogits } from './allowedTokens.ts';
import { product } from './matmul.ts';
import { firstRows } from './rowParts.ts';

/** Chunks start at multiples of this many tokens, so that their rows of the head can be bound. */
const chunkAlignment = 64;

/**
 * A product that logits consist of: `x · headᵀ`, where the head's rows lie in parts (`Parameter.parts`). The logits of
 * a head with a low-rank adapter are two of them.
 */
export interface LogitTerm {
  /** `[rows, width]` */
  readonly x: Tensor;
  /** `[rows of the part, width]` each, of a matrix `[vocab, width]` */
  readonly head: readonly Matrix[];
}

/** Both `[rows]`. */
export interface LogProbs {
  readonly logProb: Tensor;
  readonly entropy: Tensor;
}

/** Tokens `start` to `start + width` − 1, whose rows lie in one part of every head. */
interface Chunk {
  readonly start: number;
  readonly width: number;
}

/**
 * `tokenLogProbs(linear(hidden, head), targets, temperature)`, with the logits of one chunk in memory at a time; with
 * `maskLogits` between them where tokens are allowed.
 * @param hidden [rows, dModel]
 * @param head the parts of the head [vocab, dModel], each of some of its rows (`Parameter.parts`); a chunk lies within
 * one
 * @param targets u32 [rows]; a target of `vocab` or more has log-probability 0 and no gradient
 * @param temperature above 0
 * @param chunk tokens of a chunk, rounded up to a multiple of 64
 * @param allowed what each row's target is drawn from; all tokens by default
 * @returns both [rows]
 * @throws {ProxmoError} `shape`, or `config` for the temperature or the chunk
 */
export function chunkedTokenLogProbs(
  hidden: Tensor,
  head: readonly Matrix[],
  targets: Tensor,
  temperature: number,
  chunk: number,
  allowed: AllowedTokens | null = null,
): LogProbs {
  return chunkedLogProbsOfTerms([{ x: hidden, head }], targets, temperature, chunk, allowed);
}

/** `chunkedTokenLogProbs` of logits that are the sum of some products. */
export function chunkedLogProbsOfTerms(
  terms: readonly LogitTerm[],
  targets: Tensor,
  temperature: number,
  chunk: number,
  allowed: AllowedTokens | null = null,
): LogProbs {
  checkArguments(terms, targets, temperature, chunk);
  const [rows, vocab] = [targets.dim(0), vocabOf(terms[0]!.head)];
  const inverseTemperature = 1 / temperature;
  const chunks = chunksOf(terms, vocab, Math.ceil(chunk / chunkAlignment) * chunkAlignment);
  const logitsOf = (each: Chunk) => {
    const logits = terms
      .map(({ x, head }) => product('nt', x, rowsOfParts(head, each).rows))
      .reduce((sum, term) => accumulate(sum, term));
    return allowed ? maskedLogits(logits, allowed, each.start) : logits;
  };
  let state = scratch([rows, 4]);
  for (const each of chunks) {
    const params = { rows, ...each, inverseTemperature };
    state = launch(vocabChunk, params, { logits: logitsOf(each), targets, state }, { state: [rows, 4] }).state;
  }
  const outputs = { logProb: [rows], entropy: [rows], logSumExp: [rows] };
  const { logProb, entropy, logSumExp } = launch(vocabFinish, { rows, vocab }, { state, targets }, outputs, {
    below: { targets: vocab },
  });
  const gradients = terms.map((term) => new TermGradient(term));
  differentiableMany(
    'chunkedTokenLogProbs',
    gradients.flatMap(({ inputs }) => inputs),
    [logProb, entropy],
    ([givenLogProb, givenEntropy]) => {
      const dLogProb = givenLogProb ?? filled([rows], 0);
      const dEntropy = givenEntropy ?? filled([rows], 0);
      for (const each of chunks) {
        const inputs = { logits: logitsOf(each), targets, logSumExp, entropy, dLogProb, dEntropy };
        const params = { rows, ...each, inverseTemperature, vocab };
        const gradient = launch(tokenLogProbsBackward, params, inputs, { dLogits: [rows, each.width] }).dLogits;
        const dLogits = allowed ? maskedGradient(gradient, allowed, each.start) : gradient;
        for (const term of gradients) term.add(each, dLogits);
      }
      return gradients.flatMap((term) => term.take());
    },
  );
  return { logProb, entropy };
}

/** The gradients of a term, which come chunk by chunk. */
class TermGradient {
  /** What they are for: x, and the storage of the head's parts. */
  readonly inputs: readonly Tensor[];
  private readonly storage: readonly Tensor[];
  private dX: Tensor | null = null;
  private dHead: { readonly offset: number; readonly value: Tensor }[][] = [];

  constructor(private readonly term: LogitTerm) {
    this.storage = term.head.map(storageOfMatrix);
    this.inputs = [term.x, ...this.storage];
  }

  add(chunk: Chunk, dLogits: Tensor): void {
    const { x, head } = this.term;
    const { rows, part, offset } = rowsOfParts(head, chunk);
    if (x.requiresGrad) {
      const share = product('nn', dLogits, rows);
      this.dX = this.dX ? accumulate(this.dX, share) : share;
    }
    if (!this.storage[part]!.requiresGrad) return;
    (this.dHead[part] ??= []).push({ offset, value: product('tn', dLogits, x) });
  }

  take(): (Tensor | null)[] {
    const [dX, dHead] = [this.dX, this.dHead];
    [this.dX, this.dHead] = [null, []];
    return [dX, ...this.storage.map((part, index) => (part.requiresGrad ? wholeOf(part, dHead[index]!) : null))];
  }
}

/** The gradient of a part of the head from those of its chunks. */
function wholeOf({ shape }: Tensor, chunks: readonly { readonly offset: number; readonly value: Tensor }[]): Tensor {
  return chunks.length === 1 ? chunks[0]!.value : assign(scratch(shape), chunks);
}

function vocabOf(head: readonly Matrix[]): number {
  return head.reduce((sum, part) => sum + part.shape[0]!, 0);
}

/** No chunk spans two parts of a head. */
function chunksOf(terms: readonly LogitTerm[], vocab: number, size: number): Chunk[] {
  const starts = [...new Set(terms.flatMap(({ head }) => firstRows(head)))].sort((a, b) => a - b);
  return starts.flatMap((first, index) => {
    const end = starts[index + 1] ?? vocab;
    return Array.from({ length: Math.ceil((end - first) / size) }, (_, number) => {
      const start = first + number * size;
      return { start, width: Math.min(size, end - start) };
    });
  });
}

/** A chunk's rows of a head, the part that they belong to, and its first element there. */
function rowsOfParts(head: readonly Matrix[], { start, width }: Chunk) {
  const starts = firstRows(head);
  const part = starts.findLastIndex((first) => first <= start);
  const row = start - starts[part]!;
  return { rows: rowsOfMatrix(head[part]!, row, width), part, offset: row * head[part]!.shape[1]! };
}

function checkArguments(terms: readonly LogitTerm[], targets: Tensor, temperature: number, chunk: number): void {
  const rows = targets.shape.length === 1 && targets.dtype === 'u32' ? targets.dim(0) : -1;
  const vocab = vocabOf(terms[0]?.head ?? []);
  const fits = ({ x, head }: LogitTerm) =>
    x.shape.length === 2 &&
    x.dim(0) === rows &&
    head.length > 0 &&
    vocabOf(head) === vocab &&
    head.every(({ shape }) => shape.length === 2 && shape[1] === x.dim(1));
  if (terms.length === 0 || !terms.every(fits)) {
    const shapes = (tensors: readonly { readonly shape: readonly number[] }[]) =>
      tensors.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ');
    const given = terms.map(({ x, head }) => `${shapes([x])}, ${shapes(head) || 'no head'}`).join(' with ');
    throw new ProxmoError(
      'shape',
      `chunkedTokenLogProbs needs hidden [rows, dModel], head [vocab, dModel] and targets u32 [rows]; it was given ${given || 'nothing'} and ${targets.dtype} ${shapes([targets])}.`,
    );
  }
  if (!(temperature > 0)) throw new ProxmoError('config', `the temperature is ${temperature}; it must be above 0.`);
  if (!(chunk >= 1)) throw new ProxmoError('config', `a chunk has ${chunk} tokens; it must have 1 or more.`);
}
