/**
 * The warm start: behaviour cloning on an expert's demonstrations, so that the policy has some success to learn from.
 */

import type { TokenSequence } from '../nn/replies.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import type { TrainConfig } from './config.ts';
import { evenParts } from './miniBatches.ts';
import { type Curriculum, type SupervisedHooks, SupervisedTraining, withWeights } from './supervised.ts';

export interface CloningOptions extends SupervisedHooks {
  /** Called before the first step: to go on from somewhere. */
  readonly onBegin?: (cloning: SupervisedTraining) => Promise<void>;
  /** Lists of tokens that change places in `warmStart.permuteWords` of the demonstrations. */
  readonly interchangeable?: readonly (readonly number[])[];
}

/**
 * Minimises the cross-entropy of the demonstrated replies, and to a lesser degree of the other tokens.
 * @returns mean loss of the replies in the last epoch, in nats a token
 * @throws {ProxmoError} as `SupervisedTraining.run`
 */
export async function cloneBehaviour(
  engine: Engine,
  model: Transformer,
  demonstrations: readonly TokenSequence[],
  config: TrainConfig,
  options: CloningOptions,
): Promise<number> {
  const cloning = new SupervisedTraining(engine, model, curriculumOf(demonstrations, config, options.interchangeable));
  try {
    await options.onBegin?.(cloning);
    return await cloning.run(options);
  } finally {
    cloning.destroy();
  }
}

function curriculumOf(
  demonstrations: readonly TokenSequence[],
  { warmStart, optimiser, seed }: TrainConfig,
  interchangeable: readonly (readonly number[])[] = [],
): Curriculum {
  const { epochs, batchTurns, learningRate, schedule, warmup, promptWeight, permuteWords } = warmStart;
  const turns = demonstrations.reduce((sum, sequence) => sum + turnsOf(sequence), 0);
  const stepsPerEpoch = Math.min(demonstrations.length, Math.ceil(turns / batchTurns));
  const shown = (batch: readonly TokenSequence[], epoch: number, number: number) => {
    const random = new Random(seed, `permuted words ${epoch} ${number}`);
    const permuted = (sequence: TokenSequence) =>
      random.uniform() < permuteWords ? withPermutedTokens(sequence, interchangeable, random) : sequence;
    return withWeights(permuteWords > 0 ? batch.map(permuted) : batch, promptWeight);
  };
  return {
    stepsPerEpoch,
    totalSteps: epochs * stepsPerEpoch,
    schedule: { peak: learningRate, course: schedule, warmup },
    optimiser: { ...optimiser, seed: new Random(seed, 'warm start dropout').nextWord() },
    batchesOf: (epoch) =>
      evenParts(new Random(seed, `warm start ${epoch}`).shuffle(demonstrations), stepsPerEpoch, turnsOf).map(
        (batch, number) => () => shown(batch, epoch, number),
      ),
  };
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

function turnsOf({ replies }: TokenSequence): number {
  return replies.length;
}
