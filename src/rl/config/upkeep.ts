/** Settings of what a run measures, keeps and may take. */
import * as z from 'zod';
import { splits } from '../../envs/taskLists.ts';
import { keptRollouts } from '../credit/kept.ts';
import { count, countOrNone, fraction, notNegative, positive } from './values.ts';

export const evaluation = z
  .strictObject({
    split: z
      .enum(splits)
      .default('unseen')
      .describe('Where held-out tasks come from. `train` measures how well training tasks are learned.'),
    tasks: count.default(120).describe('Held-out tasks, each played once.'),
    seed: countOrNone
      .default(1)
      .describe(
        'Seed of the choice of these tasks: its own, so that runs with different seeds are compared on the same tasks.',
      ),
    temperature: notNegative
      .default(0.4)
      .describe('What logits are divided by in evaluations; 0 takes the likeliest token.'),
    every: countOrNone
      .default(0)
      .describe('Iterations between evaluations on the way; 0 for those before and after alone.'),
  })
  .describe('Evaluations on held-out tasks, before training and after it.');

export const checkpoints = z
  .strictObject({
    every: countOrNone.default(5).describe('Iterations between checkpoints; 0 for one at the end only.'),
    keep: count.default(2).describe('How many checkpoints are kept, the last ones.'),
    warmStartMinutes: notNegative
      .default(5)
      .describe(
        'Minutes of a warm start after which what it has come to is saved; 0 saves it only where it is stopped.',
      ),
  })
  .describe('What is saved on the way, so that a run can go on.');

export const rollouts = z
  .strictObject({
    keep: z
      .enum(keptRollouts)
      .default('all')
      .describe(
        'Whose turns are kept in the run folder, with what their advantages consist of: those of all groups, of some ' +
          'that are drawn (`sample`), or of none. It holds for evaluations too, of which a sample always has the same ' +
          'tasks.',
      ),
    sampleGroups: count
      .default(2)
      .describe('Groups that a sample has, where `keep` is `sample`.')
      .meta({ needs: { 'rollouts.keep': 'sample' } }),
    every: count
      .default(1)
      .describe(
        'Iterations between those of which turns are kept. Those of the first one are in any case, as are the first ' +
          'and the last evaluation; others are where they come after an iteration that is kept.',
      ),
  })
  .describe('What is kept of what was played, for `proxmo why` and `proxmo view`.');

export const engine = z
  .strictObject({
    memory: positive
      .nullable()
      .default(null)
      .meta({
        description:
          'MiB of device memory that the run may take, so that one that needs more stops before it begins. Null where ' +
          'that is not known: WebGPU does not tell.',
        examples: [8000],
      }),
    tune: z
      .boolean()
      .default(false)
      .describe(
        'Whether the variants of each kernel are measured the first time that the run meets it in about this shape, and ' +
          "the fastest taken. What was chosen is kept in the run's folder, and a resumed run keeps to it. Another run " +
          "repeats these bits only with the same choices: name this run's `tuning.json` as its `engine.variants`.",
      ),
    variants: z
      .string()
      .optional()
      .meta({
        description: 'A file with the choices of an earlier run, for a run that tunes.',
        examples: ['runs/1/tuning.json'],
        needs: { 'engine.tune': true },
      }),
  })
  .describe('The device: how much of it the run may take, and which kernels it uses.');

export const logging = z
  .array(z.enum(['tensorboard', 'csv']))
  .default([])
  .meta({
    description: "Forms besides `metrics.jsonl` in which the run's folder has the metrics as they come.",
    examples: [['tensorboard', 'csv']],
  });

export const fleet = z
  .strictObject({
    audit: fraction
      .default(0.05)
      .describe(
        'Share of the answers of workers that the coordinator looks at: it plays their episodes again in the environment, ' +
          'and computes log-probabilities of some of their replies again. The first answers of a worker are all looked at; ' +
          '0 trusts every worker.',
      ),
    gradients: z
      .boolean()
      .default(false)
      .describe(
        'Whether workers compute the gradients of updates too, a micro-batch each. The weights of each optimiser step, and ' +
          'a gradient of their size for each micro-batch, go over the network: for adapters, and small policies.',
      ),
    gradientAudit: fraction
      .default(0.05)
      .describe('Share of the gradients of workers that the coordinator computes again, and compares.'),
    differences: z
      .boolean()
      .default(false)
      .describe(
        'Whether workers get what changed in the weights, compressed, in place of all of them: about half the bytes, to ' +
          'the bit, for some time of the processor. For slow networks, and many workers (docs/fleet.md).',
      ),
    replicas: z
      .int()
      .min(1)
      .max(5)
      .default(1)
      .describe(
        'Servers of a NATS cluster that each keep what the run has there, so that the others go on where one dies, and ' +
          'workers read weights from all of them.',
      ),
    staleness: z
      .int()
      .min(0)
      .max(1)
      .default(0)
      .describe(
        'Iterations by which the weights that play may lag behind those that learn. With 1, workers play the next ' +
          'iteration while the policy learns, and the loss corrects for the difference (docs/fleet.md). It needs a fleet.',
      ),
    importanceCap: positive
      .default(2)
      .meta({ needs: { 'fleet.staleness': 1 } })
      .describe(
        'Most that a token counts for being more probable when it is learned than when it was played: the bound of the ' +
          'truncated importance ratio.',
      ),
  })
  .describe('Workers that play a run on other machines (docs/fleet.md).');
