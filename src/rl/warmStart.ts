/** The warm start: behaviour cloning on an expert's demonstrations, so that the policy has some success to learn from. */
import type { PromptReply } from '../nn/replies.ts';
import type { Transformer } from '../nn/transformer.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { TrainConfig } from './config.ts';
import { Optimiser } from './optimise.ts';

/** Called after each optimiser step with the share of all steps done and the mean loss of the epoch so far, in nats a token. */
type OnStep = (done: number, loss: number) => void;

/**
 * Minimises the cross-entropy of the demonstrated replies. The learning rate falls linearly to 0.
 * @returns mean loss of the last epoch, in nats a token
 */
export async function cloneBehaviour(
  engine: Engine,
  model: Transformer,
  demonstrations: readonly PromptReply[],
  config: TrainConfig,
  onStep: OnStep,
): Promise<number> {
  const { epochs, batchTurns, learningRate } = config.warmStart;
  const optimiser = new Optimiser(engine, model, config.optimiser, ['weight'], ({ logits, targets, column }) => {
    const loss = crossEntropy(logits, targets, column('weight'));
    return { loss, statistics: loss };
  });
  const batchCount = Math.ceil(demonstrations.length / batchTurns);
  let meanLoss = Number.NaN;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const shuffled = new Random(config.seed, `warm start ${epoch}`).shuffle(demonstrations);
    let sum = 0;
    for (let batch = 0; batch < batchCount; batch++) {
      const done = (epoch * batchCount + batch) / (epochs * batchCount);
      const pairs = shuffled.slice(batch * batchTurns, (batch + 1) * batchTurns);
      const report = await optimiser.step(withTokenMean(pairs), learningRate * (1 - done));
      sum += report.statistics.reduce((total, loss) => total + (loss[0] ?? 0), 0);
      onStep(done, sum / (batch + 1));
    }
    meanLoss = sum / batchCount;
  }
  optimiser.destroy();
  return meanLoss;
}

/** Weights that make the loss the mean over the batch's reply tokens. */
function withTokenMean(pairs: readonly PromptReply[]) {
  const tokens = pairs.reduce((total, { reply }) => total + reply.length, 0);
  return pairs.map(({ prompt, reply }) => ({ prompt, reply, columns: { weight: new Float32Array(reply.length).fill(1 / tokens) } }));
}
