/** `proxmo train`: trains a policy and prints what became of it. */
import { basename, resolve } from 'node:path';
import { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { anchorEnvironment, createNamedTaskSet, environmentDefaults } from '../envs/registry.node.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import { presets, type TrainConfig, trainConfigSchema } from '../rl/config.ts';
import { formatMemoryPlan } from '../rl/memoryPlan.ts';
import { checkPlan, planRun } from '../rl/planRun.node.ts';
import { runConfig, type TrainRunOptions, trainRun } from '../rl/run.node.ts';
import { loadConfig } from '../runs/config.ts';
import { openRun } from '../runs/run.ts';
import { Engine } from '../tensor/engine.ts';
import { adapterOption, repeatedOption, wholeNumber } from './arguments.ts';
import { standardError, standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { TrainReporter } from './trainReport.ts';

interface TrainOptions {
  readonly preset?: string;
  readonly env?: string;
  readonly model?: string;
  readonly set: readonly string[];
  readonly out?: string;
  readonly seed?: number;
  readonly resume?: string;
  readonly adapter?: string;
  readonly plan?: boolean;
  readonly json?: boolean;
}

/** @param onDevice called with the device, and waited for, before training uses it */
export function trainCommand(version: string, onDevice: (gpu: GpuContext) => Promise<void> = async () => {}): Command {
  return new Command('train')
    .description('Train a policy: warm start on demonstrations, then ProxMO (or a baseline). Leaves a run folder.')
    .argument('[config]', 'YAML file with settings; what it leaves out keeps its default')
    .option('--preset <name>', `named settings to start from: ${Object.keys(presets).join(', ')} (default: small)`)
    .option(
      '--env <name>',
      'environment: a name (proxmo env list) or the path of a module, as ./my-env.mjs; options by --set environment.options.key=value',
    )
    .option(
      '--model <path>',
      'pretrained model to start from: folder of a Hugging Face model, or GGUF file (default: random weights)',
    )
    .addOption(repeatedOption('--set <key=value>', 'one setting, as training.iterations=40'))
    .option('--out <dir>', 'folder of the run; must be new or empty (default: a new folder under runs/)')
    .option('--seed <n>', 'seed of all chance', wholeNumber)
    .option('--resume <dir>', 'go on with a run from its last checkpoint')
    .addOption(adapterOption())
    .option(
      '--plan',
      'print the memory that the run would take, and the largest micro-batch that fits, and train nothing',
    )
    .option('--json', 'print the summary, or the plan, as JSON')
    .action(async (file: string | undefined, options: TrainOptions) => {
      const { dir, config } =
        options.resume === undefined ? await newRun(file, options) : await resumedRun(file, options, options.resume);
      if (options.plan) return printPlan(config, options);
      const gpu = await openDevice(options.adapter);
      try {
        await onDevice(gpu);
        await train(gpu, { dir, config, version, resume: options.resume !== undefined }, options.json ?? false);
      } finally {
        gpu.destroy();
      }
    });
}

/** Trains until it is done or interrupted: by the first signal at the next checkpoint, by the second at once. */
async function train(gpu: GpuContext, run: TrainRunOptions, json: boolean): Promise<void> {
  const reporter = new TrainReporter(new ProgressLine(), run.config, run.dir, run.resume ?? false);
  reporter.start(gpu.adapter);
  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) process.exit(130);
    reporter.interrupted();
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const summary = await trainRun(new Engine(gpu), {
      ...run,
      signal: interrupt.signal,
      onEvent: (event) => reporter.show(event),
    });
    if (json) standardOutput.json(summary);
    else reporter.finish(summary);
  } catch (error) {
    reporter.stop();
    if (error instanceof ProxmoError && error.code === 'interrupted') {
      throw new ProxmoError('interrupted', `Stopped; go on with: proxmo train --resume ${run.dir}`, { cause: error });
    }
    throw error;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** A plan needs the sizes of adapters alone, so that one may come before the adapters do. */
function tellOtherModel(sentence: string): void {
  standardError.print(`The run itself will refuse these adapters: ${sentence}`);
}

/** @throws {ProxmoError} `config` after a plan that does not fit */
async function printPlan(config: TrainConfig, { adapter, json }: TrainOptions): Promise<void> {
  const gpu = await openDevice(adapter);
  try {
    const { name, options } = config.environment;
    const taskSet = await createNamedTaskSet(name, options);
    const plan = await planRun(new Engine(gpu), config, taskSet, tellOtherModel).finally(() => taskSet.close?.());
    const { shared: _, ...figures } = plan;
    if (json) standardOutput.json({ adapter: gpu.adapter.name, ...figures });
    else standardOutput.print(formatMemoryPlan(plan));
    checkPlan(plan);
  } finally {
    gpu.destroy();
  }
}

async function newRun(file: string | undefined, options: TrainOptions): Promise<{ dir: string; config: TrainConfig }> {
  const preset = options.preset ?? 'small';
  if (!isPreset(preset))
    throw new ProxmoError('usage', `There is no preset ${preset}; choose one of ${Object.keys(presets).join(', ')}.`);
  const { environment: named, ...rest } = presets[preset];
  const set = [
    ...options.set,
    ...(options.env === undefined ? [] : [`environment.name=${JSON.stringify(options.env)}`]),
    ...(options.model === undefined ? [] : [`model=${JSON.stringify(options.model)}`]),
    ...(options.seed === undefined ? [] : [`seed=${options.seed}`]),
  ];
  const load = (values: object) =>
    loadConfig(trainConfigSchema, { ...(file === undefined ? {} : { file }), preset: values, set });
  const withPreset = await load(presets[preset]);
  const loaded = withPreset.environment.name === named.name ? withPreset : await load(fitTo(await load(rest), rest));
  // A run goes on from wherever it is resumed.
  const model = loaded.model === undefined ? {} : { model: resolve(loaded.model) };
  const { lora } = loaded;
  const adapters = lora && 'from' in lora ? { lora: { ...lora, from: resolve(lora.from) } } : {};
  const config = { ...loaded, ...model, ...adapters, environment: anchorEnvironment(loaded.environment) };
  const name = basename(config.environment.name).replace(/\.[^.]*$/, '');
  return { dir: options.out ?? `runs/${name}-seed${config.seed}-${timestamp()}`, config };
}

/**
 * A preset for another environment than its own: without that one's options, and with lengths that fit the other's
 * texts.
 */
function fitTo<P extends { readonly prompt: object; readonly sampling?: object }>(
  { environment, prompt, model }: TrainConfig,
  preset: P,
): object {
  const form = model !== undefined || prompt.format === 'think-action' ? 'messages' : 'words';
  const defaults = environmentDefaults(environment.name, environment.options, form);
  return {
    ...preset,
    prompt: { ...preset.prompt, ...defaults.prompt },
    sampling: { ...preset.sampling, ...defaults.sampling },
  };
}

function isPreset(name: string): name is keyof typeof presets {
  return Object.hasOwn(presets, name);
}

/**
 * A run to go on with: its folder, and the configuration in it.
 * @throws {ProxmoError} `usage` if anything else is named beside it
 */
async function resumedRun(
  file: string | undefined,
  options: TrainOptions,
  dir: string,
): Promise<{ dir: string; config: TrainConfig }> {
  if (
    file !== undefined ||
    options.preset !== undefined ||
    options.env !== undefined ||
    options.model !== undefined ||
    options.set.length > 0 ||
    options.seed !== undefined ||
    options.out !== undefined
  ) {
    throw new ProxmoError(
      'usage',
      'A resumed run keeps its folder and settings; give nothing with --resume but --adapter, --plan and --json.',
    );
  }
  return { dir, config: runConfig(await openRun(dir)) };
}

function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
}
