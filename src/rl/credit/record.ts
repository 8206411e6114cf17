/**
 * What a run writes down of what was played: a row for each turn, with all that its advantage consists of. Beside them
 * an index of each iteration, from which a reader sees every episode and every advantage without reading a row.
 *
 * A row has what `proxmo advantages` reads, and more. Held-out episodes are written down in the same way, without
 * credit, since nothing is learned from them. `src/runs/rollouts.ts` says in which files.
 */
import * as z from 'zod';

const count = z.int().nonnegative();
const numbers = z.array(z.number());

/** The turns of a group that share an anchor, as far as they count in a row's baseline. */
const neighbour = z.object({
  /** One of these turns, in another episode than the row's where there is one. */
  trajectory: z.string(),
  step: count,
  /** How many turns these are. */
  turns: count,
  /** Cosine with the row's anchor, from 0 to 1; null where anchors are grouped and not compared (GiGPO). */
  similarity: z.number().nullable(),
  /** Share of the baseline that all of these turns have together. */
  weight: z.number(),
  /** Mean penalised return of these turns. */
  return: z.number(),
});

/** The episode level. `before` is (score − baseline) / scale; times `weight`, that is `episodeAdvantage`. */
const episodeLevel = z.object({
  /** Sum of the episode's rewards, less the penalty if this row's action was malformed. */
  score: z.number(),
  /**
   * What the score is compared with: the mean of the group (GRPO, GiGPO, ProxMO), of the others of the group (RLOO) or
   * of the batch (REINFORCE++).
   */
  baseline: z.number(),
  /** What the difference is divided by; 1 where it is not normalised. */
  scale: z.number(),
  /** Before the modulation by PSC. */
  before: z.number(),
  /** PSC weight; 1 without PSC. */
  weight: z.number(),
  /** p: the success rate of the group that the weight follows from; null without PSC. */
  successRate: z.number().nullable(),
});

/** The step level. `before` is penalisedReturn − baseline; divided by `scale`, that is `stepAdvantage`. */
const stepLevel = z.object({
  /** G: rewards from this step on, discounted. */
  return: z.number(),
  /** Ĝ: the return less the penalty if this row's action was malformed. */
  penalisedReturn: z.number(),
  /** What similar states came to: their mean penalised return, weighted. */
  baseline: z.number(),
  /** Before it is scaled. */
  before: z.number(),
  /** What the difference is divided by; 1 where it is not normalised. */
  scale: z.number(),
  /** ω: what the step level counts in the advantage. */
  omega: z.number(),
  /**
   * The most similar anchors, at most five, falling by similarity and then by weight; none where turns were compared by
   * hidden states.
   */
  neighbours: z.array(neighbour),
});

/** Actions that part from what was written at the same token, and how likely the policy was to take one of them. */
const actionBranch = z.object({
  /** Indices into the row's `actions`. */
  actions: z.array(count),
  /** Of all of these together. Those of a row's branches sum to 1, up to rounding. */
  probability: z.number(),
});

/** A turn as it was played. Log-probabilities, and figures of branches, are rounded. */
const playedRowSchema = z.object({
  group: z.string(),
  trajectory: z.string(),
  step: count,
  reward: z.number(),
  success: z.boolean(),
  valid: z.boolean(),
  observation: z.string(),
  instruction: z.string(),
  /**
   * Text that was read for this turn: all that the policy saw in a window; in a transcript what is new, behind the
   * prompts and replies of the earlier rows with the same `context`.
   */
  prompt: z.string(),
  /** Number of the context within the episode. */
  context: count,
  /** Something was left out of the prompt to keep to its budget. */
  truncated: z.boolean(),
  action: z.string(),
  /** Text of each sampled token, the end token included. */
  reply: z.array(z.string()),
  /** The reply was cut at `sampling.maxNewTokens`. */
  cut: z.boolean(),
  /** The sampler's log-probability of each token, among those that were allowed. */
  logProbs: numbers,
  /** Actions on offer; null where the environment does not say. */
  actions: z.array(z.string()).nullable(),
  /**
   * How likely the policy was to take the actions on offer, where its reply was bound to them, as far as the
   * log-probabilities of the tokens that it sampled say. The action that it took is a branch, and all that part from
   * the reply at one token are another. What each of several actions of a branch has was never computed. Null where the
   * reply was free.
   */
  branches: z.array(actionBranch).nullable(),
  /** Seconds that the replies of all episodes of this turn took together, and that the world took to answer. */
  seconds: z.object({ reply: z.number(), world: z.number() }),
});

/** A line of an iteration's rows: a turn with its credit. */
const trainedRowSchema = playedRowSchema.extend({
  /** The reference policy's of the same tokens; null where there is no reference, or the row was not trained on. */
  referenceLogProbs: numbers.nullable(),
  /** KL to the reference, by `loss.klEstimator`, a token; null where `referenceLogProbs` is. */
  kl: z.number().nullable(),
  /** A = A^E + ω·A^S. */
  advantage: z.number(),
  /** A^E, after modulation. */
  episodeAdvantage: z.number(),
  /** A^S, after scaling; 0 where the estimator has no step level. */
  stepAdvantage: z.number(),
  episodeLevel,
  /** Null where the estimator has none. */
  stepLevel: stepLevel.nullable(),
});

/** A turn as it was written down, with its credit where it was learned from. It is a `RolloutRow` of `rows.ts` too. */
export type PlayedRow = z.output<typeof playedRowSchema>;
/** A turn that was learned from, as it was written down. */
export type RecordedRow = z.output<typeof trainedRowSchema>;
/** How the episode as a whole was credited. */
export type EpisodeLevel = z.output<typeof episodeLevel>;
/** How a turn was credited beside similar states. */
export type StepLevel = z.output<typeof stepLevel>;
/** A similar state, and how much it counted. */
export type Neighbour = z.output<typeof neighbour>;
/** An action that was taken in similar states, and what came of it. */
export type ActionBranch = z.output<typeof actionBranch>;

const recordedEpisode = z.object({
  /** The rows' `trajectory`. */
  id: z.string(),
  success: z.boolean(),
  /** Partial credit from 0 to 1. */
  score: z.number(),
  /** Sum of its rewards. */
  return: z.number(),
  steps: count,
  /** How often its world failed and it started over. */
  faults: count,
});

const recordedGroup = z.object({
  /** The rows' `group`: the task. */
  id: z.string(),
  type: z.string(),
  instruction: z.string(),
  /** In the order of their rows. */
  episodes: z.array(recordedEpisode),
  /** Where the rows are; null if they were not kept. */
  rows: z
    .object({
      /** Number of the first among all rows of the file, counted from 0, and how many there are. */
      first: count,
      count,
      /** Place of the gzip member in the file. */
      offset: count,
      bytes: count,
    })
    .nullable(),
});

const playedIndexSchema = z.object({
  format: z.literal('proxmo-rollout'),
  formatVersion: z.literal(1),
  /** Iterations that were done with it, as in `metrics.jsonl`; of held-out episodes 0 before training. */
  iteration: count,
  /** When it was written. */
  time: z.iso.datetime(),
  /** Every group, also where only the rows of some were kept; a held-out task is a group of one episode. */
  groups: z.array(recordedGroup),
});

const trainedIndexSchema = playedIndexSchema.extend({
  /** Of each row in the order of the file, rounded: enough to colour it. */
  levels: z.object({
    advantage: z.array(z.number()),
    episode: z.array(z.number()),
    step: z.array(z.number()),
  }),
});

/** Of what a row and an index consist, by what they are of. */
export const recordSchemas = {
  training: { row: trainedRowSchema, index: trainedIndexSchema },
  'held-out': { row: playedRowSchema, index: playedIndexSchema },
};

/** `rollouts/000003.held-out.index.json`. */
export type PlayedIndex = z.output<typeof playedIndexSchema>;
/** `rollouts/000003.index.json`. */
export type RolloutIndex = z.output<typeof trainedIndexSchema>;
/** The episodes of one task, as an index of an iteration has them. */
export type RecordedGroup = z.output<typeof recordedGroup>;
/** An episode, as an index of an iteration has it. */
export type RecordedEpisode = z.output<typeof recordedEpisode>;
