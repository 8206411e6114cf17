/** Options of advantage estimation: presets, defaults, and one sentence for each mistake. */
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { type AdvantageOptions, resolveAdvantageOptions } from '../../../src/rl/advantages/index.ts';
import { advantageOptionsSchema } from '../../../src/rl/advantages/options.ts';

const defaults = {
  estimator: 'proxmo',
  gamma: 0.95,
  sigmaFloor: 0.1,
  invalidPenalty: 0.1,
  omega: 1,
  psc: true,
  alpha: 4,
  psa: true,
  returnUnit: 'reward',
  similarity: 'tfidf',
  hiddenWeight: 0,
  temperature: 0.1,
  stepNormalisation: 'mean',
  leaveSelfOut: false,
  leaveTrajectoryOut: false,
  maxFeatures: 1024,
};

it('follows the paper unless told otherwise', () => {
  expect(resolveAdvantageOptions({ estimator: 'proxmo' })).toEqual({
    ...defaults,
    preset: 'paper',
    beta: expect.closeTo(0.21639533, 7),
    normalisation: 'zscore',
    population: 'trajectories',
    successSource: 'flag',
    minWordLength: 1,
  });
});

it('follows the official implementation under the reference preset', () => {
  expect(resolveAdvantageOptions({ estimator: 'proxmo', preset: 'reference' })).toEqual({
    ...defaults,
    preset: 'reference',
    sigmaFloor: 0,
    beta: expect.closeTo(0.21639533, 7),
    normalisation: 'mean',
    population: 'rows',
    successSource: 'score',
    minWordLength: 2,
  });
});

it('lets every point of a preset be set alone', () => {
  const settings = resolveAdvantageOptions({
    estimator: 'proxmo',
    preset: 'reference',
    population: 'trajectories',
    minWordLength: 1,
  });
  expect(settings).toMatchObject({
    population: 'trajectories',
    minWordLength: 1,
    normalisation: 'mean',
    successSource: 'score',
  });
});

it('takes β in place of a range', () => {
  expect(resolveAdvantageOptions({ estimator: 'proxmo', beta: 0.5 })).toMatchObject({ beta: 0.5 });
  expect(resolveAdvantageOptions({ estimator: 'proxmo', range: 0 })).toMatchObject({ beta: 0 });
});

it('divides by no σ below what a malformed action costs, unless told otherwise', () => {
  const floorOf = (options: AdvantageOptions) => resolveAdvantageOptions(options);
  expect(floorOf({ estimator: 'grpo', invalidPenalty: 0.3 })).toMatchObject({ sigmaFloor: 0.3 });
  expect(floorOf({ estimator: 'reinforce++', sigmaFloor: 0 })).toMatchObject({ sigmaFloor: 0 });
  expect(floorOf({ estimator: 'grpo', preset: 'reference' })).toMatchObject({ sigmaFloor: 0 });
});

it.each<AdvantageOptions>([
  { estimator: 'proxmo' },
  { estimator: 'proxmo', psc: false },
  { estimator: 'proxmo', psa: false },
  { estimator: 'proxmo', similarity: 'hidden' },
  { estimator: 'proxmo', similarity: 'mixed', hiddenWeight: 0.2 },
  { estimator: 'gigpo' },
  { estimator: 'grpo' },
  { estimator: 'reinforce++' },
])('takes what it filled in for %o again, as a run reads its own configuration', (options) => {
  const filled = advantageOptionsSchema.parse(options);
  expect(advantageOptionsSchema.parse(filled)).toEqual(filled);
  expect(resolveAdvantageOptions(filled)).toEqual(resolveAdvantageOptions(options));
});

it.each([
  [{ similarity: 'hidden' }, 1],
  [{ similarity: 'mixed' }, 0.5],
  [{ similarity: 'mixed', hiddenWeight: 0.2 }, 0.2],
] as const)('weighs hidden states with %o', (options, hiddenWeight) => {
  expect(resolveAdvantageOptions({ estimator: 'proxmo', ...options })).toMatchObject({ hiddenWeight });
});

it('has a floor for σ where steps alone are divided by it', () => {
  const options = { estimator: 'proxmo', preset: 'reference', stepNormalisation: 'zscore', sigmaFloor: 0.2 } as const;
  expect(resolveAdvantageOptions(options)).toMatchObject({ normalisation: 'mean', sigmaFloor: 0.2 });
});

it('fills in for what is undefined', () => {
  expect(resolveAdvantageOptions({ estimator: 'proxmo', temperature: undefined })).toMatchObject({ temperature: 0.1 });
});

describe('refuses', () => {
  it.each<[string, unknown, string]>([
    ['no options', undefined, 'Advantage options must be an object with an "estimator".'],
    [
      'no estimator',
      {},
      'Advantage option "estimator" is not set; it must be one of proxmo, gigpo, grpo, rloo, reinforce++, or own with a name.',
    ],
    [
      'an unknown estimator',
      { estimator: 'ppo' },
      'Advantage option "estimator" must be one of proxmo, gigpo, grpo, rloo, reinforce++, or own with a name, not "ppo".',
    ],
    [
      'an unknown preset',
      { estimator: 'grpo', preset: 'official' },
      'Advantage option "preset" must be one of paper, reference, not "official".',
    ],
    [
      'γ above 1',
      { estimator: 'gigpo', gamma: 1.5 },
      'Advantage option "gamma" must be a number from 0 to 1, not 1.5.',
    ],
    [
      'a NaN penalty',
      { estimator: 'grpo', invalidPenalty: Number.NaN },
      'Advantage option "invalidPenalty" must be a number from 0 to 1000000, not NaN.',
    ],
    [
      'τ of 0',
      { estimator: 'proxmo', temperature: 0 },
      'Advantage option "temperature" must be a number from 0.001 to 1000, not 0.',
    ],
    [
      'half a feature',
      { estimator: 'proxmo', maxFeatures: 0.5 },
      'Advantage option "maxFeatures" must be an integer from 1 to 1024, not 0.5.',
    ],
    [
      'too many features',
      { estimator: 'proxmo', maxFeatures: 2000 },
      'Advantage option "maxFeatures" must be an integer from 1 to 1024, not 2000.',
    ],
    ['text as a flag', { estimator: 'proxmo', psc: 'no' }, 'Advantage option "psc" must be true or false, not "no".'],
    [
      'an option of another estimator',
      { estimator: 'grpo', temperature: 1 },
      'Advantage estimator "grpo" has no option "temperature" (known here: estimator, preset, invalidPenalty, population, returnUnit, normalisation, sigmaFloor); remove it.',
    ],
    [
      'a misspelt option',
      { estimator: 'proxmo', temprature: 1 },
      'Advantage estimator "proxmo" has no option "temprature" (did you mean `temperature`?); remove it.',
    ],
    [
      'range and β',
      { estimator: 'proxmo', range: 0.1, beta: 0.1 },
      'Advantage option "beta" sets the same thing as range; give one of them.',
    ],
    ...Object.entries({
      grpo: ', normalisation, sigmaFloor',
      rloo: '',
      'reinforce++': ', sigmaFloor',
    }).map(([estimator, more]): [string, unknown, string] => [
      `γ of ${estimator}, which has no step level`,
      { estimator, gamma: 0.95 },
      `Advantage estimator "${estimator}" has no option "gamma" (known here: estimator, preset, invalidPenalty, population, returnUnit${more}); remove it.`,
    ]),
    ...(
      [
        ['win', 'must be reward, success, or a number from 0.001 to 1e+30, not "win"'],
        [0, 'must be at least 0.001, not 0'],
        [1e31, 'must be at most 1e+30, not 1e+31'],
      ] as const
    ).map(([returnUnit, problem]): [string, unknown, string] => [
      `returns in units of ${returnUnit}`,
      { estimator: 'rloo', returnUnit },
      `Advantage option "returnUnit" ${problem}.`,
    ]),
    ...Object.entries({ alpha: 4, range: 0.05, beta: 0.1, successSource: 'flag' }).map(
      ([option, value]): [string, unknown, string] => [
        `${option} without PSC`,
        { estimator: 'proxmo', psc: false, [option]: value },
        `Advantage option "${option}" does nothing where psc is false; remove it.`,
      ],
    ),
    ...Object.entries({
      gamma: 0.95,
      omega: 1,
      temperature: 0.1,
      stepNormalisation: 'zscore',
      similarity: 'hidden',
      hiddenWeight: 0.5,
      leaveSelfOut: false,
      leaveTrajectoryOut: true,
      maxFeatures: 10,
      minWordLength: 1,
    }).map(([option, value]): [string, unknown, string] => [
      `${option} without PSA`,
      { estimator: 'proxmo', psa: false, [option]: value },
      `Advantage option "${option}" does nothing where psa is false; remove it.`,
    ]),
    ...(['tfidf', 'hidden'] as const).map((similarity): [string, unknown, string] => [
      `a weight of hidden states with ${similarity} alone`,
      { estimator: 'proxmo', similarity, hiddenWeight: 0.5 },
      `Advantage option "hiddenWeight" does nothing where similarity is ${similarity}; remove it.`,
    ]),
    ...Object.entries({ maxFeatures: 10, minWordLength: 1 }).map(([option, value]): [string, unknown, string] => [
      `${option} where no words are compared`,
      { estimator: 'proxmo', similarity: 'hidden', [option]: value },
      `Advantage option "${option}" does nothing where similarity is hidden; remove it.`,
    ]),
    ...[
      { estimator: 'proxmo', normalisation: 'mean' },
      { estimator: 'grpo', normalisation: 'mean' },
      { estimator: 'gigpo', preset: 'reference' },
    ].map((options): [string, unknown, string] => [
      `a floor of σ where nothing is divided by it, with ${options.estimator}`,
      { ...options, sigmaFloor: 1 },
      'Advantage option "sigmaFloor" does nothing where normalisation is mean; remove it.',
    ]),
  ])('%s', (_, options, message) => {
    expect(() => resolveAdvantageOptions(options as AdvantageOptions)).toThrow(new ProxmoError('config', message));
  });
});
