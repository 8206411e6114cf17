/** Settings of what is trained and how it writes. */
import * as z from 'zod';
import { count, countOrNone, fraction, positive } from './values.ts';

/** Of adapters that are not saved ones. */
const newAdapters = { rank: 16, alpha: 32, targets: 'all-linear', rankStabilised: false } as const;

export const lora = z
  .strictObject({
    from: z
      .string()
      .optional()
      .meta({
        description:
          'Folder of saved adapters to begin with, as PEFT or `proxmo model export` leaves it. `rank`, `alpha`, ' +
          '`targets`, `modulesToSave` and `rankStabilised` are then those of the folder and need not be set, and the KL ' +
          'term holds on to the policy with these adapters. Not set: new adapters.',
        examples: ['my-adapters'],
      }),
    rank: count.optional().meta({ description: 'Rank of the update of a matrix.', default: newAdapters.rank }),
    alpha: positive.optional().meta({
      description: 'Weight of the update, which counts alpha / rank (alpha / √rank where `rankStabilised`).',
      default: newAdapters.alpha,
    }),
    targets: z
      .union([z.literal('all-linear'), z.array(z.string()).min(1)])
      .optional()
      .meta({
        description:
          'Matrices that get adapters, by the names of the checkpoint, as `q_proj`, `embed_tokens` or `lm_head`; or ' +
          '`all-linear`, all projections but the head.',
        default: newAdapters.targets,
        examples: [['q_proj', 'v_proj']],
      }),
    modulesToSave: z
      .array(z.string())
      .min(1)
      .optional()
      .meta({
        description:
          'Modules that are trained as a whole beside the adapters, in copies of their own, by the names of the ' +
          'checkpoint, as `embed_tokens`, `lm_head` or `norm`. Not set: none.',
        examples: [['embed_tokens', 'lm_head']],
      }),
    rankStabilised: z.boolean().optional().meta({
      description: 'Whether the update counts alpha / √rank (arXiv 2312.03732).',
      default: newAdapters.rankStabilised,
    }),
    dropout: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe(
        "Share of a projection's inputs that its adapter does not see in training. The sampler sees all, so with more " +
          'than 0 the log-probabilities of the two differ.',
      )
      .meta({ examples: [0.05] }),
  })
  .transform((given) => {
    const { from, dropout } = given;
    if (from !== undefined) return { ...given, from };
    const { rank, alpha, targets, rankStabilised } = newAdapters;
    return {
      rank: given.rank ?? rank,
      alpha: given.alpha ?? alpha,
      targets: given.targets ?? targets,
      rankStabilised: given.rankStabilised ?? rankStabilised,
      ...(given.modulesToSave === undefined ? {} : { modulesToSave: given.modulesToSave }),
      dropout,
    };
  });

export const policy = z
  .strictObject({
    dModel: count.default(64).describe('Width of the residual stream, in numbers a token.'),
    layers: count.default(2).describe('Transformer blocks.'),
    heads: count.default(4).describe('Attention heads (queries); a multiple of `kvHeads`.'),
    kvHeads: count
      .default(2)
      .describe('Heads of keys and values, which groups of query heads share (grouped-query attention).'),
    headDim: count.default(16).describe('Width of a head, in numbers; even, as rotary positions turn pairs of them.'),
    dFf: count.default(160).describe('Width of the hidden layer of an MLP (SwiGLU).'),
    ropeTheta: positive
      .default(10_000)
      .describe('Base of the wavelengths of rotary positions; smaller for short contexts.'),
    tiedHead: z.boolean().default(true).describe('Whether the output head shares the matrix of the token embedding.'),
    normEpsilon: positive.default(1e-6).describe('What RMSNorm adds to the mean square before the root.'),
  })
  .describe('Sizes of a policy trained from nothing; not read where `model` names a pretrained one.');

export const sampling = z
  .strictObject({
    temperature: z
      .number()
      .min(0.01)
      .max(100)
      .default(1)
      .describe('What logits are divided by as training episodes are sampled. 1 samples from the policy as it is.'),
    topP: fraction
      .default(1)
      .describe('Samples among the likeliest tokens that have this share of the probability together; 1 among all.'),
    topK: countOrNone.default(0).describe('Samples among so many of the likeliest tokens; 0 among all.'),
    maxNewTokens: count.default(10).describe('Most tokens of a reply, the end token included.'),
    blockSize: count
      .default(6)
      .describe('Tokens sampled in one submit to the device. Changes nothing but time: larger for longer replies.'),
    cacheShare: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe(
        'How much of what the longest prompts and replies of all episodes would need the KV cache has, where prompts are ' +
          'windows. Shorter ones share it out, so that half of it mostly serves as well; where they do not fit, they are ' +
          'answered in more batches, which takes time and changes last bits.',
      ),
    constrained: z
      .boolean()
      .default(false)
      .describe('Whether replies are bound to the actions on offer, in sampling and in training alike.'),
  })
  .describe('How replies are sampled in training.');
