/** The configuration of a training run: its schema with every default, and the presets. */
import { z } from 'zod';
import { faultSettingsShape } from '../envs/faults.ts';
import { splits } from '../envs/taskLists.ts';
import { precisions } from '../nn/halfWeights.ts';
import { courses } from '../nn/schedule.ts';
import { checkpointingModes } from '../nn/transformer.ts';
import { klEstimatorProblem, klEstimators } from '../ops/ppoLoss.ts';
import { actionFormats } from '../text/actionFormat.ts';
import { vocabularies } from '../text/writing.ts';
import { advantageOptionsSchema } from './advantages/options.ts';
import { aggregationModes } from './aggregation.ts';
import { keptRollouts } from './credit/kept.ts';
import { teachers } from './demonstrations.ts';
import { memoryForms } from './episodeMemory.ts';

const count = z.number().int().min(1);
const countOrNone = z.number().int().min(0);
const positive = z.number().positive();
const fraction = z.number().min(0).max(1);

const environment = z.strictObject({
  /** Name in the environment registry, or the path of a module that makes a task set. */
  name: z.string().default('household'),
  /** Options of that environment. */
  options: z.record(z.string(), z.unknown()).default({}),
  ...faultSettingsShape,
});

const prompt = z.strictObject({
  format: z.enum(actionFormats).default('plain'),
  /**
   * `window`: each turn is a prompt of its own, with the last turns before it. `transcript`: each turn is read behind
   * all that was read and written before it in its episode, and an episode is one sequence to learn from.
   */
  memory: z.enum(memoryForms).default('window'),
  /** Past (observation, action) pairs that a window shows. */
  history: countOrNone.default(2),
  /** Whether the actions on offer are shown. */
  options: z.boolean().default(true),
  /** Whether the task stands once more before each action to take, in the `plain` format. */
  repeatTask: z.boolean().default(false),
  /**
   * Whether a mark, `*`, stands before each word of an observation or a shown action that the task names: a small
   * policy need not learn by itself to compare what it sees with what is asked for.
   */
  highlight: z.boolean().default(false),
  /**
   * What the tokens of a policy trained from nothing stand for. `words`: the words of the environment's texts.
   * `pointers`: places in the task and on the list of actions, as in `src/text/pointers.ts`, for environments with too
   * many words to learn, where they have a form for it.
   */
  vocabulary: z.enum(vocabularies).default('words'),
  /**
   * Most tokens of a prompt, or of a transcript: one that is full goes on with the last turns that fit in half of it.
   */
  maxTokens: count.default(320),
});

/**
 * Adapters that are trained in place of the weights of a pretrained model (LoRA, arXiv 2106.09685): the model is kept
 * once, frozen, and is the reference of the KL term; moments and checkpoints are those of the adapters.
 */
const lora = z
  .strictObject({
    /**
     * Folder of saved adapters to begin with, as PEFT or `proxmo model export` leaves it. Rank, alpha, targets and
     * rankStabilised are then those of the folder, and need not be set; the reference is the policy with these
     * adapters. Default: new adapters.
     */
    from: z.string().optional(),
    /** Default: 16. */
    rank: count.optional(),
    /** The update counts alpha / rank. Default: 32. */
    alpha: positive.optional(),
    /** Projections by the names of the checkpoint, as `q_proj`, or all of them. Default: `all-linear`. */
    targets: z.union([z.literal('all-linear'), z.array(z.string()).min(1)]).optional(),
    /** The update counts alpha / √rank (arXiv 2312.03732). Default: false. */
    rankStabilised: z.boolean().optional(),
    /**
     * Share of a projection's inputs that its adapter does not see in training. The sampler sees all, so with more than
     * 0 their log-probabilities differ.
     */
    dropout: z.number().min(0).lt(1).default(0),
  })
  .transform((given) => {
    const { from, rank = 16, alpha = 32, targets = 'all-linear', rankStabilised = false, dropout } = given;
    return from === undefined ? { rank, alpha, targets, rankStabilised, dropout } : { ...given, from };
  });

/** A policy trained from nothing; `src/nn/transformer.ts`. Not used where `model` names a pretrained one. */
const policy = z.strictObject({
  dModel: count.default(64),
  layers: count.default(2),
  heads: count.default(4),
  kvHeads: count.default(2),
  headDim: count.default(16),
  dFf: count.default(160),
  ropeTheta: positive.default(10_000),
  tiedHead: z.boolean().default(true),
  normEpsilon: positive.default(1e-6),
});

const sampling = z.strictObject({
  temperature: z.number().min(0.01).max(100).default(1),
  topP: fraction.default(1),
  topK: countOrNone.default(0),
  /** Most tokens of a reply, the end token included. */
  maxNewTokens: count.default(10),
  /** Tokens sampled in one submit. */
  blockSize: count.default(6),
  /** Replies are bound to the actions on offer, in sampling and in training. */
  constrained: z.boolean().default(false),
});

const warmStart = z.strictObject({
  /** Training tasks that the expert demonstrates; 0 starts from random weights. */
  tasks: countOrNone.default(240),
  /** Who demonstrates: the task set's hand-written expert, or its recorded solutions. */
  teacher: z.enum(teachers).default('expert'),
  /**
   * Share of turns in which an admissible action is taken at random, and not learned, so that the teacher's way back
   * from it is demonstrated.
   */
  noise: fraction.default(0),
  epochs: count.default(3),
  /** Turns in a mini-batch, or fewer, so that all have as many. */
  batchTurns: count.default(48),
  learningRate: positive.default(3e-3),
  /** Course of the learning rate after its warm-up: constant, or falling to 0 at the last step. */
  schedule: z.enum(courses).default('linear'),
  /** Share of all steps in which the learning rate rises to what it is set to. */
  warmup: fraction.default(0.02),
  /**
   * Share of demonstrations in which words that are interchangeable in the environment, as the names of things, change
   * places, anew in every epoch: what is asked for must then be found by comparing, and cannot be learned by heart.
   */
  permuteWords: fraction.default(0),
  /** What a prompt token counts against a reply token in the loss; 0 trains on replies alone. */
  promptWeight: z.number().min(0).default(0.1),
});

const training = z.strictObject({
  iterations: countOrNone.default(16),
  /** Distinct training tasks; iterations take them in turn. */
  pool: count.default(128),
  /** Task groups in an iteration. */
  tasks: count.default(8),
  /** Episodes of a task (G). */
  groupSize: count.default(8),
  /** Passes over an iteration's turns. */
  epochs: count.default(1),
  /** Optimiser steps in a pass; the turns are shared out evenly among them. */
  miniBatches: count.default(4),
  learningRate: positive.default(5e-4),
  /**
   * Course of the learning rate over all iterations after its warm-up: constant, or falling to 0 at the last step. A
   * run that goes on for more iterations takes the rates of its new length from there.
   */
  schedule: z.enum(courses).default('constant'),
  /** Share of all steps in which the learning rate rises to what it is set to. */
  warmup: fraction.default(0),
});

const optimiser = z.strictObject({
  beta1: fraction.default(0.9),
  beta2: fraction.default(0.999),
  epsilon: positive.default(1e-8),
  weightDecay: z.number().min(0).default(0.01),
  /** The gradient's global norm is clipped to this. */
  maxGradNorm: positive.default(1),
  /** Packed tokens in a micro-batch: bounds memory. */
  microBatchTokens: count.default(8192),
  /**
   * `block` computes what is within a transformer block again in the backward pass: less memory for a third more work,
   * and the same bits.
   */
  checkpointing: z.enum(checkpointingModes).default('none'),
});

const loss = z.strictObject({
  clipLow: fraction.default(0.2),
  clipHigh: z.number().min(0).default(0.2),
  /** Bound on the ratio's weight where the advantage is negative; null for none. */
  dualClip: z.number().min(1).nullable().default(3),
  klCoefficient: z.number().min(0).default(0.01),
  /** k1 is a metric alone, for runs whose `klCoefficient` is 0. */
  klEstimator: z.enum(klEstimators).default('k3'),
  entropyCoefficient: z.number().min(0).default(0.001),
  aggregation: z.enum(aggregationModes).default('token-mean'),
  /**
   * Replies that were cut at `sampling.maxNewTokens` are not trained on: what they lack is no fault of their tokens.
   */
  maskTruncated: z.boolean().default(false),
});

const evaluation = z.strictObject({
  split: z.enum(splits).default('unseen'),
  tasks: count.default(120),
  /** Seed of the choice of these tasks: its own, so that runs with different seeds are compared on the same tasks. */
  seed: countOrNone.default(1),
  temperature: z.number().min(0).default(0.4),
  /** Iterations between evaluations on the way; 0 for none. */
  every: countOrNone.default(0),
});

const checkpoints = z.strictObject({
  /** Iterations between checkpoints; 0 for one at the end only. */
  every: countOrNone.default(5),
  /** How many are kept. */
  keep: count.default(2),
  /** Minutes of a warm start after which what it has come to is saved; 0 saves it only where it is stopped. */
  warmStartMinutes: z.number().min(0).default(5),
});

const rollouts = z.strictObject({
  /**
   * Whose turns are kept, with what their advantages consist of: those of all groups, of some that are drawn, or of
   * none.
   */
  keep: z.enum(keptRollouts).default('all'),
  /** Groups that a sample has. */
  sampleGroups: count.default(2),
  /** Iterations between those of which turns are kept; those of the first one are in any case. */
  every: count.default(1),
});

const engine = z.strictObject({
  /**
   * MiB of device memory that the run may take, so that one that needs more stops before it begins. Null where that is
   * not known: WebGPU does not tell.
   */
  memory: positive.nullable().default(null),
  /**
   * Measure the variants of each kernel the first time that the run meets it in about this shape, and take the fastest.
   * What was chosen is kept in the run's folder, and a resumed run keeps to it. Another run repeats these bits only
   * with the same choices: name this run's `tuning.json` as its `engine.variants`.
   */
  tune: z.boolean().default(false),
  /** A file with the choices of an earlier run, for a run that tunes. */
  variants: z.string().optional(),
});

/** Options of advantages, which are ProxMO's where they do not say whose. */
function withEstimator(options: unknown): unknown {
  const isGroup = typeof options === 'object' && options !== null && !Array.isArray(options);
  return isGroup && !('estimator' in options) ? { estimator: 'proxmo', ...options } : options;
}

const settings = z.strictObject({
  seed: countOrNone.default(1),
  environment: environment.prefault({}),
  prompt: prompt.prefault({}),
  /** A pretrained model to start from: the folder of a Hugging Face model, or a GGUF file. */
  model: z.string().optional(),
  /** Null trains all weights. */
  lora: lora.nullable().default(null),
  /**
   * What products with the policy's matrices multiply: float32, or numbers rounded to `f16`, whose products are summed
   * in float32. With `f16`, matrices, the activations that products and attention read, and the KV cache take half the
   * bytes; the residual stream, logits, gradients and masters of trained weights stay float32. Needs an adapter with
   * `shader-f16`.
   */
  precision: z.enum(precisions).default('f32'),
  policy: policy.prefault({}),
  sampling: sampling.prefault({}),
  warmStart: warmStart.prefault({}),
  training: training.prefault({}),
  advantages: z.preprocess(withEstimator, advantageOptionsSchema).prefault({}),
  loss: loss.prefault({}),
  optimiser: optimiser.prefault({}),
  evaluation: evaluation.prefault({}),
  checkpoints: checkpoints.prefault({}),
  rollouts: rollouts.prefault({}),
  engine: engine.prefault({}),
  /** Forms besides `metrics.jsonl` in which the run's folder has the metrics as they come. */
  logging: z.array(z.enum(['tensorboard', 'csv'])).default([]),
});

export const trainConfigSchema = settings
  .superRefine(({ loss }, context) => {
    const message = klEstimatorProblem(loss);
    if (message !== null)
      context.addIssue({ code: 'custom', path: ['loss', 'klEstimator'], message, input: loss.klEstimator });
  })
  .refine(({ lora, model }) => lora === null || model !== undefined, {
    path: ['lora'],
    error: 'adapters need a pretrained model; name one as model, or set lora to null',
  })
  .refine(
    ({ prompt: { vocabulary, format, highlight }, model }) => {
      return vocabulary === 'words' || (format === 'plain' && !highlight && model === undefined);
    },
    {
      path: ['prompt', 'vocabulary'],
      error:
        'pointers are for plain prompts of a policy trained from nothing, and mark what the task names by themselves; set it to words, or prompt.format to plain, prompt.highlight to false, and leave out model',
    },
  )
  .refine(({ engine: { tune, variants } }) => tune || variants === undefined, {
    path: ['engine', 'variants'],
    error: 'only a run that tunes takes the choices of an earlier one; set engine.tune to true',
  });

export type TrainConfig = z.output<typeof trainConfigSchema>;

/** Settings of adapters: those of new ones in full, or what was set for saved ones. */
export type LoraSettings = NonNullable<TrainConfig['lora']>;

/** The folder of saved adapters that a run begins with, if it does. */
export function savedAdaptersOf({ lora }: Pick<TrainConfig, 'lora'>): string | undefined {
  return lora && 'from' in lora ? lora.from : undefined;
}

/** The real games of ALFWorld, and a policy of 0.73 million parameters that solves most of them. */
const alfworld = {
  environment: { name: 'alfworld', options: {} },
  prompt: { memory: 'transcript', options: false, highlight: true, maxTokens: 1400 },
  policy: { dModel: 128, layers: 4, heads: 4, kvHeads: 4, headDim: 32, dFf: 256 },
  sampling: { maxNewTokens: 16, blockSize: 8, constrained: true },
  warmStart: { tasks: 3500, epochs: 4, batchTurns: 40, learningRate: 1.5e-3, promptWeight: 0 },
  training: { iterations: 40, pool: 3500, tasks: 16, groupSize: 8, miniBatches: 4, learningRate: 1e-4, warmup: 0.05 },
  evaluation: { split: 'seen', tasks: 140, temperature: 0 },
} as const;

/** Configurations by name, as differences from the defaults. */
export const presets = {
  /**
   * A minute on two CPU cores: rooms of four places, three types of tasks, transcripts, replies bound to the actions on
   * offer, and a hasty teacher, which the policy is to surpass: in four of five demonstrations it forgets to clean,
   * heat or cool the thing.
   */
  small: {
    environment: {
      name: 'household',
      options: {
        receptacles: 4,
        objects: 3,
        maxSteps: 16,
        rooms: 2000,
        types: ['clean', 'heat', 'cool'],
        hastyShare: 0.8,
      },
    },
    prompt: { memory: 'transcript', options: false, maxTokens: 400 },
    policy: { dModel: 64, layers: 2, heads: 8, kvHeads: 4, headDim: 8, dFf: 64, ropeTheta: 100 },
    sampling: { maxNewTokens: 6, blockSize: 4, constrained: true },
    warmStart: { tasks: 2000, noise: 0.05, epochs: 5, batchTurns: 32, learningRate: 3e-3, promptWeight: 0 },
    training: { iterations: 30, pool: 400, tasks: 16, groupSize: 8, miniBatches: 4, learningRate: 1e-3 },
    evaluation: { split: 'unseen', tasks: 120, temperature: 1 },
  },
  /**
   * ALFWorld's games (`proxmo env fetch alfworld`), solved from random weights on two CPU cores: the expert's episodes
   * in nearly all training games, then ProxMO. Held-out tasks are all of the split `valid_seen`.
   */
  alfworld,
  /**
   * The same from the expert's episodes in 400 games, after which there is much left to learn by reinforcement.
   */
  'alfworld-few': {
    ...alfworld,
    warmStart: { ...alfworld.warmStart, tasks: 400, epochs: 8 },
  },
  /** The paper's settings (arXiv 2602.19225, section 5) with a policy for a GPU, in full houses. */
  paper: {
    environment: { name: 'household', options: { receptacles: 25, objects: 30, maxSteps: 50 } },
    prompt: { maxTokens: 2048 },
    policy: { dModel: 512, layers: 8, heads: 8, kvHeads: 4, headDim: 64, dFf: 1376, ropeTheta: 10_000 },
    warmStart: { tasks: 2000, noise: 0, epochs: 2, batchTurns: 64, learningRate: 1e-3 },
    training: { iterations: 150, pool: 2000, tasks: 16, groupSize: 8, miniBatches: 4, learningRate: 1e-5 },
    evaluation: { split: 'seen', tasks: 128, temperature: 0.4 },
  },
  /**
   * The WebShop on two CPU cores, without a GPU: pages and actions by pointers, a policy of 150,000 parameters, a few
   * minutes of demonstrations by an expert who compares products, then ProxMO. For the original's 1,000 products, named
   * as `environment.options.data`; the self-made catalogue has fewer tasks than `warmStart.tasks` and `training.pool`.
   */
  webshop: {
    environment: { name: 'webshop', options: {} },
    prompt: { memory: 'transcript', options: false, vocabulary: 'pointers', maxTokens: 800 },
    policy: { dModel: 64, layers: 3, heads: 4, kvHeads: 4, headDim: 16, dFf: 128, ropeTheta: 100 },
    sampling: { maxNewTokens: 2, blockSize: 2, constrained: true },
    warmStart: { tasks: 6000, epochs: 4, batchTurns: 48, learningRate: 3e-3, promptWeight: 0 },
    training: {
      iterations: 200,
      pool: 6000,
      tasks: 32,
      groupSize: 8,
      miniBatches: 4,
      learningRate: 5e-4,
      schedule: 'linear',
    },
    evaluation: { split: 'unseen', tasks: 500, temperature: 0, every: 50 },
  },
  /**
   * A pretrained model of 100 million to 2 billion parameters, as Qwen2.5 and SmolLM2 Instruct, which thinks before it
   * acts. Adapters in place of all weights, small micro-batches and recomputed blocks, so that it fits a GPU for one
   * person. Adapters learn at ten times the rate of whole weights (the paper's 1e-6).
   */
  pretrained: {
    environment: { name: 'household', options: {} },
    prompt: { format: 'think-action', history: 2, maxTokens: 1024 },
    lora: {},
    sampling: { temperature: 1, maxNewTokens: 256, blockSize: 16 },
    warmStart: { tasks: 0 },
    training: { iterations: 100, pool: 512, tasks: 8, groupSize: 8, epochs: 1, miniBatches: 4, learningRate: 1e-5 },
    optimiser: { microBatchTokens: 4096, checkpointing: 'block' },
    evaluation: { split: 'unseen', tasks: 64, temperature: 0.4 },
  },
} as const;
