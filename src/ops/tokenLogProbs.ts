/** Log-probabilities of given tokens, with the entropy of the distribution they were drawn from. */
import * as kernels from '../../kernels/tokenLogProbs.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiableMany, filled } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * log softmax(logits / temperature) of each row's target, and the entropy of that softmax in nats. No probabilities are
 * stored.
 * @param logits [rows, vocab]
 * @param targets u32 [rows]; `paddingIndex` has log-probability 0 and no gradient; any other target of `vocab` or
 * more is refused where the host writes it, and gives NaN elsewhere
 * @param temperature above 0
 * @returns both [rows]
 * @throws {ProxmoError} `shape`, or `config` for the temperature
 */
export function tokenLogProbs(
  logits: Tensor,
  targets: Tensor,
  temperature = 1,
): { readonly logProb: Tensor; readonly entropy: Tensor } {
  checkArguments(logits, targets, temperature);
  const params = { rows: logits.dim(0), width: logits.dim(1), inverseTemperature: 1 / temperature };
  const outputs = { logProb: targets.shape, entropy: targets.shape, logSumExp: targets.shape };
  const { logProb, entropy, logSumExp } = launch(kernels.tokenLogProbs, params, { logits, targets }, outputs, {
    below: { targets: params.width },
  });
  differentiableMany('tokenLogProbs', [logits], [logProb, entropy], ([givenLogProb, givenEntropy]) => {
    const dLogProb = givenLogProb ?? filled(targets.shape, 0);
    const dEntropy = givenEntropy ?? filled(targets.shape, 0);
    const inputs = { logits, targets, logSumExp, entropy, dLogProb, dEntropy };
    return [
      launch(kernels.tokenLogProbsBackward, { ...params, vocab: params.width, start: 0 }, inputs, {
        dLogits: logits.shape,
      }).dLogits,
    ];
  });
  return { logProb, entropy };
}

function checkArguments(logits: Tensor, targets: Tensor, temperature: number): void {
  const fits =
    logits.shape.length === 2 &&
    targets.shape.length === 1 &&
    targets.dtype === 'u32' &&
    logits.dim(0) === targets.dim(0);
  if (!fits) {
    throw new ProxmoError(
      'shape',
      `tokenLogProbs needs logits [rows, vocab] and targets u32 [rows]; it was given [${logits.shape.join(', ')}] and ${targets.dtype} [${targets.shape.join(', ')}].`,
    );
  }
  if (!(temperature > 0)) throw new ProxmoError('config', `the temperature is ${temperature}; it must be above 0.`);
}
