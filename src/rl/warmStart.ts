/**
 * The warm start: behaviour cloning on an expert's demonstrations, so that the policy has some success to learn from.
 */
import type { PromptReply } from '../nn/replies.ts';
import { learningRateAt } from '../nn/schedule.ts';
import type { Transformer } from '../nn/transformer.ts';
import { scale } from '../ops/elementwise.ts';
import { dot } from '../ops/reduce.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { TrainConfig } from './config.ts';
import { Optimiser, type TrainingPair } from './optimise.ts';

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
 * @returns mean loss of the replies in the last epoch, in nats a token
 * @throws {ProxmoError} `gpu-error`; what `onStep` throws, which ends it
 */
export async function cloneBehaviour(
  engine: Engine,
  model: Transformer,
  demonstrations: readonly PromptReply[],
  config: TrainConfig,
  onStep: OnStep,
): Promise<number> {
  const options = { ...config.optimiser, seed: new Random(config.seed, 'warm start dropout').nextWord() };
  const optimiser = new Optimiser(engine, model, options, ['weight', 'replyWeight'], ({ logProbs, column }) => {
    const { logProb } = logProbs();
    const negativeSum = (weights: Tensor) => scale(dot(logProb, weights), -1);
    return { loss: negativeSum(column('weight')), statistics: negativeSum(column('replyWeight')) };
  });
  try {
    return await runEpochs(optimiser, demonstrations, config, onStep);
  } finally {
    optimiser.destroy();
  }
}

async function runEpochs(
  optimiser: Optimiser,
  demonstrations: readonly PromptReply[],
  { warmStart, seed }: TrainConfig,
  onStep: OnStep,
): Promise<number> {
  const { epochs, batchTurns, learningRate, promptWeight } = warmStart;
  const batchCount = Math.ceil(demonstrations.length / batchTurns);
  const totalSteps = epochs * batchCount;
  const schedule = { peak: learningRate, course: 'linear', warmupSteps, totalSteps, finalShare: 0 } as const;
  let step = 0;
  let meanLoss = Number.NaN;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const shuffled = new Random(seed, `warm start ${epoch}`).shuffle(demonstrations);
    let sum = 0;
    for (let batch = 0; batch < batchCount; batch++) {
      const pairs = shuffled.slice(batch * batchTurns, (batch + 1) * batchTurns);
      const report = await optimiser.step(withWeights(pairs, promptWeight), learningRateAt(schedule, step++));
      sum += report.statistics.reduce((total, loss) => total + (loss[0] ?? 0), 0);
      meanLoss = sum / (batch + 1);
      onStep(step / totalSteps, meanLoss);
    }
  }
  return meanLoss;
}

/**
 * Pairs whose loss is the mean over reply tokens, plus `promptWeight` times that of the prompt tokens. Prompts repeat
 * themselves (what is seen comes back among the options), so predicting them is practice in copying.
 */
function withWeights(pairs: readonly PromptReply[], promptWeight: number): TrainingPair[] {
  const unit = 1 / pairs.reduce((total, { reply }) => total + reply.length, 0);
  return pairs.map(({ prompt, reply }) => {
    const weighted = (weight: number, count: number) => new Array<number>(count).fill(weight);
    if (promptWeight === 0)
      return {
        prompt,
        reply,
        columns: { weight: weighted(unit, reply.length), replyWeight: weighted(unit, reply.length) },
      };
    const rest = Array.from(prompt).slice(1);
    return {
      prompt: [prompt[0]!],
      reply: [...rest, ...Array.from(reply)],
      columns: {
        weight: [...weighted(promptWeight * unit, rest.length), ...weighted(unit, reply.length)],
        replyWeight: [...weighted(0, rest.length), ...weighted(unit, reply.length)],
      },
    };
  });
}
