/**
 * Demonstrations within the policy update. A step of reinforcement learns from a few tasks, and unlearns some of what
 * the warm start taught about all others; demonstrations in the same step hold on to that. (PPO-ptx: Ouyang et al.,
 * arXiv 2203.02155, equation 2; demonstrations beside a policy gradient: Rajeswaran et al., arXiv 1709.10087.)
 */
import { replyTokens, type TokenSequence } from '../nn/replies.ts';
import { Random } from '../tensor/random.ts';
import type { TrainConfig } from './config.ts';
import type { TrainingSequence } from './optimise.ts';

/** Whether updates learn from demonstrations too. */
export function rehearses({ loss }: Pick<TrainConfig, 'loss'>): boolean {
  return loss.imitationCoefficient > 0;
}

/** Demonstrations for one optimiser step: those of a random order that make up `warmStart.batchTurns` turns. */
export function drawDemonstrations(
  demonstrations: readonly TokenSequence[],
  { seed, warmStart: { batchTurns } }: Pick<TrainConfig, 'seed' | 'warmStart'>,
  step: string,
): readonly TokenSequence[] {
  const drawn: TokenSequence[] = [];
  let turns = 0;
  for (const demonstration of new Random(seed, `rehearsal ${step}`).shuffle(demonstrations)) {
    if (turns >= batchTurns) break;
    drawn.push(demonstration);
    turns += demonstration.replies.length;
  }
  return drawn;
}

/**
 * The demonstrations as sequences of the policy update, whose part of the loss is the mean cross-entropy of their
 * replies, times `loss.imitationCoefficient`. In the policy loss they count nothing.
 */
export function rehearsed(
  demonstrations: readonly TokenSequence[],
  { loss }: Pick<TrainConfig, 'loss'>,
): TrainingSequence[] {
  const share = loss.imitationCoefficient / demonstrations.reduce((sum, sequence) => sum + replyTokens(sequence), 0);
  return demonstrations.map(({ tokens, replies }) => {
    const count = replyTokens({ replies });
    const none = new Float32Array(count);
    return {
      tokens,
      replies,
      columns: {
        oldLogProb: none,
        referenceLogProb: none,
        advantage: none,
        weight: none,
        imitation: new Float32Array(count).fill(share),
      },
    };
  });
}
