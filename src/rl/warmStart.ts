/**
 * The warm start: behaviour cloning on an expert's demonstrations, so that the policy has some success to learn from.
 */

import { splitBySize } from '../nn/packing.ts';
import { replyTokens, type TokenSequence } from '../nn/replies.ts';
import { learningRateAt } from '../nn/schedule.ts';
import type { Transformer } from '../nn/transformer.ts';
import { scale } from '../ops/elementwise.ts';
import { dot } from '../ops/reduce.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { TrainConfig } from './config.ts';
import { Optimiser, type TrainingSequence } from './optimise.ts';

/** Steps over which the learning rate rises, so that AdamW's moments settle first. */
const warmupSteps = 10;

/**
 * Called after each optimiser step with the share of all steps done and the mean loss of the epoch so far, in nats a
 * token.
 */
type OnStep = (done: number, loss: number) => void;

/**
 * Minimises the cross-entropy of the demonstrated replies, and to a lesser degree of their prompts. The learning rate
 * falls linearly to 0.
 * @param interchangeable lists of tokens that change places in `warmStart.permuteWords` of the demonstrations
 * @returns mean loss of the replies in the last epoch, in nats a token
 * @throws {ProxmoError} `gpu-error`; what `onStep` throws, which ends it
 */
export async function cloneBehaviour(
  engine: Engine,
  model: Transformer,
  demonstrations: readonly TokenSequence[],
  config: TrainConfig,
  onStep: OnStep,
  interchangeable: readonly (readonly number[])[] = [],
): Promise<number> {
  const options = { ...config.optimiser, seed: new Random(config.seed, 'warm start dropout').nextWord() };
  const optimiser = new Optimiser(engine, model, options, ['weight', 'replyWeight'], ({ logProbs, column }) => {
    const { logProb } = logProbs();
    const negativeSum = (weights: Tensor) => scale(dot(logProb, weights), -1);
    return { loss: negativeSum(column('weight')), statistics: negativeSum(column('replyWeight')) };
  });
  try {
    return await runEpochs(optimiser, demonstrations, config, onStep, interchangeable);
  } finally {
    optimiser.destroy();
  }
}

async function runEpochs(
  optimiser: Optimiser,
  demonstrations: readonly TokenSequence[],
  { warmStart, seed }: TrainConfig,
  onStep: OnStep,
  interchangeable: readonly (readonly number[])[],
): Promise<number> {
  const { epochs, batchTurns, learningRate, promptWeight, permuteWords } = warmStart;
  const batchesOf = (epoch: number) => {
    const shuffled = new Random(seed, `warm start ${epoch}`).shuffle(demonstrations);
    return splitBySize(shuffled, ({ replies }) => replies.length, batchTurns);
  };
  // Batches of whole sequences are not equally many in every epoch.
  const epochBatches = Array.from({ length: epochs }, (_, epoch) => batchesOf(epoch).length);
  const totalSteps = epochBatches.reduce((sum, count) => sum + count, 0);
  const schedule = { peak: learningRate, course: 'linear', warmupSteps, totalSteps, finalShare: 0 } as const;
  let step = 0;
  let meanLoss = Number.NaN;
  for (let epoch = 0; epoch < epochs; epoch++) {
    let sum = 0;
    const random = new Random(seed, `permuted words ${epoch}`);
    const permute = (sequence: TokenSequence) =>
      random.uniform() < permuteWords ? withPermutedTokens(sequence, interchangeable, random) : sequence;
    for (const [batch, demonstrated] of batchesOf(epoch).entries()) {
      const sequences = permuteWords > 0 ? demonstrated.map(permute) : demonstrated;
      const report = await optimiser.step(withWeights(sequences, promptWeight), learningRateAt(schedule, step++));
      sum += report.statistics.reduce((total, loss) => total + (loss[0] ?? 0), 0);
      meanLoss = sum / (batch + 1);
      onStep(step / totalSteps, meanLoss);
    }
  }
  return meanLoss;
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
