/**
 * Log-probabilities and entropies from hidden states, over chunks of the vocabulary: the logits of a whole batch never
 * exist, in either pass. The forward pass carries the sums of a softmax on from chunk to chunk; the backward pass
 * computes each chunk's logits again (as Wijmans et al., arXiv 2411.09009).
 */
import { tokenLogProbsBackward } from '../../kernels/tokenLogProbs.ts';
import { vocabChunk, vocabFinish } from '../../kernels/vocabLoss.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiableMany, filled } from '../tensor/autograd.ts';
import { accumulate } from '../tensor/gradients.ts';
import { type Matrix, rowsOfMatrix, storageOfMatrix } from '../tensor/packedMatrix.ts';
import { assign, launch, scratch, type Tensor } from '../tensor/tensor.ts';
import { type AllowedTokens, maskedGradient, maskedLogits } from './allowedTokens.ts';
import { product } from './matmul.ts';
import { firstRows } from './rowParts.ts';

/** Chunks start at multiples of this many tokens, so that their rows of the head can be bound. */
const chunkAlignment = 64;

interface Chunk {
  /** First token. */
  readonly start: number;
  /** Number of tokens. */
  readonly width: number;
  /** `[width, dModel]` */
  readonly head: Matrix;
  /** The part of the head that it belongs to, and its first element there. */
  readonly part: number;
  readonly offset: number;
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
): { readonly logProb: Tensor; readonly entropy: Tensor } {
  checkArguments(hidden, head, targets, temperature, chunk);
  const [rows, vocab] = [hidden.dim(0), vocabOf(head)];
  const inverseTemperature = 1 / temperature;
  const chunkSize = Math.ceil(chunk / chunkAlignment) * chunkAlignment;
  const firstTokens = firstRows(head);
  const chunks = head.flatMap((part, index) => chunksOf(part, index, firstTokens[index]!, chunkSize));
  const logitsOf = ({ start, head: rowsOfHead }: Chunk) => {
    const logits = product('nt', hidden, rowsOfHead);
    return allowed ? maskedLogits(logits, allowed, start) : logits;
  };
  let state = scratch([rows, 4]);
  for (const each of chunks) {
    const { start, width } = each;
    const logits = logitsOf(each);
    state = launch(
      vocabChunk,
      { rows, width, start, inverseTemperature },
      { logits, targets, state },
      { state: [rows, 4] },
    ).state;
  }
  const storage = head.map(storageOfMatrix);
  const outputs = { logProb: [rows], entropy: [rows], logSumExp: [rows] };
  const { logProb, entropy, logSumExp } = launch(vocabFinish, { rows, vocab }, { state, targets }, outputs, {
    below: { targets: vocab },
  });
  differentiableMany(
    'chunkedTokenLogProbs',
    [hidden, ...storage],
    [logProb, entropy],
    ([givenLogProb, givenEntropy]) => {
      const dLogProb = givenLogProb ?? filled([rows], 0);
      const dEntropy = givenEntropy ?? filled([rows], 0);
      let dHidden: Tensor | null = null;
      const dHead = storage.map((): { offset: number; value: Tensor }[] => []);
      for (const each of chunks) {
        const { start, width, head: rowsOfHead, part, offset } = each;
        const inputs = { logits: logitsOf(each), targets, logSumExp, entropy, dLogProb, dEntropy };
        const params = { rows, width, inverseTemperature, vocab, start };
        const gradient = launch(tokenLogProbsBackward, params, inputs, { dLogits: [rows, width] }).dLogits;
        const dLogits = allowed ? maskedGradient(gradient, allowed, start) : gradient;
        if (hidden.requiresGrad) {
          const share = product('nn', dLogits, rowsOfHead);
          dHidden = dHidden ? accumulate(dHidden, share) : share;
        }
        if (storage[part]!.requiresGrad) dHead[part]!.push({ offset, value: product('tn', dLogits, hidden) });
      }
      return [dHidden, ...storage.map((part, index) => (part.requiresGrad ? wholeOf(part, dHead[index]!) : null))];
    },
  );
  return { logProb, entropy };
}

/** The gradient of a part of the head from those of its chunks. */
function wholeOf({ shape }: Tensor, chunks: readonly { readonly offset: number; readonly value: Tensor }[]): Tensor {
  return chunks.length === 1 ? chunks[0]!.value : assign(scratch(shape), chunks);
}

function vocabOf(head: readonly Matrix[]): number {
  return head.reduce((sum, part) => sum + part.shape[0]!, 0);
}

function chunksOf(head: Matrix, part: number, first: number, size: number): Chunk[] {
  const [vocab, width] = head.shape as [number, number];
  return Array.from({ length: Math.ceil(vocab / size) }, (_, index) => {
    const row = index * size;
    const tokens = Math.min(size, vocab - row);
    return {
      start: first + row,
      width: tokens,
      head: rowsOfMatrix(head, row, tokens),
      part,
      offset: row * width,
    };
  });
}

function checkArguments(
  hidden: Tensor,
  head: readonly Matrix[],
  targets: Tensor,
  temperature: number,
  chunk: number,
): void {
  const fits =
    hidden.shape.length === 2 &&
    head.length > 0 &&
    head.every((part) => part.shape.length === 2 && hidden.dim(1) === part.shape[1]) &&
    targets.dtype === 'u32' &&
    targets.shape.length === 1 &&
    targets.dim(0) === hidden.dim(0);
  if (!fits) {
    const [h, t, ...w] = [hidden, targets, ...head].map(({ shape }) => `[${shape.join(', ')}]`);
    throw new ProxmoError(
      'shape',
      `chunkedTokenLogProbs needs hidden [rows, dModel], head [vocab, dModel] and targets u32 [rows]; it was given ${h}, ${w.join(' and ')} and ${targets.dtype} ${t}.`,
    );
  }
  if (!(temperature > 0)) throw new ProxmoError('config', `the temperature is ${temperature}; it must be above 0.`);
  if (!(chunk >= 1)) throw new ProxmoError('config', `a chunk has ${chunk} tokens; it must have 1 or more.`);
}
