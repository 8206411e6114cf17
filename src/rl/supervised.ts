/**
 * Supervised training: passes over token sequences whose replies are to be written as they stand. The warm start of a
 * run and `proxmo sft` are both this. It can be left between two steps, and gone on with to the same bits.
 */
import { replyTokens, type TokenSequence } from '../nn/replies.ts';
import { learningRateAt, type Schedule } from '../nn/schedule.ts';
import type { Transformer } from '../nn/transformer.ts';
import { scale } from '../ops/elementwise.ts';
import { dot } from '../ops/reduce.ts';
import type { Engine } from '../tensor/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Optimiser, type OptimiserOptions, type TrainingSequence } from './optimise.ts';

/** What is learned, in which order. It must give the same whenever it is asked. */
export interface Curriculum {
  /** Optimiser steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Optimiser steps in all; the last epoch may end early. */
  readonly totalSteps: number;
  /** Of the learning rate, over all steps. */
  readonly schedule: Omit<Schedule, 'totalSteps'>;
  readonly optimiser: OptimiserOptions;
  /**
   * The mini-batches of an epoch, each with its sequences. Column `weight` is a token's share in the loss that is
   * minimised, and `replyWeight` its share in the loss that is told: the mean over reply tokens.
   */
  batchesOf(epoch: number): readonly (() => readonly TrainingSequence[])[];
}

/** How far a training has come, between two steps. */
export interface CurriculumProgress {
  /** Steps done. */
  readonly step: number;
  /** Sum over the steps of the epoch of the mean loss of their replies, in nats a token. */
  readonly epochLoss: number;
}

/** A step that was made, or left out. */
export interface StepOutcome {
  /** Steps done, and all there are. */
  readonly step: number;
  readonly totalSteps: number;
  /** Mean loss of the replies in this step, in nats a token; NaN where it was left out. */
  readonly loss: number;
  /** The same over the steps of the epoch so far. */
  readonly epochLoss: number;
  readonly learningRate: number;
  /** Global norm of the gradient before clipping; NaN where the step was left out. */
  readonly gradientNorm: number;
  /** What was learned from. */
  readonly sequences: readonly TrainingSequence[];
}

export interface SupervisedHooks {
  /** Called after each optimiser step, and waited for. */
  readonly onStep: (outcome: StepOutcome) => void | Promise<void>;
  /** Told why a step was left out. */
  readonly onSkip?: (reason: string) => void;
}

/** Minimises the cross-entropy of replies (and of other tokens, as far as they have a weight). */
export class SupervisedTraining {
  readonly optimiser: Optimiser;
  /** Null within a step. Where it goes on, this is set to what it was, with the optimiser's moments and progress. */
  progress: CurriculumProgress | null = { step: 0, epochLoss: 0 };

  constructor(
    engine: Engine,
    model: Transformer,
    private readonly curriculum: Curriculum,
  ) {
    this.optimiser = new Optimiser(
      engine,
      model,
      curriculum.optimiser,
      ['weight', 'replyWeight'],
      ({ logProbs, column }) => {
        const { logProb } = logProbs();
        const negativeSum = (weights: Tensor) => scale(dot(logProb, weights), -1);
        return { loss: negativeSum(column('weight')), statistics: negativeSum(column('replyWeight')) };
      },
    );
  }

  /**
   * Takes the steps that are left.
   * @returns mean loss of the replies in the last epoch, in nats a token
   * @throws {ProxmoError} `gpu-error`; `non-finite` if no step can be made; what `onStep` throws, which ends it
   */
  async run({ onStep, onSkip }: SupervisedHooks): Promise<number> {
    const { stepsPerEpoch, totalSteps, schedule } = this.curriculum;
    const { step: from, epochLoss } = this.progress!;
    let sum = epochLoss;
    let batches: ReturnType<Curriculum['batchesOf']> = [];
    for (let step = from; step < totalSteps; step++) {
      const index = step % stepsPerEpoch;
      if (index === 0) sum = 0;
      if (index === 0 || step === from) batches = this.curriculum.batchesOf(Math.floor(step / stepsPerEpoch));
      this.progress = null;
      const sequences = batches[index]!();
      const learningRate = learningRateAt({ ...schedule, totalSteps }, step);
      const { statistics, gradientNorm, skipped } = await this.optimiser.step(sequences, learningRate);
      if (skipped !== null) onSkip?.(skipped);
      const loss = statistics.reduce((total, part) => total + (part[0] ?? 0), 0);
      // A step that was left out counts as the mean of those before.
      sum += skipped === null ? loss : sum / Math.max(1, index);
      this.progress = { step: step + 1, epochLoss: sum };
      await onStep({
        step: step + 1,
        totalSteps,
        loss: skipped === null ? loss : Number.NaN,
        epochLoss: sum / (index + 1),
        learningRate,
        gradientNorm,
        sequences,
      });
    }
    this.optimiser.checkLearned();
    return sum / (((totalSteps - 1) % stepsPerEpoch) + 1);
  }

  /** Frees gradients, moments and programs. */
  destroy(): void {
    this.optimiser.destroy();
  }
}

/**
 * Sequences whose loss is the mean over reply tokens, plus `promptWeight` times that of the other tokens. What is read
 * repeats itself (what is seen comes back among the options), so predicting it is practice in copying.
 */
export function withWeights(sequences: readonly TokenSequence[], promptWeight: number): TrainingSequence[] {
  const unit = 1 / sequences.reduce((total, sequence) => total + replyTokens(sequence), 0);
  return sequences.map((sequence) => {
    const { tokens, replies } = sequence;
    if (promptWeight === 0) {
      const weight = new Float32Array(replyTokens(sequence)).fill(unit);
      return { tokens, replies, columns: { weight, replyWeight: weight } };
    }
    const weight = new Float32Array(tokens.length - 1).fill(promptWeight * unit);
    const replyWeight = new Float32Array(tokens.length - 1);
    for (const { start, length } of replies)
      for (const column of [weight, replyWeight]) column.fill(unit, start - 1, start - 1 + length);
    return { tokens, replies: [{ start: 1, length: tokens.length - 1 }], columns: { weight, replyWeight } };
  });
}
