/** Draws tokens from logits. */
import { sample as sampleKernel } from '../../kernels/sample.ts';
import { ProxmoError } from '../base/errors.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

export interface SampleInputs {
  /**
   * u32 `[batch, 3]`: episode, turn, and index of the first token that the program draws. They name the row's random
   * numbers.
   */
  readonly streams: Tensor;
  /** u32 `[2]`: the run's seed, low word first. */
  readonly seed: Tensor;
  /** `[3]`: temperature (0 takes the likeliest token), topP (1 is off), topK (0 is off). One setting for the batch. */
  readonly controls: Tensor;
}

export interface Sampled {
  /** u32 `[batch]` */
  readonly token: Tensor;
  /**
   * `[batch]`: under softmax(logits / temperature), before top-k and top-p; at temperature 0, under softmax(logits).
   */
  readonly logProb: Tensor;
}

/**
 * Draws one token per row. The token depends on the row's logits, the controls, the seed and (episode, turn, first
 * token index + tokenOffset) alone: not on its neighbours, nor on the size of the batch. Top-k is applied before top-p;
 * ties go to the lower index.
 * @param logits `[batch, vocab]`; NaN counts as the lowest
 * @param tokenOffset tokens that the program has drawn for each row before this one
 * @throws {ProxmoError} `shape` if the shapes do not fit or the vocabulary is empty
 */
export function sample(logits: Tensor, { streams, seed, controls }: SampleInputs, tokenOffset: number): Sampled {
  const [batch, vocab] = [logits.dim(0), logits.dim(1)];
  if (vocab < 1) throw new ProxmoError('shape', 'sample: the vocabulary is empty; logits need at least one column.');
  return launch(
    sampleKernel,
    { batch, vocab, tokenOffset },
    { logits, streams, seed, controls },
    { token: [batch], logProb: [batch] },
  );
}
