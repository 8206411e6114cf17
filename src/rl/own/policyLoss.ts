/** Policy losses of one's own. */
import { ProxmoError } from '../../base/errors.ts';
import {
  add,
  divide,
  exp,
  greater,
  log,
  multiply,
  negate,
  relu,
  scale,
  sigmoid,
  sqrt,
  subtract,
  tanh,
  where,
} from '../../ops/elementwise.ts';
import { mean } from '../../ops/mean.ts';
import { type PpoLossInputs, type PpoLossOptions, ppoLoss } from '../../ops/ppoLoss.ts';
import { dot, sum } from '../../ops/reduce.ts';
import { constant, Tensor } from '../../tensor/tensor.ts';
import { type OwnOptions, type OwnReference, OwnRegistry } from './registry.ts';

const elementOps = {
  add,
  divide,
  exp,
  greater,
  log,
  multiply,
  negate,
  relu,
  scale,
  sigmoid,
  sqrt,
  subtract,
  tanh,
  where,
};
const toolkit = { ProxmoError, ops: { ...elementOps, constant, dot, mean, ppoLoss, sum } };
/** What a loss is made with: the ops that its tensors are computed by, and PPO's own loss among them. */
export type LossToolkit = typeof toolkit;

/**
 * Makes the loss of a micro-batch out of symbolic tensors: Σ `weight` · (loss of the token), `[1]`.
 * @param inputs of each reply token, `[tokens]`; gradients flow to `logProb` and `entropy` alone
 * @param settings PPO's, as `loss` has them
 */
export type PolicyLoss = (inputs: PpoLossInputs, settings: PpoLossOptions) => Tensor;

/** Makes a loss from its options. */
export type PolicyLossFactory = (options: OwnOptions, toolkit: LossToolkit) => PolicyLoss;

export const ownLosses = new OwnRegistry<PolicyLossFactory>('policy loss', 'registerPolicyLoss');

/**
 * Makes a policy loss of one's own known by a name, for `loss: { policy: { name } }`.
 * @throws {ProxmoError} `config` if there is no name, or no function
 * @example
 * registerPolicyLoss('reinforce', (_, { ops }) => ({ logProb, advantage, weight }) =>
 *   ops.negate(ops.dot(ops.multiply(logProb, advantage), weight)));
 */
export function registerPolicyLoss(name: string, factory: PolicyLossFactory): void {
  ownLosses.add(name, factory);
}

/** @throws {ProxmoError} `config` if there is no such loss, or it cannot be made */
export function makeOwnLoss(reference: OwnReference): PolicyLoss {
  const { name } = reference;
  const loss = ownLosses.make(reference, toolkit);
  const refuse = (problem: string) => new ProxmoError('config', `The policy loss ${name} ${problem}.`);
  if (typeof loss !== 'function') throw refuse('is none: its factory gives no function');
  const code = ownLosses.code(name);
  return (inputs, settings) => {
    const made = code.run('the loss', () => loss(inputs, settings));
    if (!(made instanceof Tensor)) throw refuse('gives no tensor; compute one by the ops that its factory is given');
    if (made.size !== 1)
      throw refuse(`gives a tensor of the shape [${made.shape.join(', ')}]; sum it up to one number`);
    return made;
  };
}
