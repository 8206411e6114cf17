/**
 * The configuration of supervised fine-tuning, `proxmo sft`: its schema, with what each setting does and every default.
 */
import * as z from 'zod';
import { precisions } from '../../nn/precision.ts';
import { courses } from '../../nn/schedule.ts';
import { optimiser } from '../config/learning.ts';
import { lora } from '../config/policy.ts';
import { logging } from '../config/upkeep.ts';
import { count, countOrNone, fraction, notNegative, positive } from '../config/values.ts';
import { type TrainConfig, trainConfigSchema } from '../config.ts';
import { sftAliases } from './aliases.ts';

const data = z
  .strictObject({
    path: z.string().meta({
      description:
        'File of the chats to learn from, plain or gzipped: a JSON object a line with `messages`, or a `prompt` and a `completion`.',
      examples: ['chats.jsonl'],
    }),
    evaluation: z
      .string()
      .optional()
      .meta({
        description: 'File of the chats that are held out, in the same form. Not set: a share of the others.',
        examples: ['held-out.jsonl'],
      }),
    heldOut: z
      .number()
      .min(0)
      .lt(1)
      .default(0.05)
      .describe('Share of the chats that is drawn to be held out, where `evaluation` names none; 0 for none.'),
    maxTokens: count
      .default(2048)
      .describe(
        "Most tokens of a chat; fewer, where the model's context is shorter. Longer ones are cut or left out, and counted.",
      ),
    tooLong: z
      .enum(['cut', 'skip'])
      .default('cut')
      .describe('What becomes of a longer chat: `cut` learns the replies that fit whole, `skip` leaves the chat out.'),
    template: z
      .record(z.string(), z.unknown())
      .default({})
      .meta({
        description: "Variables of the model's chat template, as `enable_thinking`.",
        examples: [{ enable_thinking: false }],
      }),
    tools: z
      .array(z.unknown())
      .min(1)
      .optional()
      .meta({
        description: 'Descriptions of tools, which the chat template shows for chats that bring none of their own.',
        examples: [[{ type: 'function', function: { name: 'look', description: 'Looks around.' } }]],
      }),
  })
  .describe(
    'The chats, and how they are read. Of a chat, the replies of the assistant are learned, and all else is read.',
  );

const training = z
  .strictObject({
    epochs: count.default(3).describe('Passes over the chats.'),
    steps: count
      .nullable()
      .default(null)
      .meta({ description: 'Optimiser steps in all; null for as many as the epochs have.', examples: [100] }),
    batchChats: count.default(16).describe('Chats in a mini-batch, or fewer, so that all have about as many.'),
    learningRate: positive
      .default(2e-4)
      .describe('Learning rate of AdamW after its warm-up. Adapters take about ten times that of whole weights.'),
    schedule: z
      .enum(courses)
      .default('cosine')
      .describe('Course of the learning rate after its warm-up: constant, or falling to 0 at the last step.'),
    warmup: fraction
      .default(0.03)
      .describe('Share of all steps in which the learning rate rises to what it is set to.'),
  })
  .describe('Passes over the chats.');

const evaluation = z
  .strictObject({
    every: countOrNone
      .default(0)
      .describe('Optimiser steps between evaluations on the held-out chats; 0 for one after each epoch.'),
  })
  .describe('Loss on the held-out chats: before the first step, on the way, and after the last.');

const checkpoints = z
  .strictObject({
    every: countOrNone.default(0).describe('Optimiser steps between checkpoints; 0 for `minutes` alone.'),
    minutes: notNegative.default(5).describe('Minutes after which a checkpoint is due; 0 for `every` alone.'),
    keep: count.default(2).describe('How many checkpoints are kept, the last ones.'),
  })
  .describe('What is saved on the way, so that training can go on.');

const engine = z
  .strictObject({
    memory: positive
      .nullable()
      .default(null)
      .meta({
        description:
          'MiB of device memory that it may take, so that what needs more stops before it begins. Null where that is not known.',
        examples: [8000],
      }),
  })
  .describe('The device.');

const usualLora = { rank: 16 } as const;

export const sftConfigSchema = z
  .strictObject({
    seed: countOrNone.default(1).describe('Seed of all chance: held-out chats, order, new adapters, dropout.'),
    model: z.string().meta({
      description:
        "The pretrained model to train: the folder of a Hugging Face model, a GGUF file, or OWNER/NAME of a model in the hub's cache.",
      examples: ['models/SmolLM2-135M-Instruct'],
    }),
    data,
    lora: lora
      .nullable()
      .prefault(usualLora)
      .meta({ default: usualLora })
      .describe(
        'Adapters that are trained in place of the weights (LoRA, arXiv 2106.09685); with `from` those of a folder. Null trains all weights.',
      ),
    precision: z
      .enum(precisions)
      .default('f32')
      .describe("What products with the model's matrices multiply, as in training runs."),
    training: training.prefault({}),
    optimiser: optimiser.prefault({}),
    evaluation: evaluation.prefault({}),
    checkpoints: checkpoints.prefault({}),
    engine: engine.prefault({}),
    logging,
  })
  .meta({ title: 'proxmo sft configuration', aliases: sftAliases });

/** Settings, or groups of them, that may change when a run goes on. */
export const resumableSftSettings: readonly string[] = [
  'training.epochs',
  'training.steps',
  'training.learningRate',
  'training.schedule',
  'training.warmup',
  'evaluation.every',
  'checkpoints',
  'optimiser.microBatchTokens',
  'optimiser.checkpointing',
  'engine.memory',
  'logging',
];

export type SftConfig = z.output<typeof sftConfigSchema>;

/**
 * The settings of a training run whose policy is this model. Whatever loads or saves a policy reads no others.
 */
export function asTrainConfig({ seed, model, lora, precision, data, optimiser }: SftConfig): TrainConfig & {
  readonly model: string;
} {
  const { template, tools } = data;
  const prompt = { template, ...(tools ? { tools } : {}) };
  return { ...trainConfigSchema.parse({ seed, model, lora, precision, prompt, optimiser }), model };
}
