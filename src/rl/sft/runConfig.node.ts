/** The configuration in the folder of a run of supervised fine-tuning. */
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { Run } from '../../runs/run.ts';
import { type SftConfig, sftConfigSchema } from './config.ts';

/**
 * Checked again: the file may have been edited.
 * @throws {ProxmoError} `config` if it is not valid; `usage` if the run is one of `proxmo train`
 */
export function sftRunConfig({ dir, manifest, config }: Run): SftConfig {
  if (manifest.kind !== 'sft')
    throw new ProxmoError('usage', `${dir} is a run of proxmo train; go on with it by proxmo train --resume ${dir}.`);
  return checked(
    sftConfigSchema,
    config,
    (problem) => new ProxmoError('config', `${dir}: config.yaml: ${problem}; restore it.`),
  );
}
