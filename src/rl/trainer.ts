/**
 * Training with ProxMO or a baseline: warm start on demonstrations, then iterations of rollout, advantages and policy
 * update. All chance is drawn from the seed and counters, so a run that is resumed at an iteration goes on with the
 * same bits.
 */

import { ProxmoError } from '../base/errors.ts';
import { Queue } from '../base/queue.ts';
import type { Task, TaskSet } from '../envs/environment.ts';
import { type Fault, FaultLog, type FaultOutcome } from '../envs/faults.ts';
import { copyWeights } from '../nn/halfWeights.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { Engine } from '../tensor/engine.ts';
import type { ParameterSlab } from '../tensor/variable.ts';
import { AdvantageEstimator, type AdvantageResult, type HiddenStates } from './advantages/index.ts';
import type { TrainConfig } from './config.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { stateRowsOf } from './hiddenStates.ts';
import { LearningSignal } from './learningSignal.ts';
import { Lessons } from './lessons.ts';
import type { Phase } from './liveProgress.ts';
import { type IterationMetrics, iterationMetrics, Stopwatch } from './metrics.ts';
import type { GradientSource, MicroBatch, MicroGradient, Optimiser } from './optimise.ts';
import { episodesAtOnce, Policy } from './policy.ts';
import type { PolicySource } from './policySource.ts';
import { PolicyUpdate, policyOptimiser, type UpdateResult } from './policyUpdate.ts';
import { ownWeightsOf, referenceOf } from './reference.ts';
import { type Episode, type Play, playEpisodes, type RolloutResult } from './rollout.ts';
import { RunTasks } from './runTasks.ts';
import { checkStaleness, NextRollout } from './staleness.ts';
import type { SupervisedTraining } from './supervised.ts';
import { type TaskSampler, taskSampler } from './taskSampler.ts';
import { cloneBehaviour } from './warmStart.ts';
import { wholeGroups } from './wholeGroups.ts';

/** What the trainer is doing, for a progress line. */
export interface Progress {
  readonly phase: Phase;
  /** Share of the phase that is done. */
  readonly done: number;
  /** What there is to say of it, as `loss 1.2`. */
  readonly detail?: string;
}

/** Plays the episodes of a run in place of its own process, as on other machines. */
export interface Actors {
  /**
   * Plays with the weights of a policy as they are, which must stay until it is done.
   * @param name of what is played, as `iteration 3`
   * @param model the policy, or where the settings say so (`fleet.staleness`) an earlier one
   */
  play(name: string, model: Transformer): Play;
  /** Computes gradients with the policy's weights as they are; null where the trainer does that itself. */
  readonly gradients: GradientSource | null;
}

export interface TrainerOptions {
  /** Who plays; by default the trainer itself. */
  readonly actors?: ((trainer: Trainer) => Actors) | undefined;
  /** Most episodes that are played at once; default: as `batchRows` of the settings. */
  readonly rows?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Told of every fault of the environment, and of what comes of it. */
  readonly onFault?: (fault: Fault, outcome: FaultOutcome) => void;
  /** Told in a sentence of what the run survives but its user should know, as an optimiser step that was left out. */
  readonly onWarning?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Told of the warm start as it goes, to keep what it has come to. */
export interface WarmStartHooks {
  /** Called when the demonstrations are there, before the first step. */
  readonly onBegin?: (cloning: SupervisedTraining) => Promise<void>;
  /** Called after each step, and waited for. */
  readonly onStep?: () => Promise<void>;
}

/** What one iteration came to. */
export interface IterationResult {
  readonly metrics: IterationMetrics;
  /** Those that were learned from. */
  readonly episodes: readonly Episode[];
  readonly advantages: AdvantageResult;
  readonly update: UpdateResult;
}

/** Episode numbers name random streams. Evaluations use numbers that training never reaches. */
export const firstEvaluationEpisode = 0x8000_0000;

/**
 * Asynchronous methods that are called while another is under way wait for its end, in the order of the calls.
 * @example
 * await using trainer = new Trainer(engine, config, taskSet, wordPolicySource(config, tokenizerFor(taskSet)));
 * await trainer.warmStart();
 * const { metrics } = await trainer.iterate(0);
 * const { success } = await trainer.evaluate();
 */
export class Trainer {
  readonly policy: Policy;
  readonly tasks: RunTasks;
  /** The faults of the run's environment. */
  readonly faults: FaultLog;
  /** What the policy is shown besides what it plays. Its own successes are part of a checkpoint. */
  readonly lessons: Lessons;
  /** The policy after the warm start, which the KL term holds on to; null without a KL term. */
  readonly reference: Transformer | null;
  /** What the next iteration is played by where an earlier policy plays; null where the policy itself always does. */
  readonly next: NextRollout | null;
  private readonly policyUpdate: PolicyUpdate;
  private readonly estimator: AdvantageEstimator;
  private readonly actors: Actors;
  /** Computes gradients that are to be compared; the optimiser that learns waits for them. */
  private auditing: Optimiser | undefined;
  private readonly signal = new LearningSignal();
  private chooser: TaskSampler | undefined;
  /** Each phase works with the weights that the one before left. */
  private readonly queue = new Queue();
  /** What the trainer makes on the device is made through it. */
  private readonly engine: Engine;

  /** @throws {ProxmoError} `config` if the settings want a fleet, and nobody plays for it */
  constructor(
    engine: Engine,
    readonly config: TrainConfig,
    readonly taskSet: TaskSet,
    source: PolicySource,
    private readonly options: TrainerOptions = {},
  ) {
    checkStaleness(config, options.actors !== undefined);
    this.engine = engine.part();
    this.policy = new Policy(this.engine, config, source, taskSet, {
      rows: options.rows,
      stateRows: stateRowsOf(config, taskSet),
    });
    this.faults = new FaultLog(config.environment, options.onFault);
    this.reference = referenceOf(this.policy.model, config);
    this.next =
      config.fleet.staleness > 0
        ? new NextRollout(this.engine, this.policy.model, this.playIteration.bind(this))
        : null;
    this.rememberPolicy();
    this.actors = options.actors?.(this) ?? {
      play: () => (tasks, how) => playEpisodes(this.policy.player, taskSet, tasks, how),
      gradients: null,
    };
    this.policyUpdate = new PolicyUpdate(this.engine, this.policy, this.reference, config, {
      onProgress: (done) => this.report('update', done),
      onWarning: options.onWarning,
      gradients: this.actors.gradients,
    });
    this.estimator = new AdvantageEstimator(config.advantages, this.engine);
    this.tasks = new RunTasks(taskSet, config);
    this.lessons = new Lessons(this.policy.player, taskSet, this.tasks, this.faults, config);
  }

  /**
   * Behaviour cloning on the expert's demonstrations, then remembers the result as the reference policy.
   * @returns the mean loss of the last epoch, in nats a token; null where there is no task or no epoch of it
   * @throws {ProxmoError} `config` if there is nothing to learn from; `non-finite` if nothing can be learned
   */
  warmStart(hooks: WarmStartHooks = {}): Promise<number | null> {
    return this.queue.run(() => this.imitate(hooks));
  }

  /** Makes the weights that `restore` puts into the policy those after the warm start. */
  startFrom(restore: () => Promise<void>): Promise<void> {
    return this.queue.run(async () => {
      await restore();
      this.rememberPolicy();
    });
  }

  /** How far it has come is part of a checkpoint, and its moments are. */
  get optimiser(): Optimiser {
    return this.policyUpdate.optimiser;
  }

  /** The gradient of a micro-batch with the weights as they are, computed here, whoever computes those of updates. */
  gradientOf(batch: MicroBatch): Promise<MicroGradient> {
    this.auditing ??= policyOptimiser(this.engine, this.policy, this.config);
    return this.auditing.gradientOf(batch);
  }

  /** What the reference has of its own, as checkpoints keep it. */
  get referenceWeights(): ParameterSlab | null {
    return ownWeightsOf(this.reference, this.policy.model);
  }

  /** Chooses the tasks of iterations. What it knows of them is part of a checkpoint. */
  get sampler(): TaskSampler {
    return (this.chooser ??= taskSampler(this.tasks.training, this.config));
  }

  /**
   * Success on the held-out tasks.
   * @param onPlayed given the episodes that were played to their end
   */
  evaluate(onPlayed?: (episodes: readonly Episode[]) => void): Promise<Evaluation> {
    return this.queue.run(() => {
      this.report('evaluation', 0);
      return evaluate(this.policy.player, this.taskSet, this.tasks.heldOut, {
        play: this.actors.play('evaluation', this.policy.model),
        controls: this.policy.evaluationControls,
        firstEpisode: firstEvaluationEpisode,
        atOnce: episodesAtOnce(this.config),
        faults: this.faults,
        onTurn: (_running, _total, done) => this.report('evaluation', done),
        ...(onPlayed ? { onPlayed } : {}),
        ...this.signalOption(),
      });
    });
  }

  /**
   * One iteration of rollout, advantages and update.
   * @param iteration counted from 0; decides tasks and random numbers
   * @throws {ProxmoError} `non-finite`, naming the tensor or the step, if nothing can be learned; `interrupted`;
   * `environment`
   */
  iterate(iteration: number): Promise<IterationResult> {
    return this.queue.run(() => this.learn(iteration));
  }

  /**
   * Frees what the trainer made on the device, after what is under way: its programs, KV cache, gradients, moments, and
   * weights unless they were there before it.
   */
  destroy(): Promise<void> {
    return this.queue.run(async () => this.engine.destroy());
  }

  /** `destroy`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  private async imitate(hooks: WarmStartHooks): Promise<number | null> {
    let loss: number | null = null;
    const { demonstrated } = this.tasks;
    if (demonstrated.length > 0 && this.config.warmStart.epochs > 0) {
      this.report('demonstrations', 0);
      const demonstrations = await this.lessons.demonstrations();
      this.report('warm start', 0);
      loss = await cloneBehaviour(this.engine, this.policy.model, demonstrations, this.config, {
        interchangeable: this.interchangeableTokens(),
        onBegin: async (cloning) => hooks.onBegin?.(cloning),
        onStep: async ({ step, totalSteps, epochLoss }) => {
          await hooks.onStep?.();
          this.checkSignal();
          this.report('warm start', step / totalSteps, `loss ${epochLoss.toFixed(3)}`);
        },
        onSkip: (reason) => this.options.onWarning?.(`warm start: an optimiser step was left out, since ${reason}`),
      });
    }
    this.rememberPolicy();
    return loss;
  }

  private async learn(iteration: number): Promise<IterationResult> {
    const watch = new Stopwatch();
    this.report('rollout', 0);
    const tasks = this.sampler.choose(iteration);
    const isStale = this.next?.iteration === iteration;
    const rollout = await watch.time('rollout', () =>
      isStale
        ? this.next!.take(iteration, tasks, this.faults)
        : this.playIteration(iteration, tasks, this.policy.model, this.faults),
    );
    const { episodes, groupsLeftOut } = wholeGroups(rollout, this.config.training.groupSize);
    const steps = episodes.flatMap((episode) => episode.steps);
    this.report('advantages', 0);
    const advantages = await watch.time('advantage', () => this.estimator.estimate(steps, this.statesOf(episodes)));
    // Not between optimiser steps: a checkpoint after an interruption must hold the weights of whole iterations.
    this.checkSignal();
    this.playNext(iteration, tasks, episodes);
    this.report('update', 0);
    const update = await watch.time('update', async () => {
      const shown = await this.lessons.rehearsal();
      const corrections = await this.lessons.corrections(iteration, episodes);
      return this.policyUpdate.run(iteration, episodes, advantages, shown, corrections, isStale);
    });
    const metrics = iterationMetrics({
      iteration,
      episodes,
      dropped: rollout.dropped.length,
      groupsLeftOut,
      faults: [...rollout.episodes, ...rollout.dropped].reduce((sum, { faults }) => sum + faults, 0),
      advantages,
      hasReference: this.reference !== null,
      ...update,
      seconds: watch.seconds,
      bindGroups: this.engine.memory.bindGroups,
      config: this.config,
    });
    this.sampler.note(tasks, episodes);
    this.lessons.successes?.note(episodes);
    const advice = this.signal.note(metrics);
    if (advice !== null) this.options.onWarning?.(advice);
    return { metrics, episodes, advantages, update };
  }

  /** The policy's hidden states, and which of them is each step's; null where none are kept. */
  private statesOf(episodes: readonly Episode[]): HiddenStates | null {
    const table = this.policy.states;
    return (
      table && { table, stateOf: episodes.flatMap(({ steps, firstState = 0 }) => steps.map((_, t) => firstState + t)) }
    );
  }

  /** Has the next iteration played by the policy before its update, where the settings say so. */
  private playNext(iteration: number, tasks: readonly Task[], episodes: readonly Episode[]): void {
    const { next, sampler, config } = this;
    if (!next) return;
    next.keepPolicy(iteration + 1);
    if (iteration + 1 >= config.training.iterations) return;
    // The iteration is not whole yet, so the sampler must not keep what it is told of it here.
    const before = structuredClone(sampler.state);
    sampler.note(tasks, episodes);
    const following = sampler.choose(iteration + 1);
    sampler.state = before;
    next.begin(following);
  }

  private playIteration(
    iteration: number,
    tasks: readonly Task[],
    model: Transformer,
    faults: FaultLog,
    isAwaited = () => true,
  ): Promise<RolloutResult> {
    const { groupSize } = this.config.training;
    const groups = tasks.flatMap((task) => Array.from({ length: groupSize }, () => task));
    return this.actors.play(`iteration ${iteration + 1}`, model)(groups, {
      controls: this.policy.trainingControls,
      firstEpisode: iteration * tasks.length * groupSize,
      atOnce: episodesAtOnce(this.config),
      keepStates: this.policy.states !== null,
      faults,
      onTurn: (_running, _total, done) => {
        if (isAwaited()) this.report('rollout', done);
      },
      ...this.signalOption(),
    });
  }

  /**
   * The tokens of words that change places in demonstrations.
   * @throws {ProxmoError} `config` if the environment names none, or the vocabulary has no token for each
   */
  private interchangeableTokens(): number[][] {
    if (this.config.warmStart.permuteWords === 0) return [];
    const { tokenizer } = this.policy.player;
    const lists = (this.taskSet.interchangeableWords?.() ?? []).map((words) =>
      words.map((word) => tokenizer.encode(word)).filter(({ length }) => length === 1),
    );
    if (lists.every((list) => list.length < 2)) {
      throw new ProxmoError(
        'config',
        `The environment ${this.taskSet.name} has no words that could change places, or the policy's vocabulary spells them in pieces; set warmStart.permuteWords to 0.`,
      );
    }
    return lists.map((list) => list.map(([token]) => token!));
  }

  /** Makes the policy as it is now the reference. */
  private rememberPolicy(): void {
    const { referenceWeights } = this;
    if (referenceWeights) copyWeights(this.engine, this.policy.model.trainable, referenceWeights);
  }

  private report(phase: Phase, done: number, detail?: string): void {
    this.options.onProgress?.({ phase, done, ...(detail === undefined ? {} : { detail }) });
  }

  private signalOption(): { signal?: AbortSignal } {
    return this.options.signal ? { signal: this.options.signal } : {};
  }

  private checkSignal(): void {
    if (this.options.signal?.aborted)
      throw new ProxmoError('interrupted', 'The run was interrupted; it can be resumed from its last checkpoint.');
  }
}
