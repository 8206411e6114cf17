/** The configuration of a training run: its schema, with what each setting does and every default. */
import * as z from 'zod';
import { precisions } from '../nn/precision.ts';
import { klEstimatorProblem } from '../ops/klEstimators.ts';
import { advantageOptionsSchema } from './advantages/options.ts';
import { settingAliases } from './config/aliases.ts';
import { loss, optimiser, training, warmStart } from './config/learning.ts';
import { lora, policy, sampling } from './config/policy.ts';
import { environment, prompt } from './config/task.ts';
import { checkpoints, engine, evaluation, fleet, logging, rollouts } from './config/upkeep.ts';
import { countOrNone } from './config/values.ts';

/** Options of advantages, which are ProxMO's where they do not say whose. */
function withEstimator(options: unknown): unknown {
  const isGroup = typeof options === 'object' && options !== null && !Array.isArray(options);
  return isGroup && !('estimator' in options) ? { estimator: 'proxmo', ...options } : options;
}

const settings = z.strictObject({
  seed: countOrNone
    .default(1)
    .describe(
      'Seed of all chance in training: tasks, weights, samples. Held-out tasks have their own, `evaluation.seed`.',
    ),
  environment: environment.prefault({}),
  prompt: prompt.prefault({}),
  model: z
    .string()
    .optional()
    .meta({
      description:
        "A pretrained model to start from: the folder of a Hugging Face model, a GGUF file, or OWNER/NAME of a model in the hub's cache. Not set: random weights.",
      examples: ['models/Qwen2.5-0.5B-Instruct'],
    }),
  lora: lora
    .nullable()
    .default(null)
    .meta({ default: null, needs: { model: 'models/Qwen2.5-0.5B-Instruct' } })
    .describe(
      'Adapters that are trained in place of the weights of a pretrained model (LoRA, arXiv 2106.09685): the model is ' +
        'kept once, frozen, and is the reference of the KL term; moments and checkpoints are those of the adapters. ' +
        '`{}` is new adapters with their defaults; null trains all weights.',
    ),
  precision: z
    .enum(precisions)
    .default('f32')
    .describe(
      "What products with the policy's matrices multiply: float32, or numbers rounded to `f16`, whose products are " +
        'summed in float32. With `f16`, matrices, the activations that products and attention read, and the KV cache ' +
        'take half the bytes; the residual stream, logits, gradients and masters of trained weights stay float32. Needs ' +
        'an adapter with `shader-f16`. `packed` leaves the matrices of a GGUF file in their 4 to 8 bits and computes as ' +
        '`f32`; it needs `lora`, as such weights are not trained themselves.',
    ),
  policy: policy.prefault({}),
  sampling: sampling.prefault({}),
  warmStart: warmStart.prefault({}),
  training: training.prefault({}),
  advantages: z
    .preprocess(withEstimator, advantageOptionsSchema)
    .prefault({})
    .describe('How much better an action was than others: the estimator and its options (docs/advantages.md).'),
  loss: loss.prefault({}),
  optimiser: optimiser.prefault({}),
  evaluation: evaluation.prefault({}),
  checkpoints: checkpoints.prefault({}),
  rollouts: rollouts.prefault({}),
  engine: engine.prefault({}),
  fleet: fleet.prefault({}),
  logging,
});

/** What the JSON Schema of configurations calls itself. */
export const schemaTitle = 'proxmo configuration';

/** Checks settings and fills in defaults: `trainConfigSchema.parse({ seed: 3 })`. */
export const trainConfigSchema = settings
  .superRefine(({ loss }, context) => {
    const message = klEstimatorProblem(loss);
    if (message !== null)
      context.addIssue({ code: 'custom', path: ['loss', 'klEstimator'], message, input: loss.klEstimator });
  })
  .refine(({ loss, warmStart }) => loss.imitationCoefficient === 0 || warmStart.tasks > 0, {
    path: ['loss', 'imitationCoefficient'],
    error:
      'there is nothing to imitate without demonstrations; set it to 0, or warmStart.tasks to a number of them (and warmStart.epochs to 0 for a policy that knows them)',
  })
  .refine(
    ({ training: { miniBatchRows, schedule, warmup } }) =>
      miniBatchRows === null || (schedule === 'constant' && warmup === 0),
    {
      path: ['training', 'miniBatchRows'],
      error:
        'the learning rate cannot follow the share of all steps where their number depends on what is played; set training.schedule to constant and training.warmup to 0, or training.miniBatchRows to null',
    },
  )
  .refine(({ loss, training }) => loss.imitationCoefficient > 0 || training.corrections === 0, {
    path: ['training', 'corrections'],
    error: 'corrections are learned with the weight loss.imitationCoefficient; set it above 0, or corrections to 0',
  })
  .refine(
    ({ loss, sampling, training }) =>
      !training.rehearseSuccesses || (loss.imitationCoefficient > 0 && sampling.constrained),
    {
      path: ['training', 'rehearseSuccesses'],
      error:
        'own successes are learned with the weight loss.imitationCoefficient, as replies that are actions; set that above 0 and sampling.constrained to true, or rehearseSuccesses to false',
    },
  )
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
  .refine(
    ({ prompt: { template, tools }, model }) =>
      model !== undefined || (Object.keys(template).length === 0 && tools === undefined),
    {
      path: ['prompt', 'template'],
      error:
        'only a pretrained model has a chat template; name one as model, or leave prompt.template and prompt.tools out',
    },
  )
  .refine(({ engine: { tune, variants } }) => tune || variants === undefined, {
    path: ['engine', 'variants'],
    error: 'only a run that tunes takes the choices of an earlier one; set engine.tune to true',
  })
  .refine(({ fleet: { gradients, staleness } }) => !gradients || staleness === 0, {
    path: ['fleet', 'staleness'],
    error:
      'workers that play the next iteration while the policy learns do not compute its gradients too; set fleet.gradients to false, or staleness to 0',
  })
  .meta({ title: schemaTitle, aliases: settingAliases });

/** The settings of a training run, complete. */
export type TrainConfig = z.output<typeof trainConfigSchema>;

/** Settings of adapters: those of new ones in full, or what was set for saved ones. */
export type LoraSettings = NonNullable<TrainConfig['lora']>;

/** The folder of saved adapters that a run begins with, if it does. */
export function savedAdaptersOf({ lora }: Pick<TrainConfig, 'lora'>): string | undefined {
  return lora && 'from' in lora ? lora.from : undefined;
}
