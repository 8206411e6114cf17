/** The runs of `proxmo train`, once it is known what they are: planned, trained, and what becomes of them printed. */
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import type { GpuContext } from '../../gpu/context.ts';
import { openDevice } from '../../gpu/device.node.ts';
import type { TrainConfig } from '../../rl/config.ts';
import { planRun } from '../../rl/planRun.node.ts';
import { type CompleteRunOptions, trainRun } from '../../rl/run.node.ts';
import type { Summary } from '../../rl/summary.ts';
import { WarmStarts } from '../../rl/warmStarts.node.ts';
import { logToRun } from '../../runs/run.ts';
import { Engine } from '../../tensor/engine.ts';
import { describeGroups, readGroups } from '../compare.ts';
import { FleetRun } from '../fleetRun.ts';
import { standardError, standardOutput } from '../output.ts';
import { Parent } from '../parent.ts';
import { ProgressLine } from '../progressLine.ts';
import { showPlan } from '../showPlan.ts';
import { onStopSignals } from '../stopSignals.ts';
import { TrainReporter } from '../trainReport.ts';
import { viewBeside } from '../viewBeside.ts';
import type { ChosenRun, Surroundings, TrainOptions } from './options.ts';

/** Trains a run, new or one that goes on. */
export async function trainOne(
  { dir, config }: ChosenRun,
  options: TrainOptions,
  { agree, version, program, observer }: Surroundings,
): Promise<void> {
  const resume = options.resume !== undefined;
  const run = { dir, config, version, resume, agree, ...sharedWarmStarts(options, version) };
  const endView = await viewBeside(program, [dir], options);
  const summary = await trainOn(options, run, new Stop(), { program, observer }).finally(endView);
  if (options.json) standardOutput.json({ run: dir, ...summary });
}

/** Trains a run for each seed, one after another, and compares them. */
export async function trainAll(
  runs: readonly ChosenRun[],
  options: TrainOptions,
  { agree, version, program, observer }: Surroundings,
): Promise<void> {
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
export async function printPlan(config: TrainConfig, options: TrainOptions): Promise<void> {
  const { environment } = config;
  const taskSet = await createNamedTaskSet(environment.name, environment.options);
  await showPlan(options, (engine) => planRun(engine, config, taskSet, tellOtherModel)).finally(() =>
    taskSet.close?.(),
  );
}
