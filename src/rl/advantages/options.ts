/**
 * The options of advantage estimation: what a user may write, checked, and what the estimators read, complete. The two
 * presets differ at the points where ProxMO's official implementation (`reference`) departs from the paper (`paper`,
 * the default); every point can be set alone.
 */
import { z } from 'zod';
import { ProxmoError } from '../../base/errors.ts';

/** How a score becomes an advantage: (s − μ) / (σ + 1e-6), or s − μ. */
export type Normalisation = 'zscore' | 'mean';
/** What group statistics count: every row once, so that long episodes count more, or every trajectory once. */
export type Population = 'rows' | 'trajectories';
/**
 * What tells a success: an episode score above ½ (and the mean score as the success rate), or the rows' `success` flag.
 */
export type SuccessSource = 'score' | 'flag';

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

const common = {
  /** Fills in what is not set: the paper's method, or exactly what the official implementation does. */
  preset: choice('paper', 'reference').default('paper'),
  /** Discount γ of step returns. */
  gamma: number(0, 1).default(0.95),
  /** c: subtracted from score and return of a row whose action was malformed. */
  invalidPenalty: number(0, 1e6).default(0.1),
  /** What μ and σ are taken over. Preset: `trajectories` (paper), `rows` (reference). */
  population: choice('rows', 'trajectories').optional(),
};
const normalisation = choice('zscore', 'mean').optional();
/** ω: weight of the step level in the joint advantage. */
const omega = number(0, 1e6).default(1);

const grpo = z.strictObject({ estimator: z.literal('grpo'), ...common, normalisation });
const rloo = z.strictObject({ estimator: z.literal('rloo'), ...common });
const reinforce = z.strictObject({ estimator: z.literal('reinforce++'), ...common });
const gigpo = z.strictObject({
  estimator: z.literal('gigpo'),
  ...common,
  normalisation,
  omega,
  /**
   * Least Ratcliff/Obershelp similarity to the first anchor of a step group. Absent: only equal anchors share a group.
   */
  similarity: number(0, 1).optional(),
});
const proxmo = z.strictObject({
  estimator: z.literal('proxmo'),
  ...common,
  normalisation,
  omega,
  /** Whether episode advantages are modulated by the group's success rate (PSC). */
  psc: flag.default(true),
  /** α: how sharply the modulation depends on the success rate. */
  alpha: number(0.01, 100).default(4),
  /** r: PSC weights stay within [1 − r, 1 + r]. Give this or `beta`; 0.05 if neither is given. */
  range: number(0, 1).optional(),
  /** β = r / (logistic(1) − ½). */
  beta: number(0, 1 / (logistic(1) - 0.5)).optional(),
  /** Preset: `flag` (paper), `score` (reference). */
  successSource: choice('score', 'flag').optional(),
  /** Whether there is a step level at all (PSA). */
  psa: flag.default(true),
  /** τ of the softmax over cosine similarities. */
  temperature: number(0.001, 1000).default(0.1),
  /** Take a row out of its own baseline. */
  leaveSelfOut: flag.default(false),
  /** Take all rows of a row's trajectory, itself included, out of its baseline. */
  leaveTrajectoryOut: flag.default(false),
  /** Most terms of the TF-IDF vocabulary. */
  maxFeatures: integer(1, 1024).default(1024),
  /** Shortest word of an anchor that counts. Preset: 1 (paper), 2 (reference). */
  minWordLength: integer(1, 16).optional(),
});

/** What to estimate and how, as a user writes it. An option that the chosen estimator does not have is an error. */
export const advantageOptionsSchema = z.discriminatedUnion('estimator', [proxmo, gigpo, grpo, rloo, reinforce], {
  error: 'must be one of proxmo, gigpo, grpo, rloo, reinforce++',
});
export type AdvantageOptions = z.input<typeof advantageOptionsSchema>;

interface CommonSettings {
  readonly preset: 'paper' | 'reference';
  readonly gamma: number;
  readonly invalidPenalty: number;
  readonly population: Population;
}

export interface GrpoSettings extends CommonSettings {
  readonly estimator: 'grpo';
  readonly normalisation: Normalisation;
}

export interface RlooSettings extends CommonSettings {
  readonly estimator: 'rloo';
}

export interface ReinforceSettings extends CommonSettings {
  readonly estimator: 'reinforce++';
}

export interface GigpoSettings extends CommonSettings {
  readonly estimator: 'gigpo';
  readonly normalisation: Normalisation;
  readonly omega: number;
  /** Null: only equal anchors share a step group. */
  readonly similarity: number | null;
}

export interface ProxmoSettings extends CommonSettings {
  readonly estimator: 'proxmo';
  readonly normalisation: Normalisation;
  readonly omega: number;
  readonly psc: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly successSource: SuccessSource;
  readonly psa: boolean;
  readonly temperature: number;
  readonly leaveSelfOut: boolean;
  readonly leaveTrajectoryOut: boolean;
  readonly maxFeatures: number;
  readonly minWordLength: number;
}

/** Options with every preset and default filled in. */
export type AdvantageSettings = ProxmoSettings | GigpoSettings | GrpoSettings | RlooSettings | ReinforceSettings;

const presets = {
  paper: { normalisation: 'zscore', population: 'trajectories', successSource: 'flag', minWordLength: 1 },
  reference: { normalisation: 'mean', population: 'rows', successSource: 'score', minWordLength: 2 },
} as const;

const defaultRange = 0.05;

/**
 * Checks options and fills in the rest.
 * @throws {ProxmoError} `config`, naming the option.
 */
export function resolveAdvantageOptions(options: AdvantageOptions): AdvantageSettings {
  const parsed = advantageOptionsSchema.safeParse(options);
  if (!parsed.success) throw new ProxmoError('config', sentence(parsed.error.issues[0]!, options));
  const given = parsed.data;
  const preset = presets[given.preset];
  const population = given.population ?? preset.population;
  switch (given.estimator) {
    case 'grpo':
      return { ...given, population, normalisation: given.normalisation ?? 'zscore' };
    case 'rloo':
    case 'reinforce++':
      return { ...given, population };
    case 'gigpo':
      return {
        ...given,
        population,
        normalisation: given.normalisation ?? preset.normalisation,
        similarity: given.similarity ?? null,
      };
    case 'proxmo': {
      const { range, beta, ...rest } = given;
      if (range !== undefined && beta !== undefined) {
        throw new ProxmoError('config', 'Advantage options "range" and "beta" set the same thing; give one of them.');
      }
      return {
        ...rest,
        population,
        normalisation: given.normalisation ?? preset.normalisation,
        beta: beta ?? (range ?? defaultRange) / (logistic(1) - 0.5),
        successSource: given.successSource ?? preset.successSource,
        minWordLength: given.minWordLength ?? preset.minWordLength,
      };
    }
  }
}

function sentence(issue: z.core.$ZodIssue, options: AdvantageOptions): string {
  if (issue.code === 'unrecognized_keys') {
    return `Advantage estimator "${options.estimator}" has no option "${issue.keys[0]}"; remove it.`;
  }
  if (issue.path.length === 0) return 'Advantage options must be an object with an "estimator".';
  return `Advantage option "${issue.path.join('.')}" ${issue.message}.`;
}

/** The logistic function 1 / (1 + e^−x). */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
