/** The reference policy, which the KL term of a run holds on to: the policy as it was when training began. */
import type { Transformer } from '../nn/transformer.ts';
import type { ParameterSlab } from '../tensor/variable.ts';
import { savedAdaptersOf, type TrainConfig } from './config.ts';

/**
 * The reference of a policy, without its weights where it has its own; null where there is no KL term. New adapters
 * change nothing, so unless a warm start moves them, their base is the reference and nothing is kept twice. Saved
 * adapters are part of what training began with.
 */
export function referenceOf(
  policy: Transformer,
  config: Pick<TrainConfig, 'loss' | 'warmStart' | 'lora'>,
): Transformer | null {
  const { loss, warmStart } = config;
  if (loss.klCoefficient === 0) return null;
  const isBase = warmStart.tasks === 0 && savedAdaptersOf(config) === undefined;
  return policy.adapters && isBase ? policy.withoutAdapters() : policy.twin('reference');
}

/**
 * What a reference has of its own, and the policy's trained weights are copied to; null where it is the policy's frozen
 * base, or there is none.
 */
export function ownWeightsOf(reference: Transformer | null, policy: Transformer): ParameterSlab | null {
  return reference && reference.trainable.variable !== policy.slab.variable ? reference.trainable : null;
}
