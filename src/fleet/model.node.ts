/**
 * The pretrained models that a worker has. What a run names is no path: the worker's own user says where the model
 * lies, and its hash tells whether it is the run's.
 */
import { ProxmoError } from '../base/errors.ts';
import { digestOfModel } from '../models/pretrained.node.ts';
import { openPolicyModel } from '../rl/policySource.node.ts';
import { trainedStorage } from '../rl/policySource.ts';
import type { OpenModel } from './stage.ts';

/** @param path of the model here; null if its user named none */
export function openModelAt(path: string | null): OpenModel {
  let digest: Promise<string> | undefined;
  return async (engine, { name, sha256, adapters }, config) => {
    if (path === null)
      throw new ProxmoError(
        'config',
        `The run trains the pretrained model ${name}, which is not sent: get it on this machine, and name it by --model.`,
      );
    digest ??= digestOfModel(path);
    if ((await digest) !== sha256)
      throw new ProxmoError(
        'fleet',
        `${path} is not the model ${name} that the run trains: its files are others; get the same ones (SHA-256 ${sha256}).`,
      );
    // Adapters get the run's weights before anything is played.
    const { prompt, seed } = config;
    return openPolicyModel(engine, path, { lora: adapters, seed, prompt }, trainedStorage(config));
  };
}
