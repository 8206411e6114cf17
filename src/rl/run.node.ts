/**
 * Training runs with their folders: what `proxmo train` does, for programs, and trained runs made ready to act. A run
 * that was stopped goes on from its last checkpoint with the same bits, and a finished one as if it had always been
 * meant to be longer.
 */
import type * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { packageVersion } from '../base/packageVersion.ts';
import { ResultStream } from '../base/resultStream.ts';
import { checked } from '../base/schemaProblems.ts';
import type { TaskSet } from '../envs/environment.ts';
import { createNamedTaskSet } from '../envs/registry.node.ts';
import { type Precision, storageFor } from '../nn/precision.ts';
import { reopenRun, type StoppedRun } from '../runs/resume.ts';
import { createRun, type LoadedModule, openRun, type Run } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import { type Agree, agreeTo, loadedModules, requireAgreement } from './agreement.node.ts';
import { type TrainConfig, trainConfigSchema } from './config.ts';
import { configSchemaText } from './configSchema.node.ts';
import { describeAdapter } from './describeAdapter.node.ts';
import { loadOwnModules } from './own/modules.node.ts';
import { checkPlan, planRun } from './planRun.node.ts';
import { batchRows } from './policy.ts';
import { loadPolicySource, newPolicySource } from './policySource.node.ts';
import type { PolicySource } from './policySource.ts';
import { checkResumable } from './resumeSettings.ts';
import { policyConfig, runConfig } from './runConfig.node.ts';
import {
  cannotGoOn,
  checkNotStopped,
  isInterruption,
  recordedSettings,
  type TakenUp,
  takeUp,
} from './runSession.node.ts';
import { type KeptChoices, keepToChoices, RunChoices } from './runTuning.node.ts';
import { type Summary, summarySchema } from './summary.ts';
import { Trainer } from './trainer.ts';
import { restoreWeights } from './trainerState.node.ts';
import { type TrainEvent, TrainingRun, type TrainingRunOptions } from './trainingRun.node.ts';

/** What a run is made of, and where it is kept; all but `dir` has a default. */
export interface TrainRunOptions extends Omit<TrainingRunOptions, 'config'> {
  /** The run's folder; must be new or empty, or a run to resume. */
  readonly dir: string;
  /** Settings, as in a configuration file; what they leave out has its default. */
  readonly config?: z.input<typeof trainConfigSchema>;
  /** Version for the run's record; default: that of the package. */
  readonly version?: string;
  /** Go on from the folder's last whole checkpoint, with `config`, of which `resumableSettings` may be new. */
  readonly resume?: boolean;
  /**
   * The task set, where it lives in this program: the run bears its name, and whoever resumes the run gives it again.
   * It is not closed. Default: that of `config.environment`.
   */
  readonly taskSet?: TaskSet;
  /** Asked whether the environment of a resumed run may start what this user did not agree to; nobody by default. */
  readonly agree?: Agree;
}

/** The same, with settings and version in full. */
export interface CompleteRunOptions extends TrainRunOptions {
  readonly config: TrainConfig;
  readonly version: string;
}

/**
 * Trains and leaves a run folder with config, metrics, rollouts, checkpoints and summary. Where that ends early, what
 * was learned until the last whole iteration is saved, and the error says so; where nothing was, no folder stays. A run
 * that is finished already is left as it is. What the environment of a new run starts is agreed to from then on.
 * Nothing of a run stays on the device.
 * @throws {ProxmoError} `config`, `file`, `environment`, `untrusted`; `interrupted` if the signal fired
 */
export async function trainRun(engine: Engine, options: TrainRunOptions): Promise<Summary> {
  const config = checked(
    trainConfigSchema,
    options.config ?? {},
    (problem) => new ProxmoError('config', `The settings of the run ${options.dir} are not valid: ${problem}.`),
  );
  const part = engine.part();
  try {
    const complete = { version: packageVersion, ...options, config: withNameOf(config, options.taskSet) };
    return await trainThrough(part, complete);
  } finally {
    part.destroy();
  }
}

/**
 * `trainRun`, with its events as they come. Leaving a loop over them stops the run, which is saved as by a signal.
 * @example
 * const run = streamRun(engine, { dir: 'runs/1', taskSet, config: { training: { iterations: 10 } } });
 * for await (const event of run) if (event.kind === 'iteration') console.log(event.metrics.success);
 * const summary = await run.result;
 */
export function streamRun(engine: Engine, options: TrainRunOptions): ResultStream<TrainEvent, Summary> {
  return ResultStream.abortable(options.signal, (tell: (event: TrainEvent) => void, signal) => {
    const onEvent = (event: TrainEvent) => {
      options.onEvent?.(event);
      tell(event);
    };
    return trainRun(engine, { ...options, signal, onEvent });
  });
}

/** The settings, with the name of a task set in memory as that of the environment. */
function withNameOf(config: TrainConfig, taskSet: TaskSet | undefined): TrainConfig {
  if (!taskSet) return config;
  return { ...config, environment: { ...config.environment, name: taskSet.name, options: {} } };
}

async function trainThrough(engine: Engine, options: CompleteRunOptions): Promise<Summary> {
  if (!options.resume) return withTaskSet(options, (taskSet, modules) => beginRun(taskSet, modules, engine, options));
  const stopped = await reopenRun(options.dir);
  try {
    const saved = await checkSettings(stopped, options.config);
    const summary = await outcomeOf(stopped, options.config);
    if (summary === null)
      return await withTaskSet(options, (taskSet, modules) => goOn(stopped, saved, taskSet, modules, engine, options));
    options.onEvent?.({ kind: 'finished', iterations: options.config.training.iterations });
    return summary;
  } finally {
    await stopped.close();
  }
}

async function withTaskSet<T>(
  { config, dir, resume, agree, taskSet: given }: CompleteRunOptions,
  use: (taskSet: TaskSet, modules: readonly LoadedModule[]) => Promise<T>,
): Promise<T> {
  const { name, options } = config.environment;
  // A task set in memory starts nothing, but estimator, loss and sampler may be modules all the same.
  const settings = given ? { ...config, environment: { name: 'in memory', options: {} } } : config;
  if (resume) await requireAgreement(settings, dir, agree);
  else await agreeTo(settings);
  const modules = await loadedModules(settings);
  await loadOwnModules(config);
  if (given) return use(given, modules);
  const taskSet = await createNamedTaskSet(name, options);
  try {
    return await use(taskSet, modules);
  } finally {
    await taskSet.close?.();
  }
}

async function beginRun(
  taskSet: TaskSet,
  modules: readonly LoadedModule[],
  engine: Engine,
  options: CompleteRunOptions,
): Promise<Summary> {
  const { dir, config, version, signal } = options;
  const choices = await prepare(taskSet, engine, options);
  try {
    const run = new TrainingRun(engine, options, taskSet, await newPolicySource(engine, config, taskSet));
    await run.checkTasks();
    checkNotStopped(signal);
    // Only when everything that can be wrong with the settings was checked.
    const session = { version, modules, adapter: describeAdapter(engine) };
    const writer = await createRun(dir, {
      ...session,
      config: { ...config },
      schema: configSchemaText(),
      seed: config.seed,
    });
    try {
      writer.log(`begun by proxmo ${version} on ${engine.gpu.adapter.name}`);
      options.onEvent?.({ kind: 'begin', from: null, warmStartStep: null });
      await choices?.keepIn(writer);
      return await run.run(writer);
    } catch (error) {
      if (!run.isWorthKeeping && !isInterruption(error)) await writer.discard();
      throw error;
    } finally {
      writer.close();
    }
  } finally {
    choices?.release();
  }
}

async function goOn(
  stopped: StoppedRun,
  saved: Pick<TakenUp, 'changes' | 'warmStartStep'>,
  taskSet: TaskSet,
  modules: readonly LoadedModule[],
  engine: Engine,
  options: CompleteRunOptions,
): Promise<Summary> {
  const { config } = options;
  const { checkpoint } = stopped;
  const choices = await prepare(taskSet, engine, options);
  try {
    const start = checkpoint
      ? { source: await loadPolicySource(engine, config, stopped), files: {} }
      : await newPolicySource(engine, config, taskSet);
    const run = new TrainingRun(engine, options, taskSet, start);
    if (checkpoint) await run.restore(checkpoint).finally(() => checkpoint.close());
    const course = { ...config.training, of: ['training.iterations'], unit: 'iteration' } as const;
    const how = { ...options, ...saved, modules, known: runConfig(stopped), course };
    const writer = await takeUp(engine, stopped, how);
    try {
      await choices?.keepIn(writer);
      return await run.run(writer);
    } finally {
      writer.close();
    }
  } finally {
    choices?.release();
  }
}

/** Refuses what does not fit the device, and lets the engine choose variants where the settings say so. */
async function prepare(taskSet: TaskSet, engine: Engine, options: CompleteRunOptions): Promise<RunChoices | null> {
  const plan = await planRun(engine, options.config, taskSet);
  checkPlan(plan);
  // Where memory is limited, what programs share is made as planned, and not bit by bit in sizes that come to more.
  if (plan.limits.total !== null) engine.reserve(plan.shared);
  return RunChoices.start(engine, options);
}

/**
 * What changes in the settings of a run that goes on, and how far its warm start is saved. A run of which nothing was
 * saved has no settings to keep to.
 * @throws {ProxmoError} `config` if more changes than may
 */
async function checkSettings(
  stopped: StoppedRun,
  config: TrainConfig,
): Promise<Pick<TakenUp, 'changes' | 'warmStartStep'>> {
  const { dir, checkpoint } = stopped;
  const warmStart = checkpoint === null ? (await stopped.openWarmStart()).checkpoint : null;
  await warmStart?.close();
  const saved = checkpoint ?? warmStart;
  const warmStartStep = warmStart?.iteration ?? null;
  if (saved === null) return { changes: [], warmStartStep };
  if (saved.context === null) throw cannotGoOn(dir, 'its checkpoint does not say by which settings it was made');
  const recorded = recordedSettings(trainConfigSchema, saved.context.settings, dir);
  return { changes: checkResumable(recorded, config, checkpoint?.iteration ?? 0, dir), warmStartStep };
}

/** The summary of a run that has nothing left to do; else null. */
async function outcomeOf(run: StoppedRun, { training }: TrainConfig): Promise<Summary | null> {
  if (run.checkpoint?.iteration !== training.iterations || run.problems.length > 0) return null;
  const summary = await run.readSummary().catch(() => null);
  return summarySchema.safeParse(summary).data ?? null;
}

/** A run's policy with the weights of a checkpoint, without its environment. */
export interface TrainedModel {
  readonly source: PolicySource;
  readonly config: TrainConfig;
  readonly run: Run;
  readonly iteration: number;
  /** What became of the run's choices of variants, if it was tuned. */
  readonly tuning: KeptChoices | null;
}

/**
 * The policy of a run, on kernels in the variants that it was trained with: what `proxmo generate` and `proxmo model
 * export` start from.
 * @param checkpoint the iteration; default: the last
 * @param precision of its matrices, which are not trained on; default: the run's
 * @throws {ProxmoError} `file`, `config`
 */
export async function loadRunModel(
  engine: Engine,
  dir: string,
  checkpoint?: number,
  precision?: Precision,
): Promise<TrainedModel> {
  const run = await openRun(dir);
  const config = policyConfig(run);
  const saved = await run.openCheckpoint(checkpoint);
  try {
    const tuning = await keepToChoices(engine, run);
    const taken = precision ?? config.precision;
    // What was trained as a whole is not what its file has packed.
    const storage = storageFor(taken, taken === 'packed' && config.lora === null);
    const source = await loadPolicySource(engine, config, run, storage);
    await restoreWeights(engine, source.model, saved);
    return { source, config, run, iteration: saved.iteration, tuning };
  } finally {
    await saved.close();
  }
}

/** A trained run, ready to act. */
export interface LoadedRun extends Pick<TrainedModel, 'run' | 'iteration' | 'tuning'> {
  readonly trainer: Trainer;
  /** Frees weights, KV cache and programs. */
  readonly destroy: () => void;
}

/**
 * A trained run, ready to act: what `proxmo eval` and `proxmo play` start from.
 * @param checkpoint the iteration; default: the last
 * @param episodes that there are to play; where they are more than those of the run's evaluations, more of them are
 * played at once, as far as `engine.memory` allows
 * @param agree asked whether its environment may start what this user did not agree to yet; nobody by default
 * @returns a trainer whose task set the caller closes, and what frees all of it on the device
 * @throws {ProxmoError} `file`, `config`, `environment`, `untrusted`; `shape` if the device cannot bind what the policy
 * needs
 */
export async function loadRun(
  engine: Engine,
  dir: string,
  checkpoint?: number,
  episodes = 0,
  agree?: Agree,
): Promise<LoadedRun> {
  const part = engine.part();
  try {
    return { ...(await loadThrough(part, dir, checkpoint, episodes, agree)), destroy: () => part.destroy() };
  } catch (error) {
    part.destroy();
    throw error;
  }
}

async function loadThrough(
  engine: Engine,
  dir: string,
  checkpoint: number | undefined,
  episodes: number,
  agree: Agree | undefined,
): Promise<Omit<LoadedRun, 'destroy'>> {
  const { source, config, run, iteration, tuning } = await loadRunModel(engine, dir, checkpoint);
  const { name, options } = config.environment;
  const acting = toAct(config);
  await requireAgreement({ environment: config.environment }, dir, agree);
  const taskSet = await createNamedTaskSet(name, options);
  try {
    const rows = await actingRows(engine, acting, taskSet, episodes);
    return { trainer: new Trainer(engine, acting, taskSet, source, { rows }), run, iteration, tuning };
  } catch (error) {
    await taskSet.close?.();
    throw error;
  }
}

/**
 * A policy as a run of these settings would begin with it, ready to act: what `proxmo eval` and `proxmo play` do with a
 * model.
 * @param episodes as of `loadRun`
 * @returns a trainer whose task set the caller closes
 * @throws {ProxmoError} `file`, `config`, `environment`; `shape` as `loadRun`
 */
export async function loadStart(
  engine: Engine,
  config: TrainConfig,
  episodes = 0,
): Promise<{ trainer: Trainer; iteration: number; tuning: KeptChoices | null }> {
  const { name, options } = config.environment;
  const acting = toAct(config);
  const taskSet = await createNamedTaskSet(name, options);
  try {
    const { source } = await newPolicySource(engine, acting, taskSet);
    const rows = await actingRows(engine, acting, taskSet, episodes);
    return { trainer: new Trainer(engine, acting, taskSet, source, { rows }), iteration: 0, tuning: null };
  } catch (error) {
    await taskSet.close?.();
    throw error;
  }
}

/**
 * To act takes neither a reference nor an earlier policy, which may be as large as the policy, and nothing of a user's
 * own that it learned by.
 */
function toAct({ advantages, loss, training, fleet, ...config }: TrainConfig): TrainConfig {
  const { taskSampler } = training;
  return {
    ...config,
    advantages: advantages.estimator === 'own' ? trainConfigSchema.parse({}).advantages : advantages,
    loss: { ...loss, policy: 'ppo', klCoefficient: 0 },
    fleet: { ...fleet, staleness: 0 },
    training: { ...training, taskSampler: typeof taskSampler === 'string' ? taskSampler : 'in-turn' },
  };
}

/**
 * Episodes that a run plays at once: as many as while it trained, or those of a larger evaluation where the memory that
 * its settings allow holds them.
 */
async function actingRows(engine: Engine, config: TrainConfig, taskSet: TaskSet, episodes: number): Promise<number> {
  const own = batchRows(config);
  const larger = {
    ...config,
    evaluation: { ...config.evaluation, tasks: Math.max(config.evaluation.tasks, episodes) },
  };
  const rows = batchRows(larger);
  if (rows === own || config.engine.memory === null) return rows;
  return (await planRun(engine, larger, taskSet)).fits ? rows : own;
}
