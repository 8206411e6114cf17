/**
 * What the commands on a trained run share: a device, the run loaded on it, and both given back at the end, whatever
 * happens.
 */
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import { requireAgreement } from '../rl/agreement.node.ts';
import { loadRun, runConfig } from '../rl/run.node.ts';
import type { KeptChoices } from '../rl/runTuning.node.ts';
import type { Trainer } from '../rl/trainer.ts';
import { openRun } from '../runs/run.ts';
import { Engine } from '../tensor/engine.ts';
import { checkTrainedRun } from './names.ts';
import { standardError } from './output.ts';
import { agreement } from './trust.ts';

interface RunChoice {
  readonly adapter?: string;
  /** Iteration of the checkpoint; the last by default. */
  readonly checkpoint?: number;
  /** Episodes that it is to play; as many as its own evaluations by default. */
  readonly episodes?: number;
  /** Let its environment start what it needs. */
  readonly trust?: boolean;
}

export interface LoadedRun {
  readonly gpu: GpuContext;
  readonly trainer: Trainer;
  readonly iteration: number;
}

/** Loads a run for as long as `use` takes. @throws {ProxmoError} as `openDevice` and `loadRun` */
export async function withRun(
  dir: string,
  { adapter, checkpoint, episodes, trust }: RunChoice,
  use: (run: LoadedRun) => Promise<void>,
): Promise<void> {
  const config = runConfig(await openRun(dir));
  await checkTrainedRun(config);
  const agree = agreement(trust);
  await requireAgreement(config.environment, dir, agree);
  const gpu = await openDevice(adapter);
  try {
    const { trainer, iteration, tuning } = await loadRun(new Engine(gpu), dir, checkpoint, episodes, agree);
    tellTuning(tuning);
    try {
      await use({ gpu, trainer, iteration });
    } finally {
      await trainer.taskSet.close?.();
    }
  } finally {
    gpu.destroy();
  }
}

/** Says on standard error how the kernels of a run that was tuned are chosen. */
export function tellTuning(tuning: KeptChoices | null): void {
  if (tuning)
    standardError.print(
      tuning.problem ??
        `kernels run in the variants of ${tuning.path} (${tuning.choices} choices), where their code is the same`,
    );
}
