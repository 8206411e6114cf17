/** Where settings name something of a user's own. */
import type { TrainConfig } from '../config.ts';
import { ownEstimators } from './estimator.ts';
import { ownLosses } from './policyLoss.ts';
import type { OwnReference } from './registry.ts';
import { ownTaskSamplers } from './taskSampler.ts';

/** Settings that may. */
export type OwnSettings = Pick<TrainConfig, 'advantages' | 'loss' | 'training'>;

/** The policy loss of one's own; null where it is PPO's. */
export function ownLossOf({ loss: { policy } }: Pick<TrainConfig, 'loss'>): OwnReference | null {
  return typeof policy === 'string' ? null : policy;
}

/** The registries of what settings name, with the names. */
export function ownNames({ advantages, loss, training: { taskSampler } }: OwnSettings) {
  const estimator = advantages.estimator === 'own' ? advantages : null;
  const sampler = typeof taskSampler === 'string' ? null : taskSampler;
  return [
    { registry: ownEstimators, reference: estimator },
    { registry: ownLosses, reference: ownLossOf({ loss }) },
    { registry: ownTaskSamplers, reference: sampler },
  ].flatMap(({ registry, reference }) => (reference ? [{ registry, name: reference.name }] : []));
}

/** The same settings with each of these names changed. */
export function renameOwn<S extends OwnSettings>(settings: S, rename: (name: string) => string): S {
  const { advantages, loss, training } = settings;
  const { taskSampler } = training;
  const own = ownLossOf({ loss });
  return {
    ...settings,
    ...(advantages.estimator === 'own' ? { advantages: { ...advantages, name: rename(advantages.name) } } : {}),
    ...(own ? { loss: { ...loss, policy: { ...own, name: rename(own.name) } } } : {}),
    ...(typeof taskSampler === 'string'
      ? {}
      : { training: { ...training, taskSampler: { ...taskSampler, name: rename(taskSampler.name) } } }),
  };
}
