/** The configuration in the folder of a run, checked again: the file may have been edited. */
import type { z } from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import type { Run } from '../runs/run.ts';
import { type TrainConfig, trainConfigSchema } from './config.ts';
import { asTrainConfig, type SftConfig, sftConfigSchema } from './sft/config.ts';

/**
 * That of a training run.
 * @throws {ProxmoError} `config` if it is not valid; `usage` if the run is one of `proxmo sft`
 */
export function runConfig(run: Run): TrainConfig {
  if (run.manifest.kind === 'sft')
    throw new ProxmoError(
      'usage',
      `${run.dir} is a run of proxmo sft, which plays nothing: its losses are in metrics.jsonl, proxmo sft --resume ${run.dir} goes on with it, and proxmo train --init ${run.dir} from it.`,
    );
  return checkedConfig(trainConfigSchema, run);
}

/**
 * That of a run of supervised fine-tuning.
 * @throws {ProxmoError} `config` if it is not valid; `usage` if the run is one of `proxmo train`
 */
export function sftRunConfig(run: Run): SftConfig {
  if (run.manifest.kind !== 'sft')
    throw new ProxmoError(
      'usage',
      `${run.dir} is a run of proxmo train; go on with it by proxmo train --resume ${run.dir}.`,
    );
  return checkedConfig(sftConfigSchema, run);
}

/**
 * The settings of a run as far as they concern its policy, whatever trained it.
 * @throws {ProxmoError} `config` if they are not valid
 */
export function policyConfig(run: Run): TrainConfig {
  return run.manifest.kind === 'sft' ? asTrainConfig(sftRunConfig(run)) : runConfig(run);
}

function checkedConfig<S extends z.ZodType>(schema: S, { dir, config }: Run): z.output<S> {
  return checked(
    schema,
    config,
    (problem) => new ProxmoError('config', `${dir}: config.yaml: ${problem}; restore it.`),
  );
}
