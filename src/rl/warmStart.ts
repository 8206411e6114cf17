/**
 * The warm start: behaviour cloning on an expert's demonstrations, so that the policy has some success to learn from.
 */

import { replyTokens, type TokenSequence } from '../nn/replies.ts';
import { learningRateAt } from '../nn/schedule.ts';
import type { Transformer } from '../nn/transformer.ts';
import { scale } from '../ops/elementwise.ts';
import { dot } from '../ops/reduce.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { TrainConfig } from './config.ts';
import { evenParts } from './miniBatches.ts';
import { Optimiser, type TrainingSequence } from './optimise.ts';

/** How far a warm start has come, between two steps. */
export interface CloningProgress {
  /** Steps done. */
  readonly step: number;
  /** Sum over the steps of the epoch of the mean loss of their replies, in nats a token. */
  readonly epochLoss: number;
}

export interface CloningOptions {
  /**
   * Called after each optimiser step with the share of all steps done and the mean loss of the epoch so far, in nats a
   * token, and waited for.
   */
  readonly onStep: (done: number, loss: number) => void | Promise<void>;
  /** Told why a step was left out. */
  readonly onSkip?: (reason: string) => void;
  /** Called before the first step: to go on from somewhere. */
  readonly onBegin?: (cloning: BehaviourCloning) => Promise<void>;
  /** Lists of tokens that change places in `warmStart.permuteWords` of the demonstrations. */
  readonly interchangeable?: readonly (readonly number[])[];
}

/**
 * Minimises the cross-entropy of the demonstrated replies, and to a lesser degree of the other tokens.
 * @returns mean loss of the replies in the last epoch, in nats a token
 * @throws {ProxmoError} `gpu-error`; `non-finite` if no step can be made; what `onStep` throws, which ends it
 */
export async function cloneBehaviour(
  engine: Engine,
  model: Transformer,
  demonstrations: readonly TokenSequence[],
  config: TrainConfig,
  options: CloningOptions,
): Promise<number> {
  const cloning = new BehaviourCloning(engine, model, demonstrations, config, options.interchangeable);
  try {
    await options.onBegin?.(cloning);
    return await cloning.run(options);
  } finally {
    cloning.destroy();
  }
}

/** Behaviour cloning that can be left between two steps, and gone on with. */
export class BehaviourCloning {
  readonly optimiser: Optimiser;
  /** Null within a step. Where it goes on, this is set to what it was, with the optimiser's moments and progress. */
  progress: CloningProgress | null = { step: 0, epochLoss: 0 };

  constructor(
    engine: Engine,
    model: Transformer,
    private readonly demonstrations: readonly TokenSequence[],
    private readonly config: TrainConfig,
    private readonly interchangeable: readonly (readonly number[])[] = [],
  ) {
    const options = { ...config.optimiser, seed: new Random(config.seed, 'warm start dropout').nextWord() };
    this.optimiser = new Optimiser(engine, model, options, ['weight', 'replyWeight'], ({ logProbs, column }) => {
      const { logProb } = logProbs();
      const negativeSum = (weights: Tensor) => scale(dot(logProb, weights), -1);
      return { loss: negativeSum(column('weight')), statistics: negativeSum(column('replyWeight')) };
    });
  }

  /** Takes the steps that are left. */
  async run({ onStep, onSkip }: Pick<CloningOptions, 'onStep' | 'onSkip'>): Promise<number> {
    const { epochs, learningRate, schedule, warmup } = this.config.warmStart;
    const { batchCount } = this;
    const totalSteps = epochs * batchCount;
    const rates = { peak: learningRate, course: schedule, warmup, totalSteps };
    const { step: from, epochLoss } = this.progress!;
    let sum = epochLoss;
    for (let epoch = Math.floor(from / batchCount); epoch < epochs; epoch++) {
      const batches = this.batchesOf(epoch);
      for (const [batch, sequences] of batches.entries()) {
        const step = epoch * batchCount + batch;
        if (step < from) continue;
        if (batch === 0) sum = 0;
        this.progress = null;
        const shown = this.shown(sequences, epoch, batch);
        const { statistics, skipped } = await this.optimiser.step(shown, learningRateAt(rates, step));
        if (skipped !== null) onSkip?.(skipped);
        // A step that was left out counts as the mean of those before.
        sum +=
          skipped === null ? statistics.reduce((total, loss) => total + (loss[0] ?? 0), 0) : sum / Math.max(1, batch);
        this.progress = { step: step + 1, epochLoss: sum };
        await onStep((step + 1) / totalSteps, sum / (batch + 1));
      }
    }
    this.optimiser.checkLearned();
    return sum / batchCount;
  }

  destroy(): void {
    this.optimiser.destroy();
  }

  /** Steps of an epoch. */
  private get batchCount(): number {
    const turns = this.demonstrations.reduce((sum, sequence) => sum + turnsOf(sequence), 0);
    return Math.min(this.demonstrations.length, Math.ceil(turns / this.config.warmStart.batchTurns));
  }

  private batchesOf(epoch: number): TokenSequence[][] {
    const shuffled = new Random(this.config.seed, `warm start ${epoch}`).shuffle(this.demonstrations);
    return evenParts(shuffled, this.batchCount, turnsOf);
  }

  /** A batch as it is shown in an epoch. */
  private shown(batch: readonly TokenSequence[], epoch: number, number: number): TrainingSequence[] {
    const { promptWeight, permuteWords } = this.config.warmStart;
    const random = new Random(this.config.seed, `permuted words ${epoch} ${number}`);
    const permuted = (sequence: TokenSequence) =>
      random.uniform() < permuteWords ? withPermutedTokens(sequence, this.interchangeable, random) : sequence;
    return withWeights(permuteWords > 0 ? batch.map(permuted) : batch, promptWeight);
  }
}

/** A sequence in which the tokens of each list have changed places with each other, everywhere alike. */
export function withPermutedTokens(
  { tokens, replies }: TokenSequence,
  lists: readonly (readonly number[])[],
  random: Random,
): TokenSequence {
  const instead = new Map(
    lists.flatMap((list) => {
      const shuffled = random.shuffle(list);
      return list.map((token, index) => [token, shuffled[index]!] as const);
    }),
  );
  return { tokens: Uint32Array.from(tokens, (token) => instead.get(token) ?? token), replies };
}

/**
 * Sequences whose loss is the mean over reply tokens, plus `promptWeight` times that of the other tokens. What is read
 * repeats itself (what is seen comes back among the options), so predicting it is practice in copying.
 */
function withWeights(sequences: readonly TokenSequence[], promptWeight: number): TrainingSequence[] {
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

function turnsOf({ replies }: TokenSequence): number {
  return replies.length;
}
