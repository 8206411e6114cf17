/**
 * The course of a training run: warm start, iterations, evaluations, checkpoints and summary. Whatever ends it early,
 * what was learned up to the last whole iteration is saved first, as far as the device still gives it.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { isSystemError } from '../base/systemErrors.node.ts';
import type { Task, TaskSet } from '../envs/environment.ts';
import { type Fault, type FaultOutcome, tellFault } from '../envs/faults.ts';
import type { OpenCheckpoint } from '../runs/checkpoint.ts';
import type { JsonObject } from '../runs/json.ts';
import type { MetricRecord } from '../runs/metrics.ts';
import { followRun, type MetricsFollower } from '../runs/metricsForms.ts';
import type { RunWriter } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import type { TrainConfig } from './config.ts';
import { type RolloutRecord, recordHeldOut, recordRollout } from './credit/recordRows.ts';
import type { Evaluation } from './evaluate.ts';
import type { Left, LiveProgress } from './liveProgress.ts';
import type { IterationMetrics } from './metrics.ts';
import { checkOpenings } from './openings.ts';
import type { OptimiserProgress } from './optimise.ts';
import type { NewPolicySource } from './policySource.node.ts';
import { endedEarly, isInterruption, whyUnsaved } from './runSession.node.ts';
import { type RunTasks, taskListing } from './runTasks.ts';
import type { TuningEvent } from './runTuning.node.ts';
import { evaluationFigures, flatFigures, type Summary, summariseEvaluation } from './summary.ts';
import type { SupervisedTraining } from './supervised.ts';
import { type IterationResult, type Progress, Trainer, type TrainerOptions } from './trainer.ts';
import {
  captureState,
  captureSupervised,
  type RunProgress,
  restoreState,
  restoreSupervised,
} from './trainerState.node.ts';
import type { WarmStartOutcome, WarmStarts } from './warmStarts.node.ts';
import { WorkLeft } from './workLeft.ts';

/** What is kept of a run with its warm start: its seconds so far. */
const warmStartSchema = z.object({ wallSeconds: z.number() });

/** What a run tells of itself. */
export type TrainEvent =
  /** All settings were checked, and the run's folder is there. */
  | {
      readonly kind: 'begin';
      /** The checkpoint that it goes on from; null at its beginning. */
      readonly from: number | null;
    }
  /** The run that was to go on is finished already; nothing was changed. */
  | { readonly kind: 'finished'; readonly iterations: number }
  | {
      readonly kind: 'progress';
      /** Iterations that are done. */
      readonly iteration: number;
      readonly progress: Progress;
      /** How far the run is, in time. */
      readonly run: Left;
    }
  | {
      readonly kind: 'warm start';
      readonly loss: number | null;
      readonly seconds: number;
      /** Whether it is that of another run. */
      readonly isShared: boolean;
    }
  | { readonly kind: 'evaluation'; readonly iteration: number; readonly evaluation: Evaluation }
  | { readonly kind: 'iteration'; readonly metrics: IterationMetrics }
  | { readonly kind: 'checkpoint'; readonly iteration: number }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly outcome: FaultOutcome }
  | TuningEvent;

export interface TrainingRunOptions {
  readonly config: TrainConfig;
  readonly signal?: AbortSignal;
  /** Told of what happens, as it happens. */
  readonly onEvent?: (event: TrainEvent) => void;
  /** Warm starts that runs of the same settings share. */
  readonly warmStarts?: WarmStarts;
  /** Who plays; by default the run itself. */
  readonly actors?: TrainerOptions['actors'] | undefined;
}

export class TrainingRun {
  private readonly started = performance.now();
  private readonly trainer: Trainer;
  private writer!: RunWriter;
  private work!: WorkLeft;
  /** Has the metrics in other forms as they come. */
  private follower!: MetricsFollower;
  private progress: RunProgress;
  private iteration = 0;
  /** How far the optimiser had come after the last whole iteration; null before the end of the warm start. */
  private whole: OptimiserProgress | null = null;
  /** Iteration of the last checkpoint. */
  private saved: number | null = null;
  private hasLearned = false;
  /** The warm start while it is under way. */
  private cloning: SupervisedTraining | null = null;
  /** Step of the warm start that was saved last; null if none was. */
  private savedStep: number | null = null;

  constructor(
    private readonly engine: Engine,
    private readonly options: TrainingRunOptions,
    taskSet: TaskSet,
    private readonly start: NewPolicySource,
  ) {
    this.trainer = new Trainer(engine, options.config, taskSet, start.source, {
      onProgress: (progress) => this.tellProgress(progress),
      onFault: (fault, outcome) => this.tellFault(fault, outcome),
      onWarning: (text) => this.tellWarning(text),
      actors: options.actors,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    this.progress = {
      totals: { wallSeconds: 0, iterationSeconds: 0, advantageSeconds: 0, tokens: 0, before: null },
      evaluation: null,
      tasks: taskHashes(this.trainer.tasks),
    };
  }

  /** @throws {ProxmoError} `config` if what the policy is to read does not fit the tasks */
  async checkReading(): Promise<void> {
    const { policy, taskSet, tasks, config } = this.trainer;
    if (config.prompt.memory !== 'transcript') return;
    const lists = [tasks.training, tasks.demonstrated, tasks.heldOut];
    await checkOpenings(policy.player.prompts, taskSet, lists, config.environment);
  }

  /** Whether there is anything that it would be a loss to lose. */
  get isWorthKeeping(): boolean {
    return this.hasLearned || this.savedStep !== null;
  }

  /**
   * Brings the trainer to a checkpoint.
   * @throws {ProxmoError} `file` if it does not fit, `environment` if the tasks are others
   */
  async restore(checkpoint: OpenCheckpoint): Promise<void> {
    const { tasks } = this.progress;
    this.progress = await restoreState(this.engine, this.trainer, checkpoint);
    checkTasks(this.progress.tasks, tasks);
    this.iteration = checkpoint.iteration;
    this.saved = checkpoint.iteration;
    this.hasLearned = true;
    this.markWhole();
  }

  /**
   * Trains until the last iteration is done and evaluated.
   * @throws {ProxmoError} what ended it, with a sentence on what was saved
   */
  async run(writer: RunWriter): Promise<Summary> {
    this.writer = writer;
    this.work = new WorkLeft(this.options.config, this.whole === null ? null : this.iteration);
    const records = await writer.readMetrics();
    this.follower = await followRun(
      this.options.config.logging,
      writer.dir,
      records,
      Date.parse(writer.manifest.started),
    );
    for (const text of this.trainer.tasks.notes) this.options.onEvent?.({ kind: 'warning', text });
    try {
      if (this.whole === null) await this.warmStart();
      await this.evaluateIfDue();
      if (this.saved === null) await this.checkpoint();
      while (this.iteration < this.options.config.training.iterations) await this.iterate();
      if (this.progress.evaluation === null) await this.evaluate();
      await this.checkpoint();
      return await this.finish();
    } catch (error) {
      throw await this.leave(error);
    } finally {
      this.follower.close();
    }
  }

  private async warmStart(): Promise<void> {
    const { files } = this.start;
    for (const [name, text] of Object.entries(files)) await this.writer.writeFile(name, text);
    this.checkSignal();
    const started = performance.now();
    const shared = await this.options.warmStarts?.take(this.engine, this.trainer, files);
    const loss = shared ? shared.loss : await this.imitate();
    const seconds = (performance.now() - started) / 1000;
    this.cloning = null;
    this.hasLearned = loss !== null;
    this.markWhole();
    this.work.endPhase();
    this.options.onEvent?.({ kind: 'warm start', loss, seconds, isShared: Boolean(shared) });
    if (shared)
      this.writer.log(`begun with a warm start of the same settings, which took ${shared.seconds.toFixed(1)} s`);
    else if (loss !== null) await this.share({ loss, seconds });
  }

  private async imitate(): Promise<number | null> {
    let saved = performance.now();
    const { warmStartMinutes } = this.options.config.checkpoints;
    return this.trainer.warmStart({
      onBegin: (cloning) => this.beginCloning(cloning),
      onStep: async () => {
        const isDue = warmStartMinutes > 0 && performance.now() - saved >= 60_000 * warmStartMinutes;
        if (!isDue && !this.options.signal?.aborted) return;
        await this.saveWarmStart();
        saved = performance.now();
      },
    });
  }

  /** Keeps the warm start for other runs. This one goes on without. */
  private async share(outcome: WarmStartOutcome): Promise<void> {
    const { engine, trainer, start, options } = this;
    await options.warmStarts?.keep(engine, trainer, start.files, outcome).catch((error: unknown) => {
      if (!(error instanceof ProxmoError || isSystemError(error))) throw error;
      this.tellWarning(`The warm start could not be kept for other runs: ${error.message}`);
    });
  }

  /** Goes on with the warm start that was saved, if one was. */
  private async beginCloning(cloning: SupervisedTraining): Promise<void> {
    this.cloning = cloning;
    const { checkpoint: saved, problems } = await this.writer.openWarmStart();
    for (const text of problems) {
      this.writer.log(text);
      this.options.onEvent?.({ kind: 'warning', text });
    }
    if (!saved) return;
    try {
      const { model } = this.trainer.policy;
      const { wallSeconds } = await restoreSupervised(this.engine, model, cloning, saved, warmStartSchema);
      this.progress = { ...this.progress, totals: { ...this.progress.totals, wallSeconds } };
      this.savedStep = saved.iteration;
      this.writer.log(`the warm start goes on after its step ${saved.iteration}`);
    } finally {
      await saved.close();
    }
  }

  /** Saves the warm start where it is between two steps. */
  private async saveWarmStart(): Promise<void> {
    const { cloning } = this;
    if (!cloning?.progress || cloning.progress.step === (this.savedStep ?? 0)) return;
    const { progress } = cloning;
    const rest: z.input<typeof warmStartSchema> = { wallSeconds: this.wallSeconds };
    const state = captureSupervised(this.engine, this.trainer.policy.model, cloning, progress, rest);
    await this.writer.saveWarmStart(state);
    this.savedStep = progress.step;
  }

  private async iterate(): Promise<void> {
    this.checkSignal();
    const result = await this.trainer.iterate(this.iteration);
    await this.record(result);
    const { config } = this.options;
    await this.evaluateIfDue();
    const { every } = config.checkpoints;
    const isLast = this.iteration === config.training.iterations;
    if (every > 0 && this.iteration % every === 0 && !isLast) await this.checkpoint();
  }

  /** Writes down what an iteration came to, which makes it whole. */
  private async record(result: IterationResult): Promise<void> {
    const { metrics } = result;
    const { totals } = this.progress;
    const iteration = this.iteration + 1;
    await this.keep(recordRollout(iteration, result, this.trainer.policy));
    await this.report({ kind: 'train', time: timeStamp(), ...flatFigures(metrics), iteration });
    this.iteration = iteration;
    this.progress = {
      ...this.progress,
      evaluation: null,
      totals: {
        ...totals,
        iterationSeconds: totals.iterationSeconds + metrics.seconds.total,
        advantageSeconds: totals.advantageSeconds + metrics.seconds.advantage,
        tokens: totals.tokens + metrics.tokens,
      },
    };
    this.hasLearned = true;
    this.markWhole();
    this.work.endPhase();
    this.options.onEvent?.({ kind: 'iteration', metrics });
  }

  private async keep(record: RolloutRecord | null): Promise<void> {
    if (record) await this.writer.rollouts.write(record.batch, record.groups, record.indexOf);
  }

  private async report(record: MetricRecord): Promise<void> {
    this.writer.metrics.append(record);
    await this.follower.append(record);
  }

  /** Evaluates before training and on the way, where the settings say so and it was not done. */
  private async evaluateIfDue(): Promise<void> {
    const { evaluation, training } = this.options.config;
    const { every } = evaluation;
    const isOnTheWay = every > 0 && this.iteration % every === 0 && this.iteration < training.iterations;
    const isDue = this.iteration === 0 ? this.progress.totals.before === null : isOnTheWay;
    if (isDue && this.progress.evaluation === null) await this.evaluate();
  }

  private async evaluate(): Promise<void> {
    let record: RolloutRecord | null = null;
    const result = await this.trainer.evaluate((episodes) => {
      record = recordHeldOut(this.iteration, episodes, this.trainer.policy);
    });
    await this.keep(record);
    const evaluation = summariseEvaluation(result);
    await this.report({
      kind: 'eval',
      time: timeStamp(),
      ...evaluationFigures(result),
      iteration: this.iteration,
    });
    const { totals } = this.progress;
    this.progress = { ...this.progress, evaluation, totals: { ...totals, before: totals.before ?? evaluation } };
    this.work.endPhase();
    this.options.onEvent?.({ kind: 'evaluation', iteration: this.iteration, evaluation: result });
  }

  private async checkpoint(): Promise<void> {
    if (this.saved === this.iteration) return;
    const totals = { ...this.progress.totals, wallSeconds: this.wallSeconds };
    const state = captureState(this.engine, this.trainer, this.iteration, { ...this.progress, totals });
    await this.writer.saveCheckpoint(state, this.options.config.checkpoints.keep);
    if (this.saved === null) await this.writer.removeWarmStart();
    this.saved = this.iteration;
    this.options.onEvent?.({ kind: 'checkpoint', iteration: this.iteration });
  }

  private async finish(): Promise<Summary> {
    const { totals, evaluation: after } = this.progress;
    const { tokens, iterationSeconds, advantageSeconds, before } = totals;
    const summary: Summary = {
      seed: this.options.config.seed,
      adapter: this.engine.gpu.adapter.name,
      wallSeconds: this.wallSeconds,
      before: before!,
      after: after!,
      tokensPerSecond: iterationSeconds > 0 ? tokens / iterationSeconds : 0,
      advantageShare: iterationSeconds > 0 ? advantageSeconds / iterationSeconds : 0,
    };
    await this.writer.writeSummary(summary as unknown as JsonObject);
    this.writer.log(`finished after iteration ${this.iteration}`);
    return summary;
  }

  /**
   * Saves what can be saved before the run ends early.
   * @returns the error, which says what was saved
   */
  private async leave(error: unknown): Promise<unknown> {
    let problem = 'the update that failed had begun to change it';
    if (this.isWhole && (isInterruption(error) || this.hasLearned)) {
      // A device that is lost, or a full disk, fails here too.
      await this.checkpoint().catch((cause: unknown) => {
        problem = cause === error ? 'nothing of it can be had any more' : whyUnsaved(cause);
      });
    }
    const outcome = this.describeOutcome(problem);
    const ended = endedEarly(this.writer, error, outcome, this.isWorthKeeping);
    if (ended === error && this.isWorthKeeping) this.options.onEvent?.({ kind: 'warning', text: outcome });
    return ended;
  }

  private describeOutcome(problem: string): string {
    const { iteration, saved, whole } = this;
    const command = `proxmo train --resume ${this.writer.dir}`;
    if (whole === null && this.savedStep !== null)
      return `The warm start is saved after its step ${this.savedStep}; go on with: ${command}`;
    if (whole === null) return `The warm start was not done, and nothing of it is kept; begin again with: ${command}`;
    const done = iteration === 0 ? 'What was done before the first iteration' : `Iteration ${iteration}`;
    if (saved === iteration)
      return `${done} of ${this.options.config.training.iterations} is saved; go on with: ${command}`;
    if (saved === null) return `${done} could not be saved (${problem}); begin again with: ${command}`;
    return `What came after iteration ${saved} is lost (${problem}); go on from there with: ${command}`;
  }

  /** Whether the trainer is as the last whole iteration left it. */
  private get isWhole(): boolean {
    const { steps, microBatches } = this.trainer.optimiser.progress;
    return this.whole?.steps === steps && this.whole.microBatches === microBatches;
  }

  private markWhole(): void {
    this.whole = this.trainer.optimiser.progress;
  }

  private checkSignal(): void {
    if (this.options.signal?.aborted) throw new ProxmoError('interrupted', 'The run was interrupted.');
  }

  private tellProgress(progress: Progress): void {
    const { work, iteration } = this;
    work.note(progress);
    const run = { share: work.share, seconds: work.seconds };
    this.writer.progress.write({ ...progress, iteration, stage: work.stage, run } satisfies Omit<LiveProgress, 'time'>);
    this.options.onEvent?.({ kind: 'progress', iteration, progress, run });
  }

  private tellWarning(text: string): void {
    this.writer.log(text);
    this.options.onEvent?.({ kind: 'warning', text });
  }

  private tellFault(fault: Fault, outcome: FaultOutcome): void {
    this.writer.log(tellFault(fault, outcome));
    this.options.onEvent?.({ kind: 'fault', fault, outcome });
  }

  private get wallSeconds(): number {
    return this.progress.totals.wallSeconds + (performance.now() - this.started) / 1000;
  }
}

/** When a record was taken. */
function timeStamp(): string {
  return new Date().toISOString();
}

type TaskHashes = RunProgress['tasks'];

function taskHashes({ training, heldOut }: RunTasks): TaskHashes {
  const hash = (tasks: readonly Task[]) => createHash('sha256').update(taskListing(tasks)).digest('hex');
  return { training: hash(training), heldOut: hash(heldOut) };
}

/** @throws {ProxmoError} `environment` if the tasks are not those that the run began with */
function checkTasks(before: TaskHashes, now: TaskHashes): void {
  const what = before.heldOut !== now.heldOut ? 'held-out' : before.training !== now.training ? 'training' : null;
  if (what === null) return;
  throw new ProxmoError(
    'environment',
    `The environment gives other ${what} tasks than when the run began, so its figures could not be compared; restore the environment's data, or start a new run.`,
  );
}
