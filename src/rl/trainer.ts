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
import type { TokenSequence } from '../nn/replies.ts';
import type { Transformer } from '../nn/transformer.ts';
import { ppoLoss } from '../ops/ppoLoss.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { ParameterSlab } from '../tensor/variable.ts';
import { AdvantageEstimator, type AdvantageResult } from './advantages/index.ts';
import { tokenWeights } from './aggregation.ts';
import type { TrainConfig } from './config.ts';
import { demonstrate } from './demonstrations.ts';
import { type ContextSequence, contextSequences } from './episodeMemory.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { type IterationMetrics, iterationMetrics, Stopwatch } from './metrics.ts';
import { Optimiser, type StepReport, type TrainingSequence } from './optimise.ts';
import { Policy } from './policy.ts';
import type { PolicySource } from './policySource.ts';
import { ownWeightsOf, referenceOf } from './reference.ts';
import { type Episode, playEpisodes, type RolloutResult, type RolloutStep, wholeGroups } from './rollout.ts';
import { Scorer } from './score.ts';
import { type BehaviourCloning, cloneBehaviour } from './warmStart.ts';

/** What the trainer is doing, for a progress line. */
export interface Progress {
  readonly phase: 'demonstrations' | 'warm start' | 'rollout' | 'advantages' | 'update' | 'evaluation';
  /** Share of the phase that is done. */
  readonly done: number;
  /** What there is to say of it, as `loss 1.2`. */
  readonly detail?: string;
}

export interface TrainerOptions {
  /** Most episodes that are played at once; default: as `batchRows` of the settings. */
  readonly rows?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Told of every fault of the environment, and of what comes of it. */
  readonly onFault?: (fault: Fault, outcome: FaultOutcome) => void;
  readonly signal?: AbortSignal;
}

/** Told of the warm start as it goes, to keep what it has come to. */
export interface WarmStartHooks {
  /** Called when the demonstrations are there, before the first step. */
  readonly onBegin?: (cloning: BehaviourCloning) => Promise<void>;
  /** Called after each step, and waited for. */
  readonly onStep?: () => Promise<void>;
}

export interface IterationResult {
  readonly metrics: IterationMetrics;
  /** Those that were learned from. */
  readonly episodes: readonly Episode[];
  readonly advantages: AdvantageResult;
}

/** Episode numbers name random streams. Evaluations use numbers that training never reaches. */
export const firstEvaluationEpisode = 0x8000_0000;

/** Asynchronous methods that are called while another is under way wait for its end, in the order of the calls. */
export class Trainer {
  readonly policy: Policy;
  readonly optimiser: Optimiser;
  /** The faults of the run's environment. */
  readonly faults: FaultLog;
  /** The policy after the warm start, which the KL term holds on to; null without a KL term. */
  readonly reference: Transformer | null;
  private readonly scorer: Scorer | null;
  private readonly estimator: AdvantageEstimator;
  private readonly heldOut: readonly Task[];
  /** The training tasks, which iterations take in turn. */
  private readonly pool: readonly Task[];
  /** Each phase works with the weights that the one before left. */
  private readonly queue = new Queue();

  constructor(
    private readonly engine: Engine,
    readonly config: TrainConfig,
    readonly taskSet: TaskSet,
    source: PolicySource,
    private readonly options: TrainerOptions = {},
  ) {
    const { optimiser, sampling, loss, evaluation, training, seed } = config;
    this.policy = new Policy(engine, config, source, taskSet.thinkAction, options.rows);
    this.faults = new FaultLog(config.environment, options.onFault);
    this.reference = referenceOf(this.policy.model, config);
    this.rememberPolicy();
    this.scorer =
      this.reference && new Scorer(engine, this.reference, optimiser.microBatchTokens, sampling.temperature);
    this.optimiser = new Optimiser(
      engine,
      this.policy.model,
      { ...optimiser, seed: new Random(seed, 'dropout').nextWord() },
      ['oldLogProb', 'referenceLogProb', 'advantage', 'weight'],
      ({ logProbs, column }) => {
        const { logProb, entropy } = logProbs(sampling.temperature);
        const given = { oldLogProb: column('oldLogProb'), referenceLogProb: column('referenceLogProb') };
        return ppoLoss({ logProb, entropy, ...given, advantage: column('advantage'), weight: column('weight') }, loss);
      },
    );
    this.estimator = new AdvantageEstimator(config.advantages, engine);
    this.pool = taskSet.tasks('train', Math.max(training.pool, training.tasks), seed);
    this.heldOut = taskSet.tasks(evaluation.split, evaluation.tasks, evaluation.seed);
  }

  /**
   * Behaviour cloning on the expert's demonstrations, then remembers the result as the reference policy.
   * @returns the mean loss of the last epoch, in nats a token; null where the warm start is off
   */
  warmStart(hooks: WarmStartHooks = {}): Promise<number | null> {
    return this.queue.run(() => this.imitate(hooks));
  }

  /** What the reference has of its own, as checkpoints keep it. */
  get referenceWeights(): ParameterSlab | null {
    return ownWeightsOf(this.reference, this.policy.model);
  }

  /** Success on the held-out tasks. */
  evaluate(): Promise<Evaluation> {
    return this.queue.run(() =>
      evaluate(this.policy.player, this.taskSet, this.heldOut, {
        controls: this.policy.evaluationControls,
        firstEpisode: firstEvaluationEpisode,
        faults: this.faults,
        onTurn: (running, total) => this.report('evaluation', 1 - running / total),
        ...this.signalOption(),
      }),
    );
  }

  /**
   * One iteration of rollout, advantages and update.
   * @param iteration counted from 0; decides tasks and random numbers
   */
  iterate(iteration: number): Promise<IterationResult> {
    return this.queue.run(() => this.learn(iteration));
  }

  private async imitate(hooks: WarmStartHooks): Promise<number | null> {
    const { warmStart, seed } = this.config;
    let loss: number | null = null;
    if (warmStart.tasks > 0) {
      this.report('demonstrations', 0);
      const demonstrations = await demonstrate(
        this.policy.player,
        this.taskSet,
        this.taskSet.tasks('train', warmStart.tasks, seed),
        {
          teacher: warmStart.teacher,
          noise: warmStart.noise,
          seed,
          stepTimeoutSeconds: this.config.environment.stepTimeoutSeconds,
        },
      );
      this.checkDemonstrations(demonstrations);
      loss = await cloneBehaviour(this.engine, this.policy.model, demonstrations, this.config, {
        interchangeable: this.interchangeableTokens(),
        onBegin: async (cloning) => hooks.onBegin?.(cloning),
        onStep: async (done, current) => {
          await hooks.onStep?.();
          this.checkSignal();
          this.report('warm start', done, `loss ${current.toFixed(3)}`);
        },
      });
    }
    this.rememberPolicy();
    return loss;
  }

  private async learn(iteration: number): Promise<IterationResult> {
    const watch = new Stopwatch();
    const rollout = await watch.time('rollout', () => this.rollout(iteration));
    const { episodes, groupsLeftOut } = wholeGroups(rollout, this.config.training.groupSize);
    const steps = episodes.flatMap((episode) => episode.steps);
    this.report('advantages', 0);
    const advantages = await watch.time('advantage', () => this.estimator.estimate(steps));
    const reports = await watch.time('update', () => this.update(iteration, episodes, advantages));
    return {
      metrics: iterationMetrics({
        iteration,
        episodes,
        dropped: rollout.dropped.length,
        groupsLeftOut,
        faults: [...rollout.episodes, ...rollout.dropped].reduce((sum, { faults }) => sum + faults, 0),
        advantages,
        reports,
        seconds: watch.seconds,
        bindGroups: this.engine.memory.bindGroups,
        config: this.config,
      }),
      episodes,
      advantages,
    };
  }

  private rollout(iteration: number): Promise<RolloutResult> {
    const { tasks: taskCount, groupSize } = this.config.training;
    const first = iteration * taskCount;
    const tasks = Array.from({ length: taskCount }, (_, index) => this.pool[(first + index) % this.pool.length]!);
    return playEpisodes(
      this.policy.player,
      this.taskSet,
      tasks.flatMap((task) => Array.from({ length: groupSize }, () => task)),
      {
        controls: this.policy.trainingControls,
        firstEpisode: iteration * taskCount * groupSize,
        faults: this.faults,
        onTurn: (running, total) => this.report('rollout', 1 - running / total),
        ...this.signalOption(),
      },
    );
  }

  private async update(
    iteration: number,
    episodes: readonly Episode[],
    advantages: AdvantageResult,
  ): Promise<StepReport[]> {
    // Not between the steps: a checkpoint after an interruption must hold the weights of whole iterations.
    this.checkSignal();
    const { epochs, miniBatches, learningRate } = this.config.training;
    const sequences = await this.scored(weighed(episodes, advantages));
    const reports: StepReport[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const shuffled = new Random(this.config.seed, `update ${iteration} ${epoch}`).shuffle(sequences);
      const size = Math.ceil(sequences.length / miniBatches);
      for (let start = 0; start < sequences.length; start += size) {
        const batch = this.trainingSequences(shuffled.slice(start, start + size));
        reports.push(await this.optimiser.step(batch, learningRate));
        this.report('update', (epoch + Math.min(1, (start + size) / sequences.length)) / epochs);
      }
    }
    return reports;
  }

  /** With the reference's log-probabilities of their replies; the sampler's where there is no reference. */
  private async scored(sequences: readonly WeighedSequence[]): Promise<ScoredSequence[]> {
    const scores = await this.scorer?.score(sequences);
    return sequences.map((sequence, index) => ({
      sequence,
      referenceLogProb: scores?.[index] ?? concatenated(sequence.turns, ({ logProbs }) => logProbs),
    }));
  }

  private trainingSequences(batch: readonly ScoredSequence[]): TrainingSequence[] {
    const weights = tokenWeights(
      batch.flatMap(({ sequence }) => sequence.turns.map(({ reply }) => reply.length)),
      this.config.loss.aggregation,
      this.config.sampling.maxNewTokens,
    );
    let at = 0;
    return batch.map(({ sequence: { tokens, replies, turns }, referenceLogProb }) => ({
      tokens,
      replies,
      columns: {
        oldLogProb: concatenated(turns, ({ logProbs }) => logProbs),
        referenceLogProb,
        advantage: concatenated(turns, ({ reply, advantage }) => reply.map(() => advantage)),
        weight: concatenated(turns, ({ reply }) => new Array<number>(reply.length).fill(weights[at++] ?? 0)),
      },
    }));
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

  /**
   * @throws {ProxmoError} `config` if there is nothing to learn from, or the policy could never write what it is shown
   */
  private checkDemonstrations(demonstrations: readonly TokenSequence[]): void {
    const { maxNewTokens } = this.config.sampling;
    if (demonstrations.length === 0) {
      throw new ProxmoError(
        'config',
        'The teacher finished none of its tasks, so there is nothing to learn from; allow more steps, or set warmStart.tasks to 0.',
      );
    }
    const longest = demonstrations
      .flatMap(({ replies }) => replies)
      .reduce((most, { length }) => Math.max(most, length), 0);
    if (longest > maxNewTokens) {
      throw new ProxmoError(
        'config',
        `A demonstrated reply takes ${longest} tokens, but sampling.maxNewTokens is ${maxNewTokens}; raise it.`,
      );
    }
  }

  private report(phase: Progress['phase'], done: number, detail?: string): void {
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

/** A step with what it was worth. */
type WeighedStep = RolloutStep & { readonly advantage: number };
type WeighedSequence = ContextSequence<WeighedStep>;

interface ScoredSequence {
  readonly sequence: WeighedSequence;
  /** Of each token of the replies. */
  readonly referenceLogProb: ArrayLike<number>;
}

/** The episodes as sequences to learn from. @param advantages of their steps, in the same order */
function weighed(episodes: readonly Episode[], { advantage }: AdvantageResult): WeighedSequence[] {
  let row = 0;
  return episodes.flatMap(({ steps }) =>
    contextSequences(steps.map((step) => ({ ...step, advantage: advantage[row++] ?? 0 }))),
  );
}

/** One number for each token of the replies of turns. */
function concatenated(
  turns: readonly WeighedStep[],
  numbersOf: (turn: WeighedStep) => readonly number[],
): Float32Array<ArrayBuffer> {
  return Float32Array.from(turns.flatMap(numbersOf));
}
