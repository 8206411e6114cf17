/** Settings of what is learned from, and how: demonstrations, iterations, the optimiser and the loss. */
import * as z from 'zod';
import { checkpointingModes } from '../../nn/checkpointing.ts';
import { courses } from '../../nn/schedule.ts';
import { klEstimators } from '../../ops/klEstimators.ts';
import { aggregationModes } from '../aggregation.ts';
import { teachers } from '../demonstrations.ts';
import { ownReference } from '../own/registry.ts';
import { taskSamplers } from '../taskSampler.ts';
import { count, countOrNone, fraction, notNegative, positive } from './values.ts';

const warmup = 'Share of all steps in which the learning rate rises to what it is set to.';

export const warmStart = z
  .strictObject({
    tasks: countOrNone
      .default(240)
      .describe('Training tasks that the teacher demonstrates; 0 for no warm start: training begins as the policy is.'),
    teacher: z
      .enum(teachers)
      .default('expert')
      .describe("Who demonstrates: the environment's hand-written expert, or its recorded solutions."),
    noise: fraction
      .default(0)
      .describe(
        'Share of turns in which an action on offer is taken at random, and not learned, so that the way back from it ' +
          'is demonstrated.',
      ),
    epochs: countOrNone
      .default(3)
      .describe(
        'Passes over the demonstrations before training; 0 where they are only rehearsed while it goes on ' +
          '(`loss.imitationCoefficient`), as for a policy that has learned from such ones already.',
      ),
    batchTurns: count.default(48).describe('Turns in a mini-batch, or fewer, so that all have as many.'),
    learningRate: positive.default(3e-3).describe('Learning rate of AdamW in the warm start, after its warm-up.'),
    schedule: z
      .enum(courses)
      .default('linear')
      .describe('Course of the learning rate after its warm-up: constant, or falling to 0 at the last step.'),
    warmup: fraction.default(0.02).describe(warmup),
    permuteWords: fraction
      .default(0)
      .describe(
        'Share of demonstrations in which words that are interchangeable in the environment, as the names of things, ' +
          'change places, anew in every epoch. What is asked for must then be found by comparing, and cannot be learned ' +
          'by heart.',
      ),
    promptWeight: notNegative
      .default(0.1)
      .describe('What a prompt token counts in the loss, where a reply token counts 1; 0 trains on replies alone.'),
  })
  .describe('Behaviour cloning on demonstrations, before the first iteration.');

export const training = z
  .strictObject({
    iterations: countOrNone.default(16).describe('Iterations: each plays episodes and learns from them once.'),
    pool: count.default(128).describe('Distinct training tasks, of which iterations take theirs.'),
    skip: countOrNone
      .default(0)
      .describe(
        'Tasks of the train split that come before the pool and are left out. Demonstrations take the first ones, so ' +
          'with `warmStart.tasks` here iterations play tasks that nobody demonstrated. What was learned by heart ' +
          'succeeds always, and then there is nothing to learn from.',
      ),
    tasks: count.default(8).describe('Tasks in an iteration, each played by a group of episodes.'),
    taskSampler: z
      .union([z.enum(taskSamplers), ownReference('training.taskSampler')])
      .default('in-turn')
      .describe(
        'Which tasks of the pool an iteration takes: all in turn (`in-turn`), or more of the task types in which the ' +
          'episodes of a group come to different ends, as there is nothing to learn where all end alike ' +
          '(`mixed-outcomes`); or one of your own, by its name.',
      ),
    groupSize: count.default(8).describe('Episodes of a task (G), which are compared with each other.'),
    groupsAtOnce: count
      .nullable()
      .default(null)
      .meta({
        description:
          'Groups of an iteration that are played in one batch, and of an evaluation as many episodes. A batch is what one ' +
          'worker of a fleet plays (docs/fleet.md), and less memory. Last bits of a run follow from it, whoever plays. Null ' +
          'for all groups in one batch.',
        examples: [2],
      }),
    corrections: countOrNone
      .default(0)
      .meta({ needs: { 'loss.imitationCoefficient': 1 } })
      .describe(
        'Failed episodes of an iteration, at most, that the expert takes over at a random turn and plays to their end. ' +
          'What it does is learned with the demonstrations of `loss.imitationCoefficient`, so that the policy is shown ' +
          'the way out of its own errors (arXiv 1011.0686).',
      ),
    rehearseSuccesses: z
      .boolean()
      .default(false)
      .meta({ needs: { 'loss.imitationCoefficient': 1, 'sampling.constrained': true } })
      .describe(
        "Whether the policy's own successes join the demonstrations of `loss.imitationCoefficient`: of each task the " +
          'shortest. An update learns once from what was played; this way it is learned again beside other tasks ' +
          '(arXiv 1806.05635). For replies that are actions (`sampling.constrained`).',
      ),
    epochs: count.default(1).describe("Passes over an iteration's turns."),
    miniBatches: count.default(4).describe('Optimiser steps in a pass; the turns are shared out evenly among them.'),
    miniBatchRows: count
      .nullable()
      .default(null)
      .meta({
        description:
          'Turns in a mini-batch, as the official scripts count (`ppo_mini_batch_size` 256): a pass has as many steps as ' +
          'that makes, the turns shared out evenly among them. Null for `miniBatches`, however many turns there are.',
        examples: [256],
      }),
    learningRate: positive.default(5e-4).describe('Learning rate of AdamW in iterations, after its warm-up.'),
    schedule: z
      .enum(courses)
      .default('constant')
      .describe(
        'Course of the learning rate over all iterations after its warm-up: constant, or falling to 0 at the last step. ' +
          'A run that goes on for more iterations takes the rates of its new length from there.',
      ),
    warmup: fraction.default(0).describe(warmup),
  })
  .describe('Iterations of rollout, advantages and update.');

export const optimiser = z
  .strictObject({
    beta1: fraction.default(0.9).describe("Decay of AdamW's mean of gradients, a step."),
    beta2: fraction.default(0.999).describe("Decay of AdamW's mean of squared gradients, a step."),
    epsilon: positive.default(1e-8).describe('What AdamW adds to the root of the mean square before it divides by it.'),
    weightDecay: notNegative
      .default(0.01)
      .describe('Decoupled weight decay: a step takes this share, times the learning rate, of a weight.'),
    maxGradNorm: positive.default(1).describe("The gradient's global norm is clipped to this."),
    microBatchTokens: count
      .default(8192)
      .describe(
        'Packed tokens in a micro-batch, which bounds the memory of activations. Gradients are summed over the ' +
          'micro-batches of a step, so that learning does not depend on it but for last bits.',
      ),
    checkpointing: z
      .enum(checkpointingModes)
      .default('none')
      .describe(
        '`block` computes what is within a transformer block again in the backward pass: less memory for a third more ' +
          'work, and the same bits.',
      ),
  })
  .describe('AdamW, and what a step holds in memory at once.');

export const loss = z
  .strictObject({
    policy: z
      .union([z.enum(['ppo']), ownReference('loss.policy')])
      .default('ppo')
      .describe(
        "What is minimised: PPO's clipped surrogate with a KL term and an entropy bonus (`ppo`), or a loss of your own, " +
          'by its name, which reads of the settings below what it likes.',
      ),
    clipLow: fraction.default(0.2).describe("How far below 1 a token's probability ratio counts (PPO's clip)."),
    clipHigh: notNegative.default(0.2).describe("How far above 1 a token's probability ratio counts (PPO's clip)."),
    dualClip: z
      .number()
      .min(1)
      .nullable()
      .default(3)
      .describe("Bound on the ratio's weight where the advantage is negative (arXiv 1912.09729); null for none."),
    klCoefficient: notNegative
      .default(0.01)
      .describe('Weight of the KL term, which holds the policy near to what it was after the warm start; 0 for none.'),
    klEstimator: z
      .enum(klEstimators)
      .default('k3')
      .describe(
        'Estimator of the KL divergence, by the names of Schulman (2020). k1 is a metric alone, for runs whose ' +
          '`klCoefficient` is 0.',
      )
      .meta({ examples: ['k2'] }),
    entropyCoefficient: notNegative
      .default(0.001)
      .describe('Weight of the entropy bonus, which keeps replies varied; 0 for none.'),
    imitationCoefficient: notNegative
      .default(0)
      .describe(
        'Weight of the cross-entropy of demonstrations, of which every optimiser step takes `warmStart.batchTurns` turns: ' +
          'what the warm start taught is not unlearned then (arXiv 2203.02155, equation 2); 0 for none.',
      ),
    aggregation: z
      .enum(aggregationModes)
      .default('token-mean')
      .describe(
        'How the losses of tokens become one. `token-mean`: mean over all tokens. `episode-mean`: mean over ' +
          "each episode's tokens, then over episodes. `seq-mean-token-sum`, " +
          "`seq-mean-token-mean`: sum or mean over each sequence's tokens, then the mean over sequences. " +
          '`seq-mean-token-sum-norm`: sum over the longest length that a sequence may have (arXiv 2503.20783).',
      ),
    maskTruncated: z
      .boolean()
      .default(false)
      .describe(
        'Whether replies that were cut at `sampling.maxNewTokens` are left out of training: what they lack is no fault ' +
          'of their tokens.',
      ),
  })
  .describe('The policy loss: PPO with a KL term and an entropy bonus, or one of your own.');
