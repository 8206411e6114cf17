/** `proxmo train`: trains a policy and prints what became of it. */
import { basename, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { type Agree, requireAgreement } from '../rl/agreement.node.ts';
import { trainConfigSchema } from '../rl/config.ts';
import { resumableSettings } from '../rl/resumeSettings.ts';
import { runConfig } from '../rl/runConfig.node.ts';
import { loadConfig } from '../runs/config.ts';
import { checkNewFolder, openRun } from '../runs/run.ts';
import { adapterOption, count, modelArgument, refuseBeside, repeatedOption, wholeNumber } from './arguments.ts';
import { withPieces } from './fleetRun.ts';
import { checkNewRun } from './names.ts';
import { newRunConfig } from './newConfig.ts';
import { defaultPreset, presetNames } from './presetNames.ts';
import { timestamp } from './timestamp.ts';
import type { ChosenRun, Iterations, RunObserver, TrainOptions } from './train/options.ts';
import { agreement, isTyped, trustOption } from './trust.ts';
import { addViewOptions } from './viewBeside.ts';

/** @param program the command line's own file, which the page and workers are started from */
export function trainCommand(version: string, program: string, observer?: RunObserver): Command {
  return addViewOptions(new Command('train'))
    .description('Train a policy: warm start on demonstrations, then ProxMO (or a baseline). Leaves a run folder.')
    .argument('[config]', 'YAML file with settings; what it leaves out keeps its default')
    .option('--preset <name>', `named settings to start from: ${presetNames.join(', ')} (default: ${defaultPreset})`)
    .option(
      '--env <name>',
      'environment: a name (proxmo env list) or the path of a module, as ./my-env.mjs; options by --set environment.options.key=value',
    )
    .option('--model <path>', `pretrained model to start from: ${modelArgument} (default: random weights)`)
    .option('--init <run>', 'finished run of proxmo sft whose adapters or weights it goes on from')
    .addOption(repeatedOption('--set <key=value>', 'one setting, as training.iterations=40'))
    .option('--out <dir>', 'folder of the run; must be new or empty (default: a new folder under runs/)')
    .option('--seed <n>', 'seed of all chance', wholeNumber)
    .option(
      '--seeds <list>',
      'several seeds, as 1,2,3: a run each, one after another, and a comparison at the end',
      seeds,
    )
    .option('--iterations <n>', 'how many; with --resume also +n, for n more than the run has', parseIterations)
    .option(
      '--resume <dir>',
      `go on with a run from its last checkpoint; --set may change ${resumableSettings.slice(0, 3).join(', ')} and others that leave tasks, policy and objective as they are`,
    )
    .option(
      '--warm-starts <dir>',
      'folder of warm starts that runs share: begin with that of the same settings, or leave one there',
    )
    .option(
      '--fleet <address>',
      'have workers (proxmo worker) play its episodes, through the NATS server there, as nats://HOST:4222 (docs/fleet.md)',
    )
    .option(
      '--workers <n>',
      'start so many workers on this machine, and a NATS server for them unless --fleet names one',
      count,
    )
    .option('--fleet-run <name>', "what workers call the run (default: its folder's name)")
    .addOption(trustOption())
    .addOption(adapterOption())
    .option(
      '--plan',
      'print the memory that the run would take, and the largest micro-batch that fits, and train nothing',
    )
    .option(
      '--dry-run',
      'show what the run would be, and write nothing: its configuration, a prompt and an episode, memory, time, and what cannot work',
    )
    .option(
      '--json',
      'print the summary (with --seeds, all of them and their comparison), the plan or the dry run as JSON',
    )
    .action(async (file: string | undefined, options: TrainOptions) => {
      checkTogether(options);
      const agree = agreement(options.trust);
      const chosen = await chosenRuns(file, options, agree);
      // What trains is loaded once there is something to train: mistakes are told before.
      const { printPlan, trainAll, trainOne } = await import('./train/runs.ts');
      const [first] = chosen as [ChosenRun];
      if (options.plan) return printPlan(first.config, options);
      if (options.dryRun) return (await import('./dryRun.ts')).dryRun(first.config, options);
      const around = { agree, version, program, observer };
      return options.seeds === undefined ? trainOne(first, options, around) : trainAll(chosen, options, around);
    });
}

/** @throws {ProxmoError} `usage` if options are given of which one makes no sense beside another */
function checkTogether(options: TrainOptions): void {
  const { seed, seeds, resume, plan, dryRun, view } = options;
  if (seeds !== undefined)
    refuseBeside('--seeds', 'trains new runs', {
      '--seed': seed,
      '--resume': resume,
      '--plan': plan,
      '--dry-run': dryRun,
    });
  if (dryRun) refuseBeside('--dry-run', 'shows a new run', { '--resume': resume, '--plan': plan });
  if (plan || dryRun) refuseBeside(plan ? '--plan' : '--dry-run', 'trains nothing', { '--view': view });
}

function seeds(text: string): number[] {
  const list = text.split(',').map(wholeNumber);
  if (new Set(list).size < list.length) throw new InvalidArgumentError('It must be different seeds.');
  return list;
}

/** The run that is asked for, or one for each seed. */
async function chosenRuns(file: string | undefined, options: TrainOptions, agree: Agree): Promise<ChosenRun[]> {
  const { resume, seeds: list } = options;
  if (resume !== undefined) return [await resumedRun(file, options, resume, agree)];
  if (list === undefined) return [await newRun(file, options, agree)];
  const out = options.out ?? `runs/seeds-${timestamp()}`;
  const runs = [];
  for (const seed of list) runs.push(await newRun(file, { ...options, seed, out: join(out, `seed-${seed}`) }, agree));
  return runs;
}

/** @throws {ProxmoError} `untrusted` if the file has its environment start what this user did not agree to */
async function newRun(file: string | undefined, options: TrainOptions, agree: Agree): Promise<ChosenRun> {
  const set = [
    ...options.set,
    ...(options.env === undefined ? [] : [`environment.name=${JSON.stringify(options.env)}`]),
    ...(options.model === undefined ? [] : [`model=${JSON.stringify(options.model)}`]),
    ...(options.seed === undefined ? [] : [`seed=${options.seed}`]),
    ...iterationSetting(options.iterations, null),
  ];
  const settings = await newRunConfig(options.preset, { ...(file === undefined ? {} : { file }), set }, options.init);
  const config = withPieces(settings, options);
  if (file !== undefined && !(await isTyped(config, set))) await requireAgreement(config, file, agree);
  const name = basename(config.environment.name).replace(/\.[^.]*$/, '');
  const dir = options.out ?? `runs/${name}-seed${config.seed}-${timestamp()}`;
  if (!options.plan) await checkNewFolder(dir);
  await checkNewRun(config);
  return { dir, config };
}

/**
 * A run to go on with: its folder, and the configuration in it with what is to change.
 * @throws {ProxmoError} `usage` if something is named beside it that belongs to a new run; `untrusted` as `newRun`
 */
async function resumedRun(
  file: string | undefined,
  options: TrainOptions,
  dir: string,
  agree: Agree,
): Promise<ChosenRun> {
  const { preset, env, model, init, seed, out } = options;
  const named = { '--preset': preset, '--env': env, '--model': model, '--init': init, '--seed': seed, '--out': out };
  const ofNewRun = Object.entries(named);
  const given = ofNewRun.filter(([, value]) => value !== undefined).map(([name]) => name);
  if (file !== undefined) given.unshift(file);
  if (given.length > 0) {
    throw new ProxmoError(
      'usage',
      `A resumed run keeps its folder and settings, so ${given.join(', ')} cannot be given with --resume; --iterations and some of --set can.`,
    );
  }
  const current = runConfig(await openRun(dir));
  const set = [...options.set, ...iterationSetting(options.iterations, current.training.iterations)];
  const config = await loadConfig(trainConfigSchema, { preset: current, set });
  await requireAgreement(config, dir, agree);
  return { dir, config };
}

function parseIterations(text: string): Iterations {
  const isMore = text.startsWith('+');
  return { count: wholeNumber(isMore ? text.slice(1) : text), isMore };
}

/**
 * @param there iterations of the run that goes on; null for a new one
 * @throws {ProxmoError} `usage` if there are to be more than in a run that is not there
 */
function iterationSetting(iterations: Iterations | undefined, there: number | null): string[] {
  if (iterations === undefined) return [];
  const { count, isMore } = iterations;
  if (isMore && there === null)
    throw new ProxmoError(
      'usage',
      `--iterations +${count} is for a run that goes on; name it by --resume, or leave the + out.`,
    );
  return [`training.iterations=${isMore ? count + (there ?? 0) : count}`];
}
