/** The policy update of an iteration: optimiser steps on the policy loss over the turns that were played. */

import type { TokenSequence } from '../nn/replies.ts';
import { learningRateAt } from '../nn/schedule.ts';
import type { Transformer } from '../nn/transformer.ts';
import { add, scale } from '../ops/elementwise.ts';
import { ppoLoss } from '../ops/ppoLoss.ts';
import { dot } from '../ops/reduce.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { AdvantageResult } from './advantages/index.ts';
import { tokenWeights } from './aggregation.ts';
import type { TrainConfig } from './config.ts';
import { type ContextSequence, contextSequences } from './episodeMemory.ts';
import { evenParts } from './miniBatches.ts';
import { checkLogProbs, checkTurn } from './nonFinite.ts';
import { type GradientSource, Optimiser, type StepReport, type TrainingSequence } from './optimise.ts';
import { makeOwnLoss } from './own/policyLoss.ts';
import { ownLossOf } from './own/settings.ts';
import type { Policy } from './policy.ts';
import { drawDemonstrations, rehearsed, rehearses } from './rehearsal.ts';
import type { Episode, RolloutStep } from './rollout.ts';
import { Scorer } from './score.ts';
import { ImportanceWeights, type StalenessReport, upToDate } from './staleness.ts';

export interface UpdateResult {
  /** Of each optimiser step that was tried. */
  readonly reports: readonly StepReport[];
  /** Of the last one. */
  readonly learningRate: number;
  /** Of each step, whether its reply ended because it may be no longer, `[steps]`. */
  readonly cut: readonly boolean[];
  /**
   * The reference's log-probabilities of each step's reply, `[steps]`; null where there is no reference, or the step
   * was not trained on.
   */
  readonly referenceLogProbs: readonly (ArrayLike<number> | null)[];
  readonly staleness: StalenessReport;
}

interface UpdateOptions {
  /** Told what share of the update is done. */
  readonly onProgress: (done: number) => void;
  /** Told in a sentence of steps that were left out. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Who computes gradients; by default this device. */
  readonly gradients?: GradientSource | null;
}

/**
 * The optimiser of a policy's PPO loss.
 * @param gradients who computes its gradients; by default its own device
 */
export function policyOptimiser(
  engine: Engine,
  { model }: Pick<Policy, 'model'>,
  config: TrainConfig,
  gradients: GradientSource | null = null,
): Optimiser {
  const { optimiser, sampling, loss, seed } = config;
  const own = ownLossOf(config);
  const ownLoss = own && makeOwnLoss(own);
  return new Optimiser(
    engine,
    model,
    { ...optimiser, seed: new Random(seed, 'dropout').nextWord() },
    ['oldLogProb', 'referenceLogProb', 'advantage', 'weight', ...(rehearses(config) ? ['imitation'] : [])],
    ({ logProbs, column }) => {
      const { logProb, entropy } = logProbs(sampling.temperature);
      const given = { oldLogProb: column('oldLogProb'), referenceLogProb: column('referenceLogProb') };
      const inputs = { logProb, entropy, ...given, advantage: column('advantage'), weight: column('weight') };
      // Metrics are PPO's whatever is minimised, so that runs compare.
      const ppo = ppoLoss(inputs, loss);
      const minimised = ownLoss ? ownLoss(inputs, loss) : ppo.loss;
      if (!rehearses(config)) return { ...ppo, loss: minimised };
      return { ...ppo, loss: add(minimised, scale(dot(logProb, column('imitation')), -1)) };
    },
    gradients,
  );
}

export class PolicyUpdate {
  readonly optimiser: Optimiser;
  private readonly scorer: Scorer | null;
  /** Of the policy itself, where an earlier one plays. */
  private readonly proximalScorer: Scorer | null;

  /** @param reference of the KL term; null where there is none */
  constructor(
    engine: Engine,
    private readonly policy: Policy,
    reference: Transformer | null,
    private readonly config: TrainConfig,
    private readonly options: UpdateOptions,
  ) {
    const { optimiser, sampling, fleet } = config;
    const scorerOf = (model: Transformer) =>
      new Scorer(engine, model, optimiser.microBatchTokens, sampling.temperature);
    this.scorer = reference && scorerOf(reference);
    this.proximalScorer = fleet.staleness > 0 ? scorerOf(policy.model) : null;
    this.optimiser = policyOptimiser(engine, policy, config, options.gradients);
  }

  /**
   * @param iteration counted from 0
   * @param advantages of the episodes' steps, in the same order
   * @param demonstrations to learn from besides, of which each step draws some; none where
   * `loss.imitationCoefficient` is 0
   * @param corrections to learn from besides, which are shared out among the steps of a pass
   * @param isStale whether an earlier policy played the episodes
   * @throws {ProxmoError} `non-finite` if nothing can be learned, naming the step or the tensor
   */
  async run(
    iteration: number,
    episodes: readonly Episode[],
    advantages: AdvantageResult,
    demonstrations: readonly TokenSequence[] = [],
    corrections: readonly TokenSequence[] = [],
    isStale = false,
  ): Promise<UpdateResult> {
    const before = this.optimiser.progress;
    const sequences = this.weighed(episodes, advantages).filter(({ turns }) => this.counted(turns).length > 0);
    const steps = episodes.flatMap((episode) => episode.steps);
    const referenceLogProbs: (ArrayLike<number> | null)[] = steps.map(() => null);
    try {
      const importance = isStale ? new ImportanceWeights(this.config.fleet.importanceCap) : null;
      const scored = await this.scored(sequences, referenceLogProbs, importance);
      const reports = await this.passes(iteration, scored, demonstrations, corrections);
      this.optimiser.checkLearned();
      this.warnOfSkips(iteration, reports);
      return {
        reports,
        learningRate: this.learningRate(iteration + 1, 0, -1),
        cut: steps.map(({ reply }) => this.policy.isCut(reply)),
        referenceLogProbs,
        staleness: importance?.report ?? upToDate,
      };
    } catch (error) {
      // Steps that were only tried have changed nothing.
      if (this.optimiser.progress.steps === before.steps) this.optimiser.progress = before;
      throw error;
    }
  }

  private async passes(
    iteration: number,
    sequences: readonly ScoredSequence[],
    demonstrations: readonly TokenSequence[],
    corrections: readonly TokenSequence[],
  ): Promise<StepReport[]> {
    const { epochs, miniBatches, miniBatchRows } = this.config.training;
    const rowsOf = ({ sequence }: ScoredSequence) => this.counted(sequence.turns).length;
    const rows = sequences.reduce((sum, sequence) => sum + rowsOf(sequence), 0);
    const count = miniBatchRows === null ? miniBatches : Math.ceil(rows / miniBatchRows);
    const reports: StepReport[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const shuffled = new Random(this.config.seed, `update ${iteration} ${epoch}`).shuffle(sequences);
      const batches = evenParts(shuffled, count, rowsOf);
      const corrected = evenParts(corrections, batches.length, ({ replies }) => replies.length);
      for (const [index, batch] of batches.entries()) {
        const rate = this.learningRate(iteration, epoch, index);
        const shown = [
          ...drawDemonstrations(demonstrations, this.config, `${iteration} ${epoch} ${index}`),
          ...(corrected[index] ?? []),
        ];
        const learned = [...this.trainingSequences(batch), ...rehearsed(shown, this.config)];
        reports.push(await this.optimiser.step(learned, rate));
        this.options.onProgress((epoch + (index + 1) / batches.length) / epochs);
      }
    }
    return reports;
  }

  /** The rate of an optimiser step. It follows from the iteration, so that a resumed run has the same. */
  private learningRate(iteration: number, epoch: number, miniBatch: number): number {
    const { iterations, epochs, miniBatches, learningRate, schedule, warmup } = this.config.training;
    const totalSteps = iterations * epochs * miniBatches;
    const step = (iteration * epochs + epoch) * miniBatches + miniBatch;
    return learningRateAt({ peak: learningRate, course: schedule, warmup, totalSteps }, step);
  }

  private warnOfSkips(iteration: number, reports: readonly StepReport[]): void {
    const reasons = reports.flatMap(({ skipped }) => skipped ?? []);
    if (reasons.length === 0) return;
    this.options.onWarning?.(
      `iteration ${iteration + 1}: ${reasons.length} of ${reports.length} optimiser steps were left out, since ${reasons[0]}`,
    );
  }

  /** The turns that are trained on. */
  private counted<Step extends RolloutStep>(turns: readonly Step[]): readonly Step[] {
    return this.config.loss.maskTruncated ? turns.filter((turn) => !this.policy.isCut(turn.reply)) : turns;
  }

  /**
   * With the reference's log-probabilities of their replies; the sampler's where there is no reference.
   * @param referenceLogProbs takes the former, by the rows of their turns
   * @param importance set where an earlier policy played: tokens then count by it, and old log-probabilities are those
   * of the policy before its update
   */
  private async scored(
    sequences: readonly WeighedSequence[],
    referenceLogProbs: (ArrayLike<number> | null)[],
    importance: ImportanceWeights | null,
  ): Promise<ScoredSequence[]> {
    for (const { turns } of sequences) for (const turn of turns) checkTurn(turn);
    const scores = await this.scorer?.score(sequences);
    const proximal = importance && (await this.proximalScorer?.score(sequences));
    return sequences.map((sequence, index) => {
      const sampled = concatenated(sequence.turns, ({ logProbs }) => logProbs);
      const score = scores?.[index];
      for (const [turn, ofReply] of score ? repliesOf(sequence, score) : []) {
        checkLogProbs(turn, ofReply, 'reference');
        referenceLogProbs[turn.row] = ofReply;
      }
      const oldLogProb = proximal?.[index];
      const common = { sequence, referenceLogProb: score ?? sampled };
      if (!importance || !oldLogProb) return { ...common, oldLogProb: sampled, importance: null };
      for (const [turn, ofReply] of repliesOf(sequence, oldLogProb)) checkLogProbs(turn, ofReply, 'policy');
      const counted = new Set(this.counted(sequence.turns));
      const isCounted = sequence.turns.flatMap((turn) => turn.reply.map(() => counted.has(turn)));
      return { ...common, oldLogProb, importance: importance.of(oldLogProb, sampled, (token) => isCounted[token]!) };
    });
  }

  /** The episodes as sequences to learn from. @param advantages of their steps, in the same order */
  private weighed(episodes: readonly Episode[], { advantage }: AdvantageResult): WeighedSequence[] {
    let row = 0;
    return episodes.flatMap(({ steps }) => {
      const episodeTokens = this.counted(steps).reduce((sum, { reply }) => sum + reply.length, 0);
      return contextSequences(steps.map((step) => ({ ...step, row, advantage: advantage[row++] ?? 0, episodeTokens })));
    });
  }

  private trainingSequences(batch: readonly ScoredSequence[]): TrainingSequence[] {
    const weights = tokenWeights(
      batch.flatMap(({ sequence: { turns } }) => {
        const counted = new Set(this.counted(turns));
        return turns.map((turn) => ({
          length: counted.has(turn) ? turn.reply.length : 0,
          ofEpisode: turn.episodeTokens,
        }));
      }),
      this.config.loss.aggregation,
      this.config.sampling.maxNewTokens,
    );
    let at = 0;
    return batch.map(({ sequence: { tokens, replies, turns }, oldLogProb, referenceLogProb, importance }) => ({
      tokens,
      replies,
      columns: {
        oldLogProb,
        referenceLogProb,
        // The surrogate is as much larger as its advantage is: clips hold on to the ratio, whatever that is.
        advantage: concatenated(turns, ({ reply, advantage }) => reply.map(() => advantage)).map(
          (advantage, token) => advantage * (importance?.[token] ?? 1),
        ),
        ...(rehearses(this.config) ? { imitation: concatenated(turns, ({ reply }) => reply.map(() => 0)) } : {}),
        weight: concatenated(turns, ({ reply }) => new Array<number>(reply.length).fill(weights[at++] ?? 0)),
      },
    }));
  }
}

/** A step with its number among all steps, and what it was worth. */
type WeighedStep = RolloutStep & {
  readonly row: number;
  readonly advantage: number;
  /** Tokens of its episode that are trained on. */
  readonly episodeTokens: number;
};
type WeighedSequence = ContextSequence<WeighedStep>;

interface ScoredSequence {
  readonly sequence: WeighedSequence;
  /** Of each token of the replies: of the policy that PPO's ratio is to, and of the reference. */
  readonly oldLogProb: ArrayLike<number>;
  readonly referenceLogProb: ArrayLike<number>;
  /** By what each token counts; null where all count fully. */
  readonly importance: ArrayLike<number> | null;
}

/** The part of each reply in numbers of all tokens of a sequence's replies. */
function repliesOf({ turns }: WeighedSequence, numbers: Float32Array): [WeighedStep, Float32Array][] {
  let at = 0;
  return turns.map((turn) => [turn, numbers.subarray(at, (at += turn.reply.length))]);
}

/** One number for each token of the replies of turns. */
function concatenated(
  turns: readonly WeighedStep[],
  numbersOf: (turn: WeighedStep) => readonly number[],
): Float32Array<ArrayBuffer> {
  return Float32Array.from(turns.flatMap(numbersOf));
}
