/**
 * The options of each estimator as a user writes them: what each does, what it may be, and what it is where it is not
 * set. The two presets differ at the points where ProxMO's official implementation (`reference`) departs from the paper
 * (`paper`, the default).
 */
import * as z from 'zod';
import { largestReward } from '../../envs/turns.ts';
import { ownFields } from '../own/registry.ts';

const number = (min: number, max: number) => {
  const error = `must be a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
};
const integer = (min: number, max: number) => {
  const error = `must be an integer from ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
const flag = z.boolean({ error: 'must be true or false' });
const choice = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

/** Least that a unit may be, so that no reward is beyond float32 in it. */
export const smallestUnit = 1e-3;

/** Values of what is not set, where it is read; the presets have more. */
export const defaults = {
  gigpo: { gamma: 0.95, omega: 1 },
  proxmo: {
    alpha: 4,
    gamma: 0.95,
    omega: 1,
    similarity: 'tfidf',
    hiddenWeight: 0.5,
    temperature: 0.1,
    stepNormalisation: 'mean',
    leaveSelfOut: false,
    leaveTrajectoryOut: false,
    maxFeatures: 1024,
  },
} as const;

export const presets = {
  paper: { normalisation: 'zscore', population: 'trajectories', successSource: 'flag', minWordLength: 1 },
  reference: { normalisation: 'mean', population: 'rows', successSource: 'score', minWordLength: 2 },
} as const;

export const defaultRange = 0.05;

/** Of an option whose default depends on `preset`: what both say. JSON Schema has room for one, the paper's. */
const presetDefault = (option: keyof typeof presets.paper) => {
  const { paper, reference } = presets;
  return { default: paper[option], presetDefaults: { paper: paper[option], reference: reference[option] } };
};

const common = {
  preset: choice('paper', 'reference')
    .default('paper')
    .describe("Fills in what is not set: the paper's method, or exactly what the official implementation does."),
  invalidPenalty: number(0, 1e6)
    .default(0.1)
    .describe('Subtracted from score and return of a turn whose action was malformed (c), in units of returns.'),
  population: choice('rows', 'trajectories')
    .optional()
    .meta({
      description: 'What mean and deviation of a group are taken over: `rows` (turns), or `trajectories` (episodes).',
      ...presetDefault('population'),
    }),
  returnUnit: z
    .union([z.literal('reward'), z.literal('success'), z.number().min(smallestUnit).max(largestReward)], {
      error: `must be reward, success, or a number from ${smallestUnit} to ${largestReward}`,
    })
    .default('reward')
    .meta({
      description:
        'What rewards are measured in before anything else is done with them: `reward`, as the environment gives them; ' +
        "`success`, the mean total of the batch's successful episodes, so that a success is worth 1 whatever the " +
        'environment pays for it; or a number to divide them by. `invalidPenalty` and `sigmaFloor` are in this unit too.',
      examples: ['success', 10],
    }),
};
const normalisation = choice('zscore', 'mean')
  .optional()
  .meta({
    description:
      "How an episode's score becomes an advantage: less the group's mean, and divided by its deviation σ (`zscore`) " +
      'or not (`mean`). `grpo` divides in both presets.',
    ...presetDefault('normalisation'),
  });
const sigmaFloor = number(0, 1e6)
  .optional()
  .meta({
    description:
      'Least deviation σ that scores and returns are divided by. Without one, a group in which nothing but a penalty ' +
      'tells episodes apart gets advantages of many σ for that penalty alone. Not set: `invalidPenalty` (paper), ' +
      '0 (reference).',
    examples: [0.1],
  });
const gamma = number(0, 1)
  .optional()
  .meta({ description: 'Discount of step returns (γ).', default: defaults.gigpo.gamma });
const omega = number(0, 1e6)
  .optional()
  .meta({ description: 'Weight of the step level in the joint advantage (ω).', default: defaults.gigpo.omega });

/** Estimators that are there for all, besides `own`. */
export const estimatorNames = ['proxmo', 'gigpo', 'grpo', 'rloo', 'reinforce++'] as const;

/** Which estimator it is, of those that there are. */
const named = <const N extends string>(name: N) =>
  z.literal(name).meta({ description: 'How advantages are estimated.', default: 'proxmo' });

/** An estimator of a user's own, which makes of its options what it likes. */
export const own = z.strictObject({
  estimator: named('own'),
  ...ownFields('advantages'),
  invalidPenalty: common.invalidPenalty,
  returnUnit: common.returnUnit,
});
export const grpo = z.strictObject({ estimator: named('grpo'), ...common, normalisation, sigmaFloor });
export const rloo = z.strictObject({ estimator: named('rloo'), ...common });
export const reinforce = z.strictObject({ estimator: named('reinforce++'), ...common, sigmaFloor });
export const gigpo = z.strictObject({
  estimator: named('gigpo'),
  ...common,
  normalisation,
  sigmaFloor,
  gamma,
  omega,
  similarity: number(0, 1)
    .optional()
    .meta({
      description:
        'Least Ratcliff/Obershelp similarity of a state to the first one of a step group. Not set: only equal states ' +
        'share a group.',
      examples: [0.95],
    }),
});
export const proxmo = z.strictObject({
  estimator: named('proxmo'),
  ...common,
  normalisation,
  sigmaFloor,
  psc: flag.default(true).describe("Whether episode advantages are modulated by the group's success rate (PSC)."),
  alpha: number(0.01, 100).optional().meta({
    description: 'How sharply the modulation depends on the success rate (α).',
    default: defaults.proxmo.alpha,
  }),
  range: number(0, 1).optional().meta({
    description: 'PSC weights stay within [1 − r, 1 + r]. Give this or `beta`.',
    default: defaultRange,
  }),
  beta: number(0, 1 / (logistic(1) - 0.5))
    .optional()
    .meta({
      description: 'The same as `range` in the unit of the equation: β = r / (logistic(1) − ½). Give one of them.',
      examples: [0.2],
    }),
  successSource: choice('score', 'flag')
    .optional()
    .meta({
      description:
        'What tells a success: an episode score above ½, and the mean score as the success rate (`score`), or the ' +
        "environment's word (`flag`).",
      ...presetDefault('successSource'),
    }),
  psa: flag.default(true).describe('Whether there is a step level at all (PSA).'),
  gamma,
  omega,
  similarity: choice('tfidf', 'hidden', 'mixed')
    .optional()
    .meta({
      description:
        "What the similarity of two states is: the cosine of their words' TF-IDF vectors (`tfidf`); that of the policy's " +
        'hidden states after the last token that it read before its reply, less their mean in the task (`hidden`); or a ' +
        'mean of both (`mixed`). Hidden states are there only while a run trains.',
      default: defaults.proxmo.similarity,
    }),
  hiddenWeight: number(0, 1)
    .optional()
    .meta({
      description: "Weight of hidden states' cosine where the similarity is mixed; TF-IDF's has the rest.",
      default: defaults.proxmo.hiddenWeight,
      needs: { 'advantages.similarity': 'mixed' },
    }),
  temperature: number(0.001, 1000).optional().meta({
    description:
      'What similarities are divided by before the softmax that weighs neighbours (τ); small: the nearest only.',
    default: defaults.proxmo.temperature,
  }),
  stepNormalisation: choice('zscore', 'mean')
    .optional()
    .meta({
      description:
        'How a return less its baseline becomes a step advantage: as it is (`mean`), in the unit of returns, or divided ' +
        "by the deviation σ of the task's returns (`zscore`), as episode advantages are by that of its scores.",
      default: defaults.proxmo.stepNormalisation,
    }),
  leaveSelfOut: flag.optional().meta({
    description: 'Whether a turn is left out of its own baseline.',
    default: defaults.proxmo.leaveSelfOut,
  }),
  leaveTrajectoryOut: flag.optional().meta({
    description: "Whether all turns of a turn's episode, itself included, are left out of its baseline.",
    default: defaults.proxmo.leaveTrajectoryOut,
  }),
  maxFeatures: integer(1, 1024).optional().meta({
    description: 'Most terms of the TF-IDF vocabulary.',
    default: defaults.proxmo.maxFeatures,
  }),
  minWordLength: integer(1, 16)
    .optional()
    .meta({
      description: 'Shortest word of a state that counts, in characters.',
      ...presetDefault('minWordLength'),
    }),
});

/** The logistic function 1 / (1 + e^−x). */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
