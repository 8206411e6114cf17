/** What a training run begins with to go on from a run of supervised fine-tuning. */
import { join } from 'node:path';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { digestOfModel } from '../../models/pretrained.node.ts';
import { openRun, runFiles } from '../../runs/run.ts';
import { modelOfRun } from '../policySource.node.ts';

/** What a finished run of `proxmo sft` has left. */
export interface TunedModel {
  readonly dir: string;
  /** Path of the model to begin with: with adapters the one that they belong to, else what was made of it. */
  readonly model: string;
  /** Folder of the adapters; null where all weights were trained. */
  readonly adapters: string | null;
  /** SHA-256 of the files of the model that the run began with. */
  readonly baseHash: string;
}

/** @throws {ProxmoError} `usage` if the folder is no such run, or it is not finished; `file` */
export async function openTuned(dir: string): Promise<TunedModel> {
  const run = await openRun(dir);
  if (run.manifest.kind !== 'sft')
    throw new ProxmoError(
      'usage',
      `${dir} is a run of proxmo train; save what it trained by proxmo model export ${dir} DIR, and begin with that: --set lora.from=DIR for adapters, --model DIR for a whole model.`,
    );
  const base = await modelOfRun(run);
  const [adapters, model] = [runFiles.adapters, runFiles.model].map((name) => join(dir, name)) as [string, string];
  const hasAdapters = await exists(adapters);
  if (base === null || (await run.readSummary()) === null || !(hasAdapters || (await exists(model))))
    throw new ProxmoError('usage', `${dir} is not finished; go on with it first: proxmo sft --resume ${dir}`);
  return hasAdapters
    ? { dir, model: base.path, adapters, baseHash: base.sha256 }
    : { dir, model, adapters: null, baseHash: base.sha256 };
}

/**
 * Checks that a model is the one that adapters belong to, wherever it lies.
 * @throws {ProxmoError} `config` if it is another one, or its files have changed
 */
export async function checkBase({ dir, model, baseHash }: TunedModel, path: string): Promise<void> {
  if ((await digestOfModel(path)) === baseHash) return;
  throw new ProxmoError(
    'config',
    path === model
      ? `${path} is not the model that ${dir} began with: its files have changed; put them back.`
      : `The adapters of ${dir} belong to ${model}, and ${path} is another model; leave the model out, or name that one.`,
  );
}
