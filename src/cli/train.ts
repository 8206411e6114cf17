/** `proxmo train`: trains a policy and prints what became of it. */
import { basename, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { createNamedTaskSet } from '../envs/registry.node.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import { type Agree, requireAgreement } from '../rl/agreement.node.ts';
import { type TrainConfig, trainConfigSchema } from '../rl/config.ts';
import { planRun } from '../rl/planRun.node.ts';
import { resumableSettings } from '../rl/resumeSettings.ts';
import { type CompleteRunOptions, trainRun } from '../rl/run.node.ts';
import { runConfig } from '../rl/runConfig.node.ts';
import type { Summary } from '../rl/summary.ts';
import type { TrainEvent } from '../rl/trainingRun.node.ts';
import { WarmStarts } from '../rl/warmStarts.node.ts';
import { loadConfig } from '../runs/config.ts';
import { checkNewFolder, logToRun, openRun } from '../runs/run.ts';
import { Engine } from '../tensor/engine.ts';
import { adapterOption, count, modelArgument, refuseBeside, repeatedOption, wholeNumber } from './arguments.ts';
import { describeGroups, readGroups } from './compare.ts';
import { dryRun } from './dryRun.ts';
import { type FleetOptions, FleetRun, withPieces } from './fleetRun.ts';
import { checkNewRun } from './names.ts';
import { newRunConfig } from './newConfig.ts';
import { standardError, standardOutput } from './output.ts';
import { Parent } from './parent.ts';
import { defaultPreset, presetNames } from './presetNames.ts';
import { ProgressLine } from './progressLine.ts';
import { showPlan } from './showPlan.ts';
import { onStopSignals } from './stopSignals.ts';
import { timestamp } from './timestamp.ts';
import { TrainReporter } from './trainReport.ts';
import { agreement, isTyped, trustOption } from './trust.ts';
import { addViewOptions, type ViewOptions, viewBeside } from './viewBeside.ts';

interface TrainOptions extends ViewOptions, FleetOptions {
  readonly preset?: string;
  readonly env?: string;
  readonly model?: string;
  readonly init?: string;
  readonly set: readonly string[];
  readonly out?: string;
  readonly seed?: number;
  readonly seeds?: readonly number[];
  readonly resume?: string;
  readonly iterations?: Iterations;
  readonly adapter?: string;
  readonly warmStarts?: string;
  readonly plan?: boolean;
  readonly dryRun?: boolean;
  readonly trust?: boolean;
  readonly json?: boolean;
}

/** Looks at runs from outside, as a profile does. */
export interface RunObserver {
  /** Called with a run's device and folder, and waited for, before training uses them. */
  onDevice(gpu: GpuContext, dir: string): Promise<void>;
  onEvent(event: TrainEvent): void;
}

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
      if (options.seeds !== undefined)
        return trainSeeds(file, options, options.seeds, { agree, version, program, observer });
      const { dir, config } =
        options.resume === undefined
          ? await newRun(file, options, agree)
          : await resumedRun(file, options, options.resume, agree);
      if (options.plan) return printPlan(config, options);
      if (options.dryRun) return dryRun(config, options);
      const run = {
        dir,
        config,
        version,
        resume: options.resume !== undefined,
        agree,
        ...sharedWarmStarts(options, version),
      };
      const endView = await viewBeside(program, [dir], options);
      const summary = await trainOn(options, run, new Stop(), { program, observer }).finally(endView);
      if (options.json) standardOutput.json({ run: dir, ...summary });
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

interface Surroundings {
  readonly agree: Agree;
  readonly version: string;
  readonly program: string;
  readonly observer: RunObserver | undefined;
}

/** Trains a run for each seed, one after another, after all of them were checked, and compares them. */
async function trainSeeds(
  file: string | undefined,
  options: TrainOptions,
  list: readonly number[],
  { agree, version, program, observer }: Surroundings,
): Promise<void> {
  const out = options.out ?? `runs/seeds-${timestamp()}`;
  const runs = [];
  for (const seed of list) runs.push(await newRun(file, { ...options, seed, out: join(out, `seed-${seed}`) }, agree));
  const stop = new Stop();
  const shared = { version, agree, ...sharedWarmStarts(options, version) };
  const dirs = runs.map(({ dir }) => dir);
  const endView = await viewBeside(program, dirs, options);
  const summaries: (Summary & { readonly run: string })[] = [];
  try {
    for (const run of runs) {
      const summary = await trainOn(options, { ...run, ...shared }, stop, { program, observer });
      summaries.push({ run: run.dir, ...summary });
    }
  } finally {
    endView();
  }
  const groups = await readGroups(dirs);
  // One value, whatever the number of runs: programs read all of the output.
  if (options.json) standardOutput.json({ runs: summaries, groups });
  else standardOutput.print(`\n${describeGroups(groups)}`);
}

function sharedWarmStarts({ warmStarts: folder }: TrainOptions, version: string): { warmStarts?: WarmStarts } {
  return folder === undefined ? {} : { warmStarts: new WarmStarts(folder, version) };
}

function seeds(text: string): number[] {
  const list = text.split(',').map(wholeNumber);
  if (new Set(list).size < list.length) throw new InvalidArgumentError('It must be different seeds.');
  return list;
}

/** A device of its own for a run: what it holds is freed at once with it. */
async function trainOn(
  options: TrainOptions,
  run: CompleteRunOptions,
  stop: Stop,
  around: Pick<Surroundings, 'program' | 'observer'>,
): Promise<Summary> {
  const gpu = await openDevice(options.adapter);
  try {
    await around.observer?.onDevice(gpu, run.dir);
    return await train(gpu, run, stop, options, around);
  } finally {
    gpu.destroy();
  }
}

/** The request to stop, for the run that is under way and those that were to follow. */
class Stop {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;

  constructor() {
    const stop = () => this.controller.abort();
    onStopSignals(stop, () => process.exit(130));
    new Parent().onGone(stop);
  }
}

/** Trains until it is done or interrupted: by the first signal after a checkpoint, by a second key press at once. */
async function train(
  gpu: GpuContext,
  run: CompleteRunOptions,
  { signal }: Stop,
  options: TrainOptions,
  { program, observer }: Pick<Surroundings, 'program' | 'observer'>,
): Promise<Summary> {
  const reporter = new TrainReporter(new ProgressLine(), run.config, run.dir, run.resume ?? false);
  reporter.start(gpu.adapter);
  const parent = new Parent();
  const onStop = () => reporter.interrupted();
  signal.addEventListener('abort', onStop);
  const tell = (text: string) => reporter.show({ kind: 'warning', text });
  const fleet = await FleetRun.open(options, run, program, tell);
  try {
    const summary = await trainRun(new Engine(gpu), {
      ...run,
      signal,
      actors: fleet ? (trainer) => fleet.coordinator.actorsFor(trainer) : undefined,
      onEvent: (event) => {
        if (event.kind === 'begin') noteClosedOutputs(run.dir);
        reporter.show(event);
        observer?.onEvent(event);
        parent.tell(event, run.config);
      },
    });
    if (!options.json) reporter.finish(summary);
    return summary;
  } finally {
    await fleet?.close();
    signal.removeEventListener('abort', onStop);
    reporter.stop();
  }
}

/** A run goes on without anyone who reads what it prints, and says so in its log. */
function noteClosedOutputs(dir: string): void {
  for (const [name, output] of [
    ['standard error', standardError],
    ['standard output', standardOutput],
  ] as const) {
    const note = () => logToRun(dir, `${name} is closed (${output.failure?.code}); the run goes on without it`);
    if (output.closed.aborted) note();
    else output.closed.addEventListener('abort', note);
  }
}

/** A plan needs the sizes of adapters alone, so that one may come before the adapters do. */
function tellOtherModel(sentence: string): void {
  standardError.print(`The run itself will refuse these adapters: ${sentence}`);
}

/** @throws {ProxmoError} `config` after a plan that does not fit */
async function printPlan(config: TrainConfig, options: TrainOptions): Promise<void> {
  const { environment } = config;
  const taskSet = await createNamedTaskSet(environment.name, environment.options);
  await showPlan(options, (engine) => planRun(engine, config, taskSet, tellOtherModel)).finally(() =>
    taskSet.close?.(),
  );
}

/** @throws {ProxmoError} `untrusted` if the file has its environment start what this user did not agree to */
async function newRun(
  file: string | undefined,
  options: TrainOptions,
  agree: Agree,
): Promise<{ dir: string; config: TrainConfig }> {
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
): Promise<{ dir: string; config: TrainConfig }> {
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

/** How many iterations: in all, or more than there are. */
interface Iterations {
  readonly count: number;
  readonly isMore: boolean;
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
