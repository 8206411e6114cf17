/**
 * Demonstrations within the policy update. A step of reinforcement learns from a few tasks, and unlearns some of what
 * the warm start taught about all others; demonstrations in the same step hold on to that. (PPO-ptx: Ouyang et al.,
 * arXiv 2203.02155, equation 2; demonstrations beside a policy gradient: Rajeswaran et al., arXiv 1709.10087.)
 */
import type { Task } from '../envs/environment.ts';
import { replyTokens, type TokenSequence } from '../nn/replies.ts';
import { Random } from '../tensor/random.ts';
import type { TrainConfig } from './config.ts';
import type { TrainingSequence } from './optimise.ts';
import type { Episode } from './rollout.ts';

/** Whether updates learn from demonstrations too. */
export function rehearses({ loss }: Pick<TrainConfig, 'loss'>): boolean {
  return loss.imitationCoefficient > 0;
}

/** A failed episode up to the turn at which the expert takes over. */
export interface Failure {
  readonly task: Task;
  /** The policy's actions until then, at least one. */
  readonly actions: readonly string[];
}

/**
 * Failed episodes that the expert is to take over: `training.corrections` of them, drawn at random, each after a number
 * of turns that is drawn too: not after the last one, and in the first half of `maxSteps`, so that enough steps are
 * left. What the expert does in places where the policy led it shows the way out of the policy's own errors, which no
 * demonstration of the warm start contains (Ross et al., arXiv 1011.0686, on why it should).
 * @param stream names the random numbers
 */
export function drawFailures(
  episodes: readonly Episode[],
  maxSteps: number,
  { seed, training }: Pick<TrainConfig, 'seed' | 'training'>,
  stream: string,
): Failure[] {
  const random = new Random(seed, `corrections ${stream}`);
  return random
    .shuffle(episodes.filter(({ success, steps }) => !success && steps.length > 1))
    .slice(0, training.corrections)
    .map(({ task, steps }) => {
      const most = Math.min(steps.length - 1, Math.floor(maxSteps / 2));
      return { task, actions: steps.slice(0, 1 + random.below(most)).map(({ action }) => action) };
    });
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
