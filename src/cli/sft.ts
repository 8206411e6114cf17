/** `proxmo sft`: supervised fine-tuning of a pretrained model on chats. */
import { basename, resolve } from 'node:path';
import { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { openDevice } from '../gpu/device.node.ts';
import { locateModel } from '../models/hub/cache.node.ts';
import { sftRunConfig } from '../rl/runConfig.node.ts';
import { resumableSftSettings, type SftConfig, sftConfigSchema } from '../rl/sft/config.ts';
import { openDataset, sizesOf } from '../rl/sft/dataset.node.ts';
import { planSft } from '../rl/sft/memory.node.ts';
import { sftRun } from '../rl/sft/run.node.ts';
import { loadConfig } from '../runs/config.ts';
import { checkNewFolder, openRun } from '../runs/run.ts';
import { Engine } from '../tensor/engine.ts';
import { adapterOption, modelArgument, refuseBeside, repeatedOption, wholeNumber } from './arguments.ts';
import { checkModel } from './names.ts';
import { standardError, standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { describeDryRun, SftReporter } from './sftReport.ts';
import { showPlan } from './showPlan.ts';
import { onStopSignals } from './stopSignals.ts';
import { timestamp } from './timestamp.ts';

interface SftOptions {
  readonly data?: string;
  readonly evalData?: string;
  readonly model?: string;
  readonly set: readonly string[];
  readonly out?: string;
  readonly seed?: number;
  readonly resume?: string;
  readonly adapter?: string;
  readonly plan?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function sftCommand(version: string): Command {
  return new Command('sft')
    .description(
      "Fine-tune a pretrained model on chats: the assistant's replies are learned, all else is read. Leaves a run folder that generate, eval and train --init open.",
    )
    .argument('[config]', 'YAML file with settings; what it leaves out keeps its default')
    .option(
      '--data <file>',
      'chats, a JSON object a line with messages, or a prompt and a completion; plain or gzipped',
    )
    .option('--eval-data <file>', 'held-out chats (default: a share of the others, data.heldOut)')
    .option('--model <path>', `model to train: ${modelArgument}`)
    .addOption(repeatedOption('--set <key=value>', 'one setting, as training.epochs=2'))
    .option('--out <dir>', 'folder of the run; must be new or empty (default: a new folder under runs/)')
    .option('--seed <n>', 'seed of all chance', wholeNumber)
    .option(
      '--resume <dir>',
      `go on with a run from its last checkpoint; --set may change ${resumableSftSettings.slice(0, 3).join(', ')} and others that leave model and data as they are`,
    )
    .addOption(adapterOption())
    .option('--plan', 'print the memory that it would take, and train nothing')
    .option('--dry-run', 'print the settings, what is learned of a chat, and the memory; write nothing')
    .option('--json', 'print the summary, the plan or the dry run as JSON')
    .action(async (file: string | undefined, options: SftOptions) => {
      checkTogether(file, options);
      const { resume } = options;
      const config = resume === undefined ? await newConfig(file, options) : await resumedConfig(resume, options.set);
      if (options.plan || options.dryRun) return look(config, options);
      const dir = resume ?? options.out ?? `runs/sft-${stem(config.data.path)}-seed${config.seed}-${timestamp()}`;
      if (resume === undefined) await checkNewFolder(dir);
      const reporter = new SftReporter(new ProgressLine(), dir, resume !== undefined);
      const stop = new AbortController();
      onStopSignals(
        () => {
          reporter.interrupted();
          stop.abort();
        },
        () => process.exit(130),
      );
      const gpu = await openDevice(options.adapter);
      try {
        reporter.start(gpu.adapter, config);
        const { signal } = stop;
        const onEvent = reporter.show.bind(reporter);
        const run = { config, dir, version, resume: resume !== undefined, signal, onEvent };
        const summary = await sftRun(new Engine(gpu), run);
        if (options.json) standardOutput.json({ run: dir, ...summary });
        else reporter.finish(summary);
      } finally {
        reporter.stop();
        gpu.destroy();
      }
    });
}

/** @throws {ProxmoError} `usage` if options are given of which one makes no sense beside another */
function checkTogether(file: string | undefined, options: SftOptions): void {
  const { data, evalData, model, out, seed, resume, plan, dryRun } = options;
  const ofNewRun = { '--data': data, '--eval-data': evalData, '--model': model, '--out': out, '--seed': seed };
  if (resume !== undefined)
    refuseBeside('--resume', 'keeps a run as it is', {
      [file ?? 'a file']: file,
      ...ofNewRun,
      '--plan': plan,
      '--dry-run': dryRun,
    });
  if (plan) refuseBeside('--plan', 'prints the memory alone', { '--dry-run': dryRun });
}

/** @throws {ProxmoError} `config`, `file`; `usage` if model or data is not named */
async function newConfig(file: string | undefined, options: SftOptions): Promise<SftConfig> {
  const { data, evalData, model, seed } = options;
  const set = [
    ...options.set,
    ...(model === undefined ? [] : [`model=${JSON.stringify(model)}`]),
    ...(data === undefined ? [] : [`data.path=${JSON.stringify(data)}`]),
    ...(evalData === undefined ? [] : [`data.evaluation=${JSON.stringify(evalData)}`]),
    ...(seed === undefined ? [] : [`seed=${seed}`]),
  ];
  const names = (key: string) => file !== undefined || set.some((each) => each.startsWith(key));
  if (!names('model=')) throw new ProxmoError('usage', 'Name the model to train by --model.');
  if (!names('data')) throw new ProxmoError('usage', 'Name the chats to learn from by --data FILE.');
  const config = await loadConfig(sftConfigSchema, { ...(file === undefined ? {} : { file }), set });
  const { data: named, lora } = config;
  const located = resolve(await locateModel(config.model));
  await checkModel(located);
  // A run goes on from wherever it is resumed.
  return {
    ...config,
    model: located,
    data: {
      ...named,
      path: resolve(named.path),
      ...(named.evaluation === undefined ? {} : { evaluation: resolve(named.evaluation) }),
    },
    lora: lora && 'from' in lora && lora.from !== undefined ? { ...lora, from: resolve(lora.from) } : lora,
  };
}

async function resumedConfig(dir: string, set: readonly string[]): Promise<SftConfig> {
  return loadConfig(sftConfigSchema, { preset: sftRunConfig(await openRun(dir)), set });
}

/** @throws {ProxmoError} `config` after a plan that does not fit */
async function look(config: SftConfig, options: SftOptions): Promise<void> {
  const dataset = await openDataset(config);
  for (const note of dataset.notes) standardError.print(note);
  const { notes, counts, training, heldOut } = dataset;
  const data = { ...sizesOf(training), heldOut: heldOut.length, ...counts };
  await showPlan(
    options,
    (engine) => planSft(engine, config, dataset),
    options.dryRun
      ? {
          json: (memory) => ({ config, data, notes, memory }),
          text: (memory) => describeDryRun(config, dataset, memory),
        }
      : undefined,
  );
}

function stem(path: string): string {
  return basename(path).replace(/\..*$/, '');
}
