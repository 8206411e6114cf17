/** The configuration in the folder of a training run. */
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import type { Run } from '../runs/run.ts';
import { type TrainConfig, trainConfigSchema } from './config.ts';
import { asTrainConfig } from './sft/config.ts';
import { sftRunConfig } from './sft/runConfig.node.ts';

/**
 * A training run's configuration, checked again: the file may have been edited.
 * @throws {ProxmoError} `config` if it is not valid; `usage` if the run is one of `proxmo sft`
 */
export function runConfig(run: Run): TrainConfig {
  if (run.manifest.kind === 'sft')
    throw new ProxmoError(
      'usage',
      `${run.dir} is a run of proxmo sft, which plays nothing: its losses are in metrics.jsonl, proxmo sft --resume ${run.dir} goes on with it, and proxmo train --init ${run.dir} from it.`,
    );
  return checked(
    trainConfigSchema,
    run.config,
    (problem) => new ProxmoError('config', `${run.dir}: config.yaml: ${problem}; restore it.`),
  );
}

/**
 * The settings of a run as far as they concern its policy, whatever trained it.
 * @throws {ProxmoError} `config` if they are not valid
 */
export function policyConfig(run: Run): TrainConfig {
  return run.manifest.kind === 'sft' ? asTrainConfig(sftRunConfig(run)) : runConfig(run);
}
