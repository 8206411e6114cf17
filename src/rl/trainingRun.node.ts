/**
 * The course of a training run: warm start, iterations, evaluations, checkpoints and summary. Whatever ends it early,
 * what was learned up to the last whole iteration is saved first, as far as the device still gives it.
 */
import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from '../envs/environment.ts';
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
import { RolloutWriter } from './rolloutWriter.node.ts';
import { RunClock } from './runClock.ts';
import { type BeginEvent, endedEarly, isInterruption, whyUnsaved } from './runSession.node.ts';
import type { TuningEvent } from './runTuning.node.ts';
import { RunWarmStart } from './runWarmStart.node.ts';
import { evaluationFigures, flatFigures, type Summary, summariseEvaluation } from './summary.ts';
import { checkTasks, taskHashes } from './taskHashes.node.ts';
import { type IterationResult, type Progress, Trainer, type TrainerOptions } from './trainer.ts';
import { captureState, type RunProgress, restoreState } from './trainerState.node.ts';
import type { WarmStarts } from './warmStarts.node.ts';
import { WorkLeft } from './workLeft.ts';

/** What a run tells of itself. */
export type TrainEvent =
  | BeginEvent
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
  private readonly clock = new RunClock();
  private readonly warmStart: RunWarmStart;
  private readonly trainer: Trainer;
  private writer!: RunWriter;
  /** Writes what was played, while the next is. */
  private rows!: RolloutWriter;
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
    this.warmStart = new RunWarmStart(engine, this.trainer, {
      files: start.files,
      clock: this.clock,
      warmStarts: options.warmStarts,
      signal: options.signal,
      onWarning: (text) => this.tellWarning(text),
    });
    this.progress = {
      totals: {
        wallSeconds: 0,
        warmStartSeconds: null,
        iterationSeconds: 0,
        advantageSeconds: 0,
        tokens: 0,
        before: null,
      },
      evaluation: null,
      tasks: taskHashes(this.trainer.tasks),
    };
  }

  /**
   * What would else be found after the warm start.
   * @throws {ProxmoError} `config` if what the policy is to read does not fit the tasks, or a task sampler of one's own
   * cannot be made
   */
  async checkTasks(): Promise<void> {
    const { policy, taskSet, tasks, config } = this.trainer;
    void this.trainer.sampler;
    if (config.prompt.memory !== 'transcript') return;
    const lists = [tasks.training, tasks.demonstrated, tasks.heldOut];
    await checkOpenings(policy.player.prompts, taskSet, lists, config.environment);
  }

  /** Whether there is anything that it would be a loss to lose. */
  get isWorthKeeping(): boolean {
    return this.hasLearned || this.warmStart.savedStep !== null;
  }

  /**
   * Brings the trainer to a checkpoint.
   * @throws {ProxmoError} `file` if it does not fit, `environment` if the tasks are others
   */
  async restore(checkpoint: OpenCheckpoint): Promise<void> {
    const { tasks } = this.progress;
    this.progress = await restoreState(this.engine, this.trainer, checkpoint);
    checkTasks(this.progress.tasks, tasks);
    this.clock.before = this.progress.totals.wallSeconds;
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
    this.rows = new RolloutWriter(writer.rollouts);
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
      if (this.whole === null) await this.begin();
      await this.evaluateIfDue();
      if (this.saved === null) await this.checkpoint();
      while (this.iteration < this.options.config.training.iterations) await this.iterate();
      if (this.progress.evaluation === null) await this.evaluate();
      await this.checkpoint();
      return await this.finish();
    } catch (error) {
      throw await this.leave(error);
    } finally {
      // What could not be written has been told, or another error was before it.
      await this.rows.end().catch(() => {});
      this.follower.close();
    }
  }

  private async begin(): Promise<void> {
    for (const [name, text] of Object.entries(this.start.files)) await this.writer.writeFile(name, text);
    this.checkSignal();
    const outcome = await this.warmStart.run(this.writer);
    this.progress = { ...this.progress, totals: { ...this.progress.totals, warmStartSeconds: outcome.seconds } };
    this.hasLearned = outcome.loss !== null;
    this.markWhole();
    this.work.endPhase();
    this.options.onEvent?.({ kind: 'warm start', ...outcome });
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
    await this.rows.begin(recordRollout(iteration, result, this.trainer.policy));
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
    await this.rows.begin(record);
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
    await this.rows.end();
    if (this.saved === this.iteration) return;
    const totals = { ...this.progress.totals, wallSeconds: this.clock.seconds };
    const state = captureState(this.engine, this.trainer, this.iteration, { ...this.progress, totals });
    await this.writer.saveCheckpoint(state, this.options.config.checkpoints.keep);
    if (this.saved === null) await this.writer.removeWarmStart();
    this.saved = this.iteration;
    this.options.onEvent?.({ kind: 'checkpoint', iteration: this.iteration });
  }

  private async finish(): Promise<Summary> {
    const { totals, evaluation: after } = this.progress;
    const { tokens, warmStartSeconds, iterationSeconds, advantageSeconds, before } = totals;
    const summary: Summary = {
      seed: this.options.config.seed,
      adapter: this.engine.gpu.adapter.name,
      wallSeconds: this.clock.seconds,
      warmStartSeconds,
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
    if (whole === null && this.warmStart.savedStep !== null)
      return `The warm start is saved after its step ${this.warmStart.savedStep}; go on with: ${command}`;
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
}

/** When a record was taken. */
function timeStamp(): string {
  return new Date().toISOString();
}
