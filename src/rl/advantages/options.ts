/**
 * The options of advantage estimation: what a user may write, checked, and what the estimators read, complete. The two
 * presets differ at the points where ProxMO's official implementation (`reference`) departs from the paper (`paper`,
 * the default); every point can be set alone.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { parseOrProblems, type SchemaProblem } from '../../base/schemaProblems.ts';
import type { OwnReference } from '../own/registry.ts';
import {
  defaultRange,
  defaults,
  estimatorNames,
  gigpo,
  grpo,
  logistic,
  own,
  presets,
  proxmo,
  reinforce,
  rloo,
} from './optionShapes.ts';

/** How a score becomes an advantage: (s − μ) / (σ + 1e-6), or s − μ. */
export type Normalisation = 'zscore' | 'mean';
/** What group statistics count: every row once, so that long episodes count more, or every trajectory once. */
export type Population = 'rows' | 'trajectories';
/** What states are similar by: their words, what the policy made of them, or a mean of both. */
export type SimilaritySource = 'tfidf' | 'hidden' | 'mixed';
/**
 * What tells a success: an episode score above ½ (and the mean score as the success rate), or the rows' `success` flag.
 */
export type SuccessSource = 'score' | 'flag';
/** What rewards are measured in: as the environment gives them, in what a success earns, or in so much. */
export type ReturnUnit = 'reward' | 'success' | number;

/** What a user may set, of any estimator. */
type Given = z.output<typeof proxmo | typeof gigpo | typeof grpo | typeof rloo | typeof reinforce>;

/** Options that nothing reads where another has a certain value: whoever sets them means something else. */
const dependent: readonly { readonly options: readonly string[]; readonly unread: (given: Given) => string | null }[] =
  [
    {
      options: ['alpha', 'range', 'beta', 'successSource'],
      unread: (given) => ('psc' in given && !given.psc ? 'psc is false' : null),
    },
    {
      options: [
        ...['gamma', 'omega', 'temperature', 'stepNormalisation', 'leaveSelfOut', 'leaveTrajectoryOut'],
        ...['similarity', 'hiddenWeight', 'maxFeatures', 'minWordLength'],
      ],
      unread: (given) => ('psa' in given && !given.psa ? 'psa is false' : null),
    },
    {
      options: ['hiddenWeight'],
      unread: (given) => {
        const { similarity = 'tfidf' } = given.estimator === 'proxmo' ? given : {};
        return similarity === 'mixed' ? null : `similarity is ${similarity}`;
      },
    },
    {
      options: ['maxFeatures', 'minWordLength'],
      unread: (given) =>
        given.estimator === 'proxmo' && given.similarity === 'hidden' ? 'similarity is hidden' : null,
    },
    {
      options: ['sigmaFloor'],
      unread: (given) =>
        normalisationOf(given) === 'mean' && !('stepNormalisation' in given && given.stepNormalisation === 'zscore')
          ? 'normalisation is mean'
          : null,
    },
  ];

/** Why an option would change nothing beside the others; null where it counts. */
function whyUnread(given: Given, option: string): string | null {
  for (const { options, unread } of dependent) {
    const reason = options.includes(option) ? unread(given) : null;
    if (reason !== null) return reason;
  }
  return null;
}

function refuseUnread(given: Given, context: z.core.$RefinementCtx): void {
  for (const [option, input] of Object.entries(given)) {
    const reason = input === undefined ? null : whyUnread(given, option);
    if (reason !== null) {
      const message = `does nothing where ${reason}; remove it`;
      context.addIssue({ code: 'custom', path: [option], message, input });
    }
  }
  if ('range' in given && given.range !== undefined && given.beta !== undefined) {
    const message = 'sets the same thing as range; give one of them';
    context.addIssue({ code: 'custom', path: ['beta'], message, input: given.beta });
  }
}

/** The options with the defaults of those that count. */
function filledIn<G extends Given & { readonly estimator: keyof typeof defaults }>(given: G): G {
  const read = Object.entries(defaults[given.estimator]).filter(([option]) => whyUnread(given, option) === null);
  return withDefaults(given, Object.fromEntries(read));
}

/** Options with defaults for those that are absent or undefined. */
function withDefaults<G extends object, D extends object>(
  given: G,
  values: D,
): G & { readonly [K in keyof D & keyof G]-?: NonNullable<G[K]> } {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const filled: object = { ...values, ...set };
  return filled as ReturnType<typeof withDefaults<G, D>>;
}

/**
 * What to estimate and how, as a user writes it. An option that the chosen estimator does not have, or that would
 * change nothing, is an error.
 */
export const advantageOptionsSchema = z.discriminatedUnion(
  'estimator',
  [
    proxmo.superRefine(refuseUnread).transform(filledIn),
    gigpo.superRefine(refuseUnread).transform(filledIn),
    grpo.superRefine(refuseUnread),
    rloo,
    reinforce,
    own,
  ],
  { error: `must be one of ${estimatorNames.join(', ')}, or own with a name` },
);
/** What to estimate and how, as a user writes it; what is left out has its default. */
export type AdvantageOptions = z.input<typeof advantageOptionsSchema>;

/** What an estimator is called: by its users, where it is their own. */
export function estimatorName(settings: z.output<typeof advantageOptionsSchema> | AdvantageSettings): string {
  return settings.estimator === 'own' ? settings.name : settings.estimator;
}

interface CommonSettings {
  readonly preset: 'paper' | 'reference';
  readonly invalidPenalty: number;
  readonly population: Population;
  readonly returnUnit: ReturnUnit;
}

/** How scores become advantages of size 1. */
export interface Scaling {
  readonly normalisation: Normalisation;
  readonly sigmaFloor: number;
}

interface StepLevelSettings {
  readonly gamma: number;
  readonly omega: number;
}

export interface GrpoSettings extends CommonSettings, Scaling {
  readonly estimator: 'grpo';
}

export interface RlooSettings extends CommonSettings {
  readonly estimator: 'rloo';
}

export interface ReinforceSettings extends CommonSettings, Scaling {
  readonly estimator: 'reinforce++';
}

export interface GigpoSettings extends CommonSettings, Scaling, StepLevelSettings {
  readonly estimator: 'gigpo';
  /** Null: only equal anchors share a step group. */
  readonly similarity: number | null;
}

export interface ProxmoSettings extends CommonSettings, Scaling, StepLevelSettings {
  readonly estimator: 'proxmo';
  readonly psc: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly successSource: SuccessSource;
  readonly psa: boolean;
  readonly similarity: SimilaritySource;
  /** 0 with `tfidf`, 1 with `hidden`. */
  readonly hiddenWeight: number;
  readonly temperature: number;
  readonly stepNormalisation: Normalisation;
  readonly leaveSelfOut: boolean;
  readonly leaveTrajectoryOut: boolean;
  readonly maxFeatures: number;
  readonly minWordLength: number;
}

/** Settings of an estimator of a user's own. */
export interface OwnSettings extends Pick<CommonSettings, 'invalidPenalty' | 'returnUnit'>, OwnReference {
  readonly estimator: 'own';
}

/** Settings of the library's estimators, with every preset and default filled in. */
export type LibrarySettings = ProxmoSettings | GigpoSettings | GrpoSettings | RlooSettings | ReinforceSettings;
/** Options with every preset and default filled in. */
export type AdvantageSettings = LibrarySettings | OwnSettings;

/**
 * Checks options and fills in the rest.
 * @throws {ProxmoError} `config`, naming the option.
 */
export function resolveAdvantageOptions(options: AdvantageOptions): AdvantageSettings {
  const { data, problems } = parseOrProblems(advantageOptionsSchema, options);
  if (!data) throw new ProxmoError('config', sentence(problems[0]!, options));
  const given = data;
  if (given.estimator === 'own') return given;
  const preset = presets[given.preset];
  const population = given.population ?? preset.population;
  switch (given.estimator) {
    case 'grpo':
    case 'reinforce++':
      return { ...given, population, ...scalingOf(given) };
    case 'rloo':
      return { ...given, population };
    case 'gigpo':
      return {
        ...withDefaults(given, defaults.gigpo),
        population,
        ...scalingOf(given),
        similarity: given.similarity ?? null,
      };
    case 'proxmo': {
      const { range, beta, ...rest } = given;
      const filled = withDefaults(rest, defaults.proxmo);
      return {
        ...filled,
        hiddenWeight: { tfidf: 0, hidden: 1, mixed: filled.hiddenWeight }[filled.similarity],
        population,
        ...scalingOf(given),
        beta: beta ?? (range ?? defaultRange) / (logistic(1) - 0.5),
        successSource: given.successSource ?? preset.successSource,
        minWordLength: given.minWordLength ?? preset.minWordLength,
      };
    }
  }
}

/** How scores are normalised; null by an estimator that does not. GRPO and REINFORCE++ divide by σ in every preset. */
function normalisationOf(given: Given): Normalisation | null {
  if (given.estimator === 'rloo') return null;
  if (given.estimator === 'reinforce++') return 'zscore';
  return given.normalisation ?? (given.estimator === 'grpo' ? 'zscore' : presets[given.preset].normalisation);
}

function scalingOf(given: Exclude<Given, { estimator: 'rloo' }>): Scaling {
  const { sigmaFloor = given.preset === 'paper' ? given.invalidPenalty : 0 } = given;
  return { normalisation: normalisationOf(given) ?? 'zscore', sigmaFloor };
}

function sentence({ path, what, advice, isUnknownKey }: SchemaProblem, options: AdvantageOptions): string {
  const hint = advice === undefined ? '' : ` (${advice})`;
  const name = `"${path.join('.')}"`;
  if (isUnknownKey) return `Advantage estimator "${options.estimator}" has no option ${name}${hint}; remove it.`;
  if (path.length === 0) return 'Advantage options must be an object with an "estimator".';
  return `Advantage option ${name} ${what}${hint}.`;
}
