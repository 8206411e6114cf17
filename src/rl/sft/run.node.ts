/**
 * Runs of supervised fine-tuning with their folders: what `proxmo sft` does, for programs. A run that was stopped goes
 * on from its last checkpoint with the same bits.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { type JsonObject, parseJson } from '../../runs/json.ts';
import { reopenRun, type StoppedRun } from '../../runs/resume.ts';
import { createRun } from '../../runs/run.ts';
import type { Engine } from '../../tensor/engine.ts';
import { sftSchemaText } from '../configSchema.node.ts';
import { describeAdapter } from '../describeAdapter.node.ts';
import { checkPlan } from '../planRun.node.ts';
import { loadPolicySource, newModelSource } from '../policySource.node.ts';
import { checkUnchangedSettings, type Difference } from '../resumeSettings.ts';
import { sftRunConfig } from '../runConfig.node.ts';
import { checkNotStopped, isInterruption, recordedSettings, takeUp } from '../runSession.node.ts';
import { asTrainConfig, resumableSftSettings, type SftConfig, sftConfigSchema } from './config.ts';
import { type ChatDataset, type DataFile, openDataset } from './dataset.node.ts';
import { planSft } from './memory.node.ts';
import { type SftEvent, type SftSummary, SupervisedRun, sftSummarySchema } from './supervisedRun.node.ts';

export interface SftRunOptions {
  readonly config: SftConfig;
  /** The run's folder; must be new or empty, or a run to resume. */
  readonly dir: string;
  /** Version of the package, for the run's record. */
  readonly version: string;
  /** Go on from the folder's last whole checkpoint, with `config`, of which `resumableSftSettings` may be new. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SftEvent) => void;
}

/**
 * Trains and leaves a run folder with config, metrics, checkpoints, summary and what was trained, as a PEFT folder
 * (`adapters/`) or a Hugging Face folder (`model/`). Where that ends early, what was learned is saved, and the error
 * says so; where nothing was, no folder stays. A run that is finished already is left as it is. Nothing of a run stays
 * on the device.
 * @throws {ProxmoError} `config`, `file`, `data`; `interrupted` if the signal fired
 */
export async function sftRun(engine: Engine, options: SftRunOptions): Promise<SftSummary> {
  const part = engine.part();
  try {
    return await trainThrough(part, options);
  } finally {
    part.destroy();
  }
}

async function trainThrough(engine: Engine, options: SftRunOptions): Promise<SftSummary> {
  if (!options.resume) return beginRun(engine, options);
  const stopped = await reopenRun(options.dir);
  try {
    const changes = await checkSettings(stopped, options.config);
    const dataset = await openDataset(options.config);
    await checkData(stopped, dataset.files);
    const summary = await outcomeOf(stopped, options.config, dataset);
    if (summary === null) return await goOn(engine, stopped, changes, dataset, options);
    options.onEvent?.({ kind: 'finished', steps: summary.steps });
    return summary;
  } finally {
    await stopped.close();
  }
}

async function beginRun(engine: Engine, options: SftRunOptions): Promise<SftSummary> {
  const { dir, config, version, signal, onEvent } = options;
  const dataset = await openDataset(config);
  checkPlan(await planSft(engine, config, dataset));
  const { source, files } = await newModelSource(engine, asTrainConfig(config));
  checkNotStopped(signal);
  const writer = await createRun(dir, {
    kind: 'sft',
    version,
    adapter: describeAdapter(engine),
    config: { ...config },
    schema: sftSchemaText(),
    seed: config.seed,
  });
  const run = new SupervisedRun(engine, options, source.model, dataset, writer);
  try {
    writer.log(`begun by proxmo ${version} on ${engine.gpu.adapter.name}`);
    onEvent?.({ kind: 'begin', from: null, warmStartStep: null });
    for (const [name, text] of Object.entries(files)) await writer.writeFile(name, text);
    await writer.writeFile(dataFile, `${JSON.stringify({ files: dataset.files }, null, 2)}\n`);
    return await run.run();
  } catch (error) {
    if (!run.isWorthKeeping && !isInterruption(error)) await writer.discard();
    throw error;
  } finally {
    writer.close();
  }
}

async function goOn(
  engine: Engine,
  stopped: StoppedRun,
  changes: readonly Difference[],
  dataset: ChatDataset,
  options: SftRunOptions,
): Promise<SftSummary> {
  const { config } = options;
  const { checkpoint } = stopped;
  checkPlan(await planSft(engine, config, dataset));
  const { model } = await loadPolicySource(engine, asTrainConfig(config), stopped);
  const course = { ...config.training, of: ['training.epochs', 'training.steps'], unit: 'step' } as const;
  const writer = await takeUp(engine, stopped, { ...options, known: sftRunConfig(stopped), changes, course });
  const run = new SupervisedRun(engine, options, model, dataset, writer);
  try {
    if (checkpoint) await run.restore(checkpoint);
    return await run.run();
  } finally {
    writer.close();
  }
}

const dataFile = 'data.json';
const dataSchema = z.object({ files: z.array(z.object({ path: z.string(), sha256: z.string() })) });

/** @throws {ProxmoError} `config` if more changes than may */
async function checkSettings(stopped: StoppedRun, config: SftConfig): Promise<Difference[]> {
  const settings = stopped.checkpoint?.context?.settings;
  if (settings === undefined) return [];
  const recorded = recordedSettings(sftConfigSchema, settings, stopped.dir);
  return checkUnchangedSettings(recorded, config, resumableSftSettings, stopped.dir);
}

/** @throws {ProxmoError} `file` if the chats are not those that the run began with */
async function checkData(run: StoppedRun, files: readonly DataFile[]): Promise<void> {
  const text = await run.readFile(dataFile);
  if (text === null) return;
  const { files: known } = parseJson(text, dataSchema, join(run.dir, dataFile));
  const other = files.find(({ path, sha256 }) => known.every((file) => file.path !== path || file.sha256 !== sha256));
  if (other !== undefined)
    throw new ProxmoError(
      'file',
      `${other.path} is not the file that ${run.dir} began with: its chats have changed; put them back, or start a new run.`,
    );
}

/**
 * The summary of a run that has nothing left to do; else null.
 * @throws {ProxmoError} `config` if it is to have fewer steps than it has done
 */
async function outcomeOf(run: StoppedRun, config: SftConfig, dataset: ChatDataset): Promise<SftSummary | null> {
  const { totalSteps } = SupervisedRun.stepsOf(config, dataset);
  const done = run.checkpoint?.iteration ?? 0;
  if (totalSteps < done)
    throw new ProxmoError(
      'config',
      `training.epochs and training.steps come to ${totalSteps} steps, but ${run.dir} has done ${done}; set them to as many or more.`,
    );
  if (run.checkpoint?.iteration !== totalSteps || run.problems.length > 0) return null;
  const summary: JsonObject | null = await run.readSummary().catch(() => null);
  return sftSummarySchema.safeParse(summary).data ?? null;
}
