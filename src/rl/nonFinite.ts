/** Names what is NaN or infinite among the numbers that a policy learns from. */
import { ProxmoError } from '../base/errors.ts';
import { firstNonFinite } from '../base/finite.ts';
import { piecesOf } from '../nn/weightTransfer.ts';
import type { Engine } from '../tensor/engine.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { ParameterSlab, Variable } from '../tensor/variable.ts';
import type { RolloutStep } from './rollout.ts';

type StepName = Pick<RolloutStep, 'group' | 'trajectory' | 'step'>;

/**
 * The first parameter of which storage of a slab's layout holds a value that is not finite, as `embedding holds NaN`;
 * null if all are finite. Reads all of it, so it is for when something is known to be wrong.
 */
export async function nonFiniteParameter(
  engine: Engine,
  { parameters }: ParameterSlab,
  values: Variable,
): Promise<string | null> {
  for (const { name, shape, offset } of parameters) {
    for (const [start, end] of piecesOf(sizeOf(shape))) {
      const piece = await engine.read(values, offset + start, end - start);
      const index = firstNonFinite(piece);
      if (index >= 0) return `${name} holds ${piece[index]}`;
    }
  }
  return null;
}

/**
 * @param logProbs of the step's reply tokens
 * @param whose log-probabilities they are
 * @throws {ProxmoError} `non-finite` if one is NaN or infinite
 */
export function checkLogProbs(
  step: StepName,
  logProbs: ArrayLike<number>,
  whose: 'sampler' | 'reference' | 'policy',
): void {
  const token = firstNonFinite(logProbs);
  if (token < 0) return;
  throw new ProxmoError(
    'non-finite',
    `The ${whose}'s log-probability of token ${token} in the reply of ${nameOf(step)} is ${logProbs[token]}, so nothing can be learned from it; go on from an earlier checkpoint, with a lower learning rate.`,
  );
}

/**
 * Checks what a turn brings into the loss.
 * @throws {ProxmoError} `non-finite` if a log-probability of the sampler is not finite, or the advantage in float32
 */
export function checkTurn(turn: StepName & Pick<RolloutStep, 'logProbs'> & { readonly advantage: number }): void {
  checkLogProbs(turn, turn.logProbs, 'sampler');
  if (Number.isFinite(Math.fround(turn.advantage))) return;
  throw new ProxmoError(
    'non-finite',
    `The advantage of ${nameOf(turn)} is ${turn.advantage}, which float32 cannot hold; lower the size of rewards, or advantages.omega.`,
  );
}

function nameOf({ group, trajectory, step }: StepName): string {
  return `step ${step} of ${trajectory} (task ${group})`;
}
