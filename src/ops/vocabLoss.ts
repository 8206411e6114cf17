/**
 * Log-probabilities and entropies from hidden states, over chunks of the vocabulary: the logits of a whole batch never exist, in either pass. The forward pass carries the
 * sums of a softmax on from chunk to chunk; the backward pass computes each chunk's logits again (as Wijmans et al., arXiv 2411.09009).
 */
import { tokenLogProbsBackward } from '../../kernels/tokenLogProbs.ts';
import { vocabChunk, vocabFinish } from '../../kernels/vocabLoss.ts';
import { ProxmoError } from '../errors.ts';
import { differentiableMany, filled } from '../tensor/autograd.ts';
import { accumulate } from '../tensor/gradients.ts';
import { assign, launch, scratch, type Tensor } from '../tensor/tensor.ts';
import { product } from './matmul.ts';

/** Chunks start at multiples of this many tokens, so that their rows of the head can be bound. */
const chunkAlignment = 64;

interface Chunk {
  /** First token. */
  readonly start: number;
  /** Number of tokens. */
  readonly width: number;
  /** `[width, dModel]` */
  readonly head: Tensor;
}

/**
 * `tokenLogProbs(linear(hidden, head), targets, temperature)`, with the logits of one chunk in memory at a time.
 * @param hidden [rows, dModel]
 * @param head [vocab, dModel]
 * @param targets u32 [rows]; a target of `vocab` or more has log-probability 0 and no gradient
 * @param temperature above 0
 * @param chunk tokens of a chunk, rounded up to a multiple of 64
 * @returns both [rows]
 * @throws {ProxmoError} `shape`, or `config` for the temperature or the chunk
 */
export function chunkedTokenLogProbs(
  hidden: Tensor,
  head: Tensor,
  targets: Tensor,
  temperature: number,
  chunk: number,
): { readonly logProb: Tensor; readonly entropy: Tensor } {
  checkArguments(hidden, head, targets, temperature, chunk);
  const [rows, vocab] = [hidden.dim(0), head.dim(0)];
  const inverseTemperature = 1 / temperature;
  const chunks = chunksOf(head, Math.ceil(chunk / chunkAlignment) * chunkAlignment);
  let state = scratch([rows, 4]);
  for (const { start, width, head: part } of chunks) {
    const logits = product('nt', hidden, part);
    state = launch(vocabChunk, { rows, width, start, inverseTemperature }, { logits, targets, state }, { state: [rows, 4] }).state;
  }
  const outputs = { logProb: [rows], entropy: [rows], logSumExp: [rows] };
  const { logProb, entropy, logSumExp } = launch(vocabFinish, { rows, vocab }, { state, targets }, outputs);
  differentiableMany('chunkedTokenLogProbs', [hidden, head], [logProb, entropy], ([givenLogProb, givenEntropy]) => {
    const dLogProb = givenLogProb ?? filled([rows], 0);
    const dEntropy = givenEntropy ?? filled([rows], 0);
    let dHidden: Tensor | null = null;
    const dHead: { offset: number; value: Tensor }[] = [];
    for (const { start, width, head: part } of chunks) {
      const inputs = { logits: product('nt', hidden, part), targets, logSumExp, entropy, dLogProb, dEntropy };
      const params = { rows, width, inverseTemperature, vocab, start };
      const { dLogits } = launch(tokenLogProbsBackward, params, inputs, { dLogits: [rows, width] });
      if (hidden.requiresGrad) {
        const share = product('nn', dLogits, part);
        dHidden = dHidden ? accumulate(dHidden, share) : share;
      }
      if (head.requiresGrad) dHead.push({ offset: start * hidden.dim(1), value: product('tn', dLogits, hidden) });
    }
    return [dHidden, head.requiresGrad ? assign(scratch(head.shape), dHead) : null];
  });
  return { logProb, entropy };
}

function chunksOf(head: Tensor, size: number): Chunk[] {
  const [vocab, width] = [head.dim(0), head.dim(1)];
  return Array.from({ length: Math.ceil(vocab / size) }, (_, index) => {
    const start = index * size;
    const tokens = Math.min(size, vocab - start);
    return { start, width: tokens, head: head.part(start * width, [tokens, width]) };
  });
}

function checkArguments(hidden: Tensor, head: Tensor, targets: Tensor, temperature: number, chunk: number): void {
  const fits =
    hidden.shape.length === 2 &&
    head.shape.length === 2 &&
    hidden.dim(1) === head.dim(1) &&
    targets.dtype === 'u32' &&
    targets.shape.length === 1 &&
    targets.dim(0) === hidden.dim(0);
  if (!fits) {
    const [h, w, t] = [hidden, head, targets].map(({ shape }) => `[${shape.join(', ')}]`);
    throw new ProxmoError(
      'shape',
      `chunkedTokenLogProbs needs hidden [rows, dModel], head [vocab, dModel] and targets u32 [rows]; it was given ${h}, ${w} and ${targets.dtype} ${t}.`,
    );
  }
  if (!(temperature > 0)) throw new ProxmoError('config', `the temperature is ${temperature}; it must be above 0.`);
  if (!(chunk >= 1)) throw new ProxmoError('config', `a chunk has ${chunk} tokens; it must have 1 or more.`);
}
