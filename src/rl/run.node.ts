/**
 * A training run from start to summary, with its folder: what `proxmo train` does, for programs. A run that was stopped
 * goes on from its last checkpoint with the same bits.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import type { TaskSet } from '../envs/environment.ts';
import type { Fault, FaultOutcome } from '../envs/faults.ts';
import { createNamedTaskSet } from '../envs/registry.node.ts';
import { type Precision, storageFor } from '../nn/halfWeights.ts';
import type { JsonObject } from '../runs/json.ts';
import { createRun, openRun, type Run, type RunWriter, resumeRun } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import { type TrainConfig, trainConfigSchema } from './config.ts';
import type { Evaluation } from './evaluate.ts';
import type { IterationMetrics } from './metrics.ts';
import { checkPlan, planRun } from './planRun.node.ts';
import { batchRows } from './policy.ts';
import { loadPolicySource, type NewPolicySource, newPolicySource } from './policySource.node.ts';
import type { PolicySource } from './policySource.ts';
import { type KeptChoices, keepToChoices, RunChoices, type TuningEvent } from './runTuning.node.ts';
import { type Progress, Trainer } from './trainer.ts';
import { captureState, restoreState, restoreWeights, type Totals } from './trainerState.node.ts';

const rolloutFolder = 'rollouts';

export interface TrainRunOptions {
  /** The run's folder; must be new or empty, or a run to resume. */
  readonly dir: string;
  readonly config: TrainConfig;
  /** Version of the package, for the run's record. */
  readonly version: string;
  /** Go on from the folder's last checkpoint. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

export type TrainEvent =
  /** All settings were checked, and the run's folder is there. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'progress'; readonly iteration: number; readonly progress: Progress }
  | { readonly kind: 'warm start'; readonly loss: number | null; readonly seconds: number }
  | { readonly kind: 'evaluation'; readonly iteration: number; readonly evaluation: Evaluation }
  | { readonly kind: 'iteration'; readonly metrics: IterationMetrics }
  | { readonly kind: 'checkpoint'; readonly iteration: number }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly outcome: FaultOutcome }
  | TuningEvent;

/** `summary.json`. Success rates are fractions. */
export interface Summary {
  readonly seed: number;
  readonly adapter: string;
  readonly wallSeconds: number;
  readonly before: EvaluationSummary;
  readonly after: EvaluationSummary;
  /** Prompt and reply tokens of the rollouts, over the seconds of the iterations they belong to. */
  readonly tokensPerSecond: number;
  /** Share of the iterations' seconds that advantages took. */
  readonly advantageShare: number;
}

export interface EvaluationSummary {
  readonly success: number;
  readonly interval: readonly [number, number];
  readonly episodes: number;
  /** Tasks left out because the environment failed every time. */
  readonly dropped: number;
  readonly byTask: Readonly<Record<string, number>>;
  readonly meanLength: number;
  readonly validShare: number;
  /**
   * Mean partial credit, and means of what it consists of; the success rate and nothing where the environment gives
   * none.
   */
  readonly score: number;
  readonly components: Readonly<Record<string, number>>;
}

/**
 * Trains and leaves a run folder with config, metrics, rollouts, checkpoints and summary.
 * @throws {ProxmoError} `config`, `file`; `interrupted` after a checkpoint was saved, if the signal fired
 */
export async function trainRun(engine: Engine, options: TrainRunOptions): Promise<Summary> {
  const { name, options: settings } = options.config.environment;
  const taskSet = await createNamedTaskSet(name, settings);
  try {
    return await trainOn(taskSet, engine, options);
  } finally {
    await taskSet.close?.();
  }
}

async function trainOn(taskSet: TaskSet, engine: Engine, options: TrainRunOptions): Promise<Summary> {
  const { dir, config, version, resume } = options;
  const session = { version, adapter: describeAdapter(engine) };
  const plan = await planRun(engine, config, taskSet);
  checkPlan(plan);
  // Where memory is limited, what programs share is made as planned, and not bit by bit in sizes that come to more.
  if (plan.limits.total !== null) engine.reserve(plan.shared);
  const choices = await RunChoices.start(engine, options);
  const begin = async () => new TrainRun(engine, options, taskSet, await newPolicySource(engine, config, taskSet));
  const goOn = async (run: Run) =>
    (await run.latestCheckpoint()) === null
      ? begin()
      : new TrainRun(engine, options, taskSet, { source: await loadPolicySource(engine, config, run), files: {} });
  // A new run makes its folder only when everything that can be wrong with the settings was checked.
  const fresh = resume ? null : await begin();
  const writer = fresh
    ? await createRun(dir, { ...session, config: { ...config }, seed: config.seed })
    : await resumeRun(dir, session);
  options.onEvent?.({ kind: 'begin' });
  try {
    await choices?.keepIn(writer);
    return await (fresh ?? (await goOn(writer))).run(writer);
  } finally {
    choices?.release();
    writer.close();
  }
}

/** A run's configuration, checked again: the file may have been edited. */
export function runConfig(run: Run): TrainConfig {
  return checked(
    trainConfigSchema,
    run.config,
    (problem) => new ProxmoError('config', `${run.dir}: config.yaml: ${problem}; restore it.`),
  );
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
  const config = runConfig(run);
  const saved = await run.openCheckpoint(checkpoint);
  try {
    const tuning = await keepToChoices(engine, run);
    const source = await loadPolicySource(engine, config, run, storageFor(precision ?? config.precision, false));
    await restoreWeights(engine, source.model, saved);
    return { source, config, run, iteration: saved.iteration, tuning };
  } finally {
    await saved.close();
  }
}

/**
 * A trained run, ready to act: what `proxmo eval` and `proxmo play` start from.
 * @param checkpoint the iteration; default: the last
 * @param episodes that there are to play; where they are more than those of the run's evaluations, more of them are
 * played at once, as far as `engine.memory` allows
 * @returns a trainer whose task set the caller closes
 * @throws {ProxmoError} `file`, `config`, `environment`; `shape` if the device cannot bind what the policy needs
 */
export async function loadRun(
  engine: Engine,
  dir: string,
  checkpoint?: number,
  episodes = 0,
): Promise<{ trainer: Trainer } & Pick<TrainedModel, 'run' | 'iteration' | 'tuning'>> {
  const { source, config, run, iteration, tuning } = await loadRunModel(engine, dir, checkpoint);
  const { name, options } = config.environment;
  // To act takes no reference, which may be as large as the policy.
  const acting = { ...config, loss: { ...config.loss, klCoefficient: 0 } };
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

class TrainRun {
  private readonly started = performance.now();
  private readonly trainer: Trainer;
  private writer!: RunWriter;
  private totals: Totals = { wallSeconds: 0, iterationSeconds: 0, advantageSeconds: 0, tokens: 0, before: null };
  private iteration = 0;

  constructor(
    private readonly engine: Engine,
    private readonly options: TrainRunOptions,
    taskSet: TaskSet,
    private readonly start: NewPolicySource,
  ) {
    this.trainer = new Trainer(engine, options.config, taskSet, start.source, {
      onProgress: (progress) => options.onEvent?.({ kind: 'progress', iteration: this.iteration, progress }),
      onFault: (fault, outcome) => options.onEvent?.({ kind: 'fault', fault, outcome }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }

  async run(writer: RunWriter): Promise<Summary> {
    const { config } = this.options;
    this.writer = writer;
    await this.begin();
    while (this.iteration < config.training.iterations) await this.iterate();
    const after = await this.evaluate();
    await this.checkpoint();
    const summary = this.summarise(summariseEvaluation(after));
    await this.writer.writeSummary(summary as unknown as JsonObject);
    return summary;
  }

  /** Brings the trainer to the last checkpoint, or through the warm start. */
  private async begin(): Promise<void> {
    const resumed = this.options.resume ? await this.writer.latestCheckpoint() : null;
    if (resumed === null) {
      for (const [name, text] of Object.entries(this.start.files)) await this.writer.writeFile(name, text);
      await this.warmStart();
    } else {
      const saved = await this.writer.openCheckpoint();
      this.iteration = saved.iteration;
      this.totals = await restoreState(this.engine, this.trainer, saved).finally(() => saved.close());
    }
  }

  private async warmStart(): Promise<void> {
    const started = performance.now();
    const loss = await this.trainer.warmStart();
    this.options.onEvent?.({ kind: 'warm start', loss, seconds: (performance.now() - started) / 1000 });
    this.totals = { ...this.totals, before: summariseEvaluation(await this.evaluate()) };
    await this.checkpoint();
  }

  private async iterate(): Promise<void> {
    const { config } = this.options;
    const { metrics, episodes, advantages } = await this.trainer
      .iterate(this.iteration)
      .catch((error) => this.leave(error));
    this.iteration++;
    this.totals = {
      ...this.totals,
      iterationSeconds: this.totals.iterationSeconds + metrics.seconds.total,
      advantageSeconds: this.totals.advantageSeconds + metrics.seconds.advantage,
      tokens: this.totals.tokens + metrics.tokens,
    };
    this.writer.metrics.append({ kind: 'train', ...flatten(metrics), iteration: this.iteration });
    this.options.onEvent?.({ kind: 'iteration', metrics });
    await this.writeRollout(
      episodes
        .flatMap(({ steps }) => steps)
        .map(({ prompt: _, reply, logProbs: __, bound: ___, ...row }, index) => ({
          ...row,
          tokens: reply.length,
          advantage: advantages.advantage[index],
          episodeAdvantage: advantages.episode[index],
          stepAdvantage: advantages.step[index],
        })),
    );
    const isLast = this.iteration === config.training.iterations;
    const { every } = config.checkpoints;
    if (config.evaluation.every > 0 && this.iteration % config.evaluation.every === 0 && !isLast) await this.evaluate();
    if (every > 0 && this.iteration % every === 0 && !isLast) await this.checkpoint();
  }

  /**
   * After an interruption the weights are those of the last whole iteration: they are saved before the error goes on.
   */
  private async leave(error: unknown): Promise<never> {
    if (error instanceof ProxmoError && error.code === 'interrupted') await this.checkpoint();
    throw error;
  }

  private async evaluate(): Promise<Evaluation> {
    const evaluation = await this.trainer.evaluate();
    const { byTask, interval, components, ...rates } = evaluation;
    const successByType = Object.fromEntries(Object.entries(byTask).map(([type, { success }]) => [type, success]));
    const figures = flatten({ ...rates, low: interval[0], high: interval[1], successByType, components });
    this.writer.metrics.append({ kind: 'eval', ...figures, iteration: this.iteration });
    this.options.onEvent?.({ kind: 'evaluation', iteration: this.iteration, evaluation });
    return evaluation;
  }

  private async checkpoint(): Promise<void> {
    if ((await this.writer.latestCheckpoint()) === this.iteration) return;
    const totals = { ...this.totals, wallSeconds: this.wallSeconds };
    await this.writer.saveCheckpoint(
      captureState(this.engine, this.trainer, this.iteration, totals),
      this.options.config.checkpoints.keep,
    );
    this.options.onEvent?.({ kind: 'checkpoint', iteration: this.iteration });
  }

  /** The rollout's rows as JSON lines, in the form that `proxmo advantages` reads, with the advantages they got. */
  private async writeRollout(rows: readonly object[]): Promise<void> {
    const folder = join(this.writer.dir, rolloutFolder);
    await mkdir(folder, { recursive: true });
    const name = `${String(this.iteration).padStart(6, '0')}.jsonl`;
    await writeFileAtomic(join(folder, name), [rows.map((row) => `${JSON.stringify(row)}\n`).join('')]);
  }

  private get wallSeconds(): number {
    return this.totals.wallSeconds + (performance.now() - this.started) / 1000;
  }

  private summarise(after: EvaluationSummary): Summary {
    const { tokens, iterationSeconds, advantageSeconds, before } = this.totals;
    return {
      seed: this.options.config.seed,
      adapter: this.engine.gpu.adapter.name,
      wallSeconds: this.wallSeconds,
      before: before ?? after,
      after,
      tokensPerSecond: iterationSeconds > 0 ? tokens / iterationSeconds : 0,
      advantageShare: iterationSeconds > 0 ? advantageSeconds / iterationSeconds : 0,
    };
  }
}

export function summariseEvaluation(evaluation: Evaluation): EvaluationSummary {
  const { success, interval, episodes, dropped, byTask, meanLength, validShare, score, components } = evaluation;
  const rates = Object.fromEntries(Object.entries(byTask).map(([type, rate]) => [type, rate.success]));
  return { success, interval, episodes, dropped, byTask: rates, meanLength, validShare, score, components };
}

/** Nested figures as `seconds/rollout`, lists as `groupSuccessHistogram/3`. */
function flatten(metrics: object): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const [name, value] of Object.entries(metrics) as [
    string,
    number | Record<string, number> | readonly number[],
  ][]) {
    if (typeof value === 'number') flat[name] = value;
    else
      for (const [part, figure] of Object.entries(value))
        flat[`${name === 'successByType' ? 'success' : name}/${part}`] = figure;
  }
  return flat;
}

function describeAdapter(engine: Engine): JsonObject {
  const { name, vendor, architecture, driver, profile } = engine.gpu.adapter;
  return { name, vendor, architecture, driver, kind: profile.kind, features: [...profile.features] };
}
