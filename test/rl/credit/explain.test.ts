/** Explanations: their numbers are shown as they are, and add up, and their words are true, under every estimator. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AdvantageOptions,
  referenceAdvantages,
  resolveAdvantageOptions,
} from '../../../src/rl/advantages/index.ts';
import { explain } from '../../../src/rl/credit/explain.ts';
import { levelsOf } from '../../../src/rl/credit/levels.ts';
import type { RecordedRow } from '../../../src/rl/credit/record.ts';
import { shownSum, shownValue } from '../../../src/rl/credit/shownNumbers.ts';
import { wordDifference } from '../../../src/rl/credit/wordDifference.ts';
import { indexRollout, type RolloutRow } from '../../../src/rl/rows.ts';
import { rolloutOf, rollouts } from '../../support/rollouts.ts';

/** Rows as a run writes them down. */
function recorded(rows: readonly RolloutRow[], options: AdvantageOptions): RecordedRow[] {
  const batch = indexRollout(rows);
  const result = referenceAdvantages(batch, options);
  const levels = levelsOf(batch, resolveAdvantageOptions(options), result);
  return rows.map((row, number) => ({
    ...row,
    instruction: 'go',
    prompt: row.observation,
    context: 0,
    truncated: false,
    action: 'go',
    reply: ['go'],
    cut: false,
    logProbs: [-0.5],
    referenceLogProbs: null,
    kl: null,
    actions: null,
    branches: null,
    advantage: result.advantage[number]!,
    episodeAdvantage: result.episode[number]!,
    stepAdvantage: result.step[number]!,
    ...levels(number),
    seconds: { reply: 0, world: 0 },
  }));
}

function explained(rows: readonly RolloutRow[], options: AdvantageOptions) {
  const all = recorded(rows, options);
  const settings = resolveAdvantageOptions(options);
  return all.map((row) =>
    explain(
      row,
      all.filter(({ group }) => group === row.group),
      settings,
    ),
  );
}

const settings: readonly AdvantageOptions[] = [
  { estimator: 'grpo' },
  { estimator: 'rloo', population: 'rows' },
  { estimator: 'reinforce++' },
  { estimator: 'gigpo', omega: 0.25 },
  { estimator: 'gigpo', similarity: 0.7 },
  { estimator: 'proxmo' },
  { estimator: 'proxmo', preset: 'reference', omega: 0.01 },
  { estimator: 'proxmo', stepNormalisation: 'zscore', returnUnit: 2 },
  { estimator: 'proxmo', psa: false },
  { estimator: 'proxmo', psc: false, leaveTrajectoryOut: true },
];

describe.each(settings)('with %o', (options) => {
  it('each number is shown rounded by itself, and what is meant adds up to the bit', () => {
    fc.assert(
      fc.property(rollouts, fc.constantFrom(1, 10, 1e-3, 1e5), (rows, factor) => {
        const scaled = rows.map((row) => ({ ...row, reward: row.reward * factor }));
        for (const [index, explanation] of explained(scaled, options).entries()) {
          const { advantage, parts, waterfall, shown, sentence } = explanation;
          expect(parts.map(({ value }) => value).reduce((sum, value) => sum + value)).toBe(advantage);
          const digits = shown.split('.')[1]!.length;
          for (const part of [{ shown, value: advantage }, ...parts, ...waterfall]) {
            expect(part.shown).toMatch(/^[+-]\d+\.\d{2,}$/);
            expect([part, Number(part.shown)]).toEqual([part, Number(part.value.toFixed(digits)) + 0]);
          }
          expect(sentence.startsWith(`${shown}: ${parts[0]!.shown} `)).toBe(true);
          expect([index, sentence]).not.toEqual([index, expect.stringMatching(/NaN|undefined|null|Infinity/)]);
        }
      }),
      { numRuns: 40, seed: 9 },
    );
  });
});

describe('the words', () => {
  const half = rolloutOf(
    { rewards: [0, 10], success: true, observations: ['a red mug', 'a green cup'] },
    { rewards: [0, 0], observations: ['a red mug', 'a red cup'] },
    { rewards: [0, 10], success: true, observations: ['a red mug', 'nothing here'] },
    { rewards: [0, 0], observations: ['a red mug', 'a blue cup'] },
  );
  const sentence = (rows: readonly RolloutRow[], options: AdvantageOptions, row = 0) =>
    explained(rows, options)[row]!.sentence;

  it.each<[AdvantageOptions, string]>([
    [
      { estimator: 'proxmo', gamma: 1 },
      '+5.88: +0.87 because this episode succeeded in a group where half failed; +5.01 because it came to 10 where similar states averaged 4.99',
    ],
    [
      { estimator: 'proxmo', gamma: 1, leaveTrajectoryOut: true },
      '+7.55: +0.87 because this episode succeeded in a group where half failed; +6.68 because it came to 10 where similar states of other episodes averaged 3.32',
    ],
    [
      { estimator: 'gigpo', gamma: 1, normalisation: 'mean' },
      '+10.00: +5.00 because this episode succeeded in a group where half failed; +5.00 because it came to 10 where the same state averaged 5',
    ],
    [{ estimator: 'grpo' }, '+0.87: +0.87 because this episode succeeded in a group where half failed'],
    [{ estimator: 'rloo' }, '+6.67: +6.67 because this episode succeeded in a group where half failed'],
    [{ estimator: 'reinforce++' }, '+0.87: +0.87 because its episode scored 10 where the batch averaged 5'],
  ])('of %o', (options, expected) => {
    expect(sentence(half, options)).toBe(expected);
  });

  it('say how many, what a penalty did, and what had nothing to compare with', () => {
    const [won, lost] = [{ rewards: [10], success: true }, { rewards: [0] }] as const;
    const grpo = { estimator: 'grpo' } as const;
    expect(sentence(rolloutOf(lost, won, lost, lost), grpo)).toContain('failed in a group where 1 of 4 succeeded');
    expect(sentence(rolloutOf(lost, lost), grpo)).toBe(
      '+0.00: +0.00 since its episode scored 0, as much as its group did on average',
    );
    expect(sentence(rolloutOf({ rewards: [0], invalid: [0] }, lost), grpo)).toContain(
      'because its episode scored -0.1 after the penalty for a malformed action where its group averaged -0.05',
    );
    expect(sentence(rolloutOf(won), grpo)).toContain('its group has no other to compare with');
    const seen = [
      { ...won, observations: ['here'] },
      { ...lost, observations: ['there'] },
    ] as const;
    expect(sentence(rolloutOf(...seen), { estimator: 'gigpo' })).toContain(
      '+0.00 since it came to 10 and no other turn of its task was in this state',
    );
    expect(sentence(rolloutOf(won), { estimator: 'proxmo', leaveSelfOut: true })).toContain(
      '+0.00 since it came to 10 and there was nothing to compare it with',
    );
  });

  it('call scores equal that are so but for the rounding of their mean', () => {
    const rows = rolloutOf({ rewards: [0, 10], success: true }, { rewards: [0, 0, 10], success: true });
    expect(explained(rows, { estimator: 'grpo' })[0]!.advantage).not.toBe(0);
    expect(sentence(rows, { estimator: 'grpo' })).toBe(
      '+0.00: +0.00 since its episode scored 10, as much as its group did on average',
    );
  });

  it('do not call a success the reason where partial credit put it below the mean', () => {
    const rows = rolloutOf({ rewards: [1], success: true }, { rewards: [3] });
    expect(sentence(rows, { estimator: 'grpo' })).toContain('its episode scored 1 where its group averaged 2');
  });

  it('of how it was computed have each factor', () => {
    const [row] = explained(half, { estimator: 'proxmo', gamma: 0.9, omega: 0.5, stepNormalisation: 'zscore' });
    expect(row!.parts.map(({ arithmetic }) => arithmetic)).toEqual([
      'score 10 - 5 (mean of its group) = +5, divided by 5.77 (its spread) = +0.87, times 1.003 (PSC, success rate 50 %) = +0.87',
      expect.stringMatching(
        /^return 9 discounted by 0\.9 - [\d.]+ = \+[\d.]+, divided by [\d.]+ \(its spread\) = \+[\d.]+, times 0\.5 \(omega\) = \+[\d.]+$/,
      ),
    ]);
    expect(row!.waterfall.map(({ name }) => name)).toEqual(['episode', 'PSC', 'step', 'scale']);
  });

  it('tell neighbours by what they differ in', () => {
    const [row] = explained(half, { estimator: 'proxmo', gamma: 1 });
    expect(row!.neighbours[0]).toMatchObject({ isOwn: true, turns: 4, difference: { lost: [], gained: [] } });
    expect(row!.neighbours[1]).toMatchObject({
      isOwn: false,
      observation: 'a red cup',
      difference: { lost: ['mug'], gained: ['cup'] },
    });
  });
});

describe('numbers', () => {
  it('are shown with as few digits as say something', () => {
    expect([10, 2.441, 0.087_23, -0.004, 0, -0.000_000_12, 1e6].map(shownValue)).toEqual([
      '10',
      '2.44',
      '0.087',
      '-0.004',
      '0',
      '-1.2e-7',
      '1000000',
    ]);
    expect(shownSum(8.436, [[0.8724, 7.5636]])).toEqual({ total: '+8.44', parts: [['+0.87', '+7.56']] });
    expect(shownSum(-1e-17, [[0, -1e-17]])).toEqual({ total: '+0.00', parts: [['+0.00', '+0.00']] });
    expect(shownSum(0, [[0.005, -0.005], [0]])).toEqual({
      total: '+0.0000',
      parts: [['+0.0050', '-0.0050'], ['+0.0000']],
    });
  });

  it('are shown alike whatever they stand beside', () => {
    const shownBeside = (other: number) => shownSum(0.7249 + other, [[0.7249, other]]).parts[0]![0];
    expect([5.0012, 5.0047, 5.0083, -3.3019, 0.0061].map(shownBeside)).toEqual(Array(5).fill('+0.72'));
  });
});

describe('words that differ', () => {
  it('are told by count and in order, as similarity counts them', () => {
    expect(wordDifference('You see a Mug 1, a mug 2.', 'you see a cup 2')).toEqual({
      lost: ['mug', '1', 'a', 'mug'],
      gained: ['cup'],
    });
    expect(wordDifference('', '')).toEqual({ lost: [], gained: [] });
  });
});
