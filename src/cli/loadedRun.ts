/**
 * What the commands on a trained run share: a device, the run loaded on it, and both given back at the end, whatever
 * happens. A pretrained model, or a run of `proxmo sft`, acts by the settings of a training run that would begin with
 * it.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { exists } from '../base/atomicFile.node.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import { locateModel } from '../models/hub/cache.node.ts';
import { agreeTo, loadedModules, requireAgreement } from '../rl/agreement.node.ts';
import type { TrainConfig } from '../rl/config.ts';
import { changedModules } from '../rl/departures.node.ts';
import { loadRun, loadStart } from '../rl/run.node.ts';
import { runConfig } from '../rl/runConfig.node.ts';
import type { KeptChoices } from '../rl/runTuning.node.ts';
import type { Trainer } from '../rl/trainer.ts';
import { lastSession, openRun, type Run, runFiles } from '../runs/run.ts';
import { Engine } from '../tensor/engine.ts';
import { refuseBeside, repeatedOption } from './arguments.ts';
import { checkNewRun, checkTrainedRun } from './names.ts';
import { newRunConfig } from './newConfig.ts';
import { standardError } from './output.ts';
import { presetNames } from './presetNames.ts';
import { agreement, isTyped } from './trust.ts';

/** Settings of what has none of its own. */
interface StartChoice {
  readonly preset?: string;
  readonly config?: string;
  readonly env?: string;
  readonly set?: readonly string[];
}

/** Adds the options by which a model, or a run of `proxmo sft`, is told what to play and how. */
export function addStartOptions(command: Command): Command {
  return command
    .option(
      '--preset <name>',
      `for a pretrained model or a run of proxmo sft: the settings by which it plays: ${presetNames.join(', ')} (default: pretrained)`,
    )
    .option('--config <file>', 'the same from a YAML file')
    .option('--env <name>', 'its environment')
    .addOption(repeatedOption('--set <key=value>', 'one of its settings'));
}

interface RunChoice extends StartChoice {
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

/**
 * Loads a run, or a model, for as long as `use` takes.
 * @throws {ProxmoError} as `openDevice`, `loadRun` and `newRunConfig`; `usage` if settings are given for a training
 * run, which has its own
 */
export async function withRun(name: string, choice: RunChoice, use: (run: LoadedRun) => Promise<void>): Promise<void> {
  const load = (await isTrainingRun(name)) ? await trainedLoader(name, choice) : await startLoader(name, choice);
  const gpu = await openDevice(choice.adapter);
  try {
    const { trainer, iteration, tuning } = await load(new Engine(gpu));
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

type Loader = (engine: Engine) => ReturnType<typeof loadStart>;

async function isTrainingRun(name: string): Promise<boolean> {
  if (await exists(join(name, runFiles.manifest))) return (await openRun(name)).manifest.kind === 'train';
  // What is neither is told to be no run.
  const path = await locateModel(name).catch(() => name);
  return !(path.endsWith('.gguf') || (await exists(join(path, 'config.json'))));
}

/** Checks a training run before a device is opened. */
async function trainedLoader(
  dir: string,
  { checkpoint, episodes, trust, preset, config: file, env, set = [] }: RunChoice,
): Promise<Loader> {
  const run = await openRun(dir);
  const config = runConfig(run);
  refuseBeside(dir, 'has settings of its own', {
    '--preset': preset,
    '--config': file,
    '--env': env,
    '--set': set[0],
  });
  await checkTrainedRun(config);
  const agree = agreement(trust);
  await requireAgreement({ environment: config.environment }, dir, agree);
  await tellChangedModules(run, config);
  return (engine) => loadRun(engine, dir, checkpoint, episodes, agree);
}

/** Says on standard error where the run's environment is not as it was: what is played then is another world. */
async function tellChangedModules({ manifest }: Run, { environment }: TrainConfig): Promise<void> {
  for (const path of changedModules(lastSession(manifest).modules, await loadedModules({ environment })))
    standardError.print(
      `${path} was changed since the run was trained with it, so this is another world than the run's`,
    );
}

/** The same for what has no settings of its own. */
async function startLoader(name: string, { checkpoint, episodes, trust, ...choice }: RunChoice): Promise<Loader> {
  refuseBeside(name, 'is no training run', { '--checkpoint': checkpoint });
  const config = await startConfig(name, choice, trust);
  await checkNewRun(config);
  return (engine) => loadStart(engine, config, episodes);
}

async function startConfig(
  name: string,
  { preset = 'pretrained', config: file, env, set = [] }: StartChoice,
  trust: boolean | undefined,
): Promise<TrainConfig> {
  const isRun = await exists(join(name, runFiles.manifest));
  const all = [
    ...set,
    ...(env === undefined ? [] : [`environment.name=${JSON.stringify(env)}`]),
    ...(isRun ? [] : [`model=${JSON.stringify(name)}`]),
  ];
  const sources = { ...(file === undefined ? {} : { file }), set: all };
  const config = await newRunConfig(preset, sources, isRun ? name : undefined);
  const starting = { environment: config.environment };
  if (file !== undefined && !(await isTyped(starting, all))) await requireAgreement(starting, file, agreement(trust));
  else await agreeTo(starting);
  return config;
}

/** Says on standard error how the kernels of a run that was tuned are chosen. */
export function tellTuning(tuning: KeptChoices | null): void {
  if (tuning)
    standardError.print(
      tuning.problem ??
        `kernels run in the variants of ${tuning.path} (${tuning.choices} choices), where their code is the same`,
    );
}
