/**
 * Loss scaling (Micikevicius et al., arXiv 1710.03740, section 3.2). Products with operands in f16 round the gradients
 * that they read to f16, whose normal numbers are 2^-14 to 65504, and the gradient of a mean over many tokens lies
 * below them. So the backward pass starts from a power of two instead of 1, and the optimiser takes it back exactly. It
 * follows from the tokens' weights in the loss alone, and is never searched for.
 */
import type { FloatStorage } from '../../kernels/storage.ts';

/**
 * The log-probability of the token with the largest weight gets this gradient, or up to twice as much, times its
 * advantage. Then logits that are uniform over a million words still have gradients of 2^-14, and the largest gradients
 * of a batch, a few times this, are far from 65504.
 */
const tokenGradient = 64;

/**
 * What the gradients of a loss are multiplied by; 1 where nothing is stored in f16.
 * @param stored how the model stores what products read
 * @param largestWeight of a token in the loss, as 1 / tokens in a mean; 0 where no token counts
 */
export function lossScale(stored: FloatStorage, largestWeight: number): number {
  return stored === 'f32' || largestWeight === 0 ? 1 : tokenGradient * 2 ** Math.ceil(-Math.log2(largestWeight));
}
