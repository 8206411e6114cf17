/** What the levels of an advantage are measured in, and that no constant of the environment decides between them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { type AdvantageOptions, estimateAdvantages, referenceAdvantages } from '../../../src/rl/advantages/index.ts';
import type { RolloutRow } from '../../../src/rl/rows.ts';
import { Engine } from '../../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { rolloutOf, rollouts } from '../../support/rollouts.ts';

/** A win and a loss in one step each, in the same room: the baseline of both is half a win. */
const winAndLoss = (win: number) => rolloutOf({ rewards: [win], success: true }, { rewards: [0] });

const paid = (rows: readonly RolloutRow[], times: number) =>
  rows.map((row) => ({ ...row, reward: row.reward * times }));

const stepsOf = (rows: readonly RolloutRow[], options: AdvantageOptions) => [
  ...referenceAdvantages(rows, options).step,
];

function expectClose(values: Iterable<number>, expected: readonly number[], digits = 10): void {
  const list = [...values];
  expect(list).toHaveLength(expected.length);
  for (const [row, value] of list.entries()) expect(value, `row ${row}`).toBeCloseTo(expected[row]!, digits);
}

describe('returnUnit', () => {
  it('leaves step advantages in the unit of the reward by default', () => {
    expectClose(stepsOf(winAndLoss(10), { estimator: 'proxmo' }), [5, -5]);
    expectClose(stepsOf(winAndLoss(1), { estimator: 'proxmo' }), [0.5, -0.5]);
  });

  it.each([1, 10, 250])('measures returns in successes, whatever one pays: %d', (win) => {
    const options: AdvantageOptions = { estimator: 'proxmo', returnUnit: 'success', gamma: 0.5 };
    const rows = rolloutOf({ rewards: [0, win], success: true }, { rewards: [0, 0] });
    const { returnUnit, stepReturn, score, step } = referenceAdvantages(rows, options);
    expect(returnUnit).toBe(win);
    expectClose(stepReturn, [0.5, 1, 0, 0]);
    expectClose(score, [1, 1, 0, 0]);
    // The mean return of the four rows, which look alike, is 3/8.
    expectClose(step, [0.125, 0.625, -0.375, -0.375]);
  });

  it('takes the mean total of the successes where they earn more or less', () => {
    const rows = rolloutOf({ rewards: [1, 3], success: true }, { rewards: [2], success: true }, { rewards: [30] });
    const { returnUnit, score } = referenceAdvantages(rows, { estimator: 'grpo', returnUnit: 'success' });
    expect(returnUnit).toBe(3);
    expectClose(score, [4 / 3, 4 / 3, 2 / 3, 10]);
  });

  it('takes a number', () => {
    const rows = rolloutOf({ rewards: [10], invalid: [0] }, { rewards: [0] });
    const { score, penalisedReturn } = referenceAdvantages(rows, { estimator: 'gigpo', returnUnit: 20 });
    // The penalty of 0.1 is in the same unit.
    expectClose(score, [0.4, 0]);
    expectClose(penalisedReturn, [0.4, 0]);
  });

  it.each([
    ['none succeeded', rolloutOf({ rewards: [0.5] }, { rewards: [0] })],
    ['successes earn nothing', rolloutOf({ rewards: [0], success: true }, { rewards: [0.5] })],
  ])('stays the reward where %s', (_, rows) => {
    const { returnUnit, stepReturn } = referenceAdvantages(rows, { estimator: 'proxmo', returnUnit: 'success' });
    expect(returnUnit).toBe(1);
    expect(Math.max(...stepReturn)).toBe(0.5);
  });

  it('is positive where successes cost less than failures', () => {
    const rows = rolloutOf({ rewards: [-1, -1], success: true }, { rewards: [-1, -1, -1, -1] });
    const { returnUnit, score } = referenceAdvantages(rows, { estimator: 'rloo', returnUnit: 'success' });
    expect(returnUnit).toBe(2);
    expectClose(score, [-1, -1, -2, -2, -2, -2]);
  });

  it('refuses a success that earns next to nothing', () => {
    expect(() => referenceAdvantages(winAndLoss(1e-9), { estimator: 'grpo', returnUnit: 'success' })).toThrow(
      new ProxmoError(
        'data',
        'A success earns 1e-9 on average, which is too little to measure returns in; set returnUnit to a number of 0.001 or more, or to reward.',
      ),
    );
  });

  it.each<AdvantageOptions>([
    { estimator: 'proxmo' },
    { estimator: 'proxmo', preset: 'reference' },
    { estimator: 'gigpo', preset: 'reference' },
    { estimator: 'grpo' },
    { estimator: 'rloo' },
    { estimator: 'reinforce++' },
  ])('makes advantages independent of what the environment pays: %o', (options) => {
    fc.assert(
      fc.property(rollouts, fc.constantFrom(0.25, 8, 1024), (rows, times) => {
        // Powers of two, so that no bit is rounded differently; one success at least, so that there is a unit.
        const won = rows.map((row) => (row.trajectory === rows[0]!.trajectory ? { ...row, success: true } : row));
        const earning = [...won, { ...rows[0]!, trajectory: 'win', step: 0, success: true, reward: 1 }];
        const inSuccesses: AdvantageOptions = { ...options, returnUnit: 'success' };
        expect([...referenceAdvantages(paid(earning, times), inSuccesses).advantage]).toEqual([
          ...referenceAdvantages(earning, inSuccesses).advantage,
        ]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('stepNormalisation', () => {
  it.each([1, 10, 250])('zscore divides by the deviation of the task, whatever a win pays: %d', (win) => {
    // σ of one win and one loss is √½ wins.
    const half = 0.5 / Math.SQRT1_2;
    expectClose(stepsOf(winAndLoss(win), { estimator: 'proxmo', stepNormalisation: 'zscore' }), [half, -half], 5);
  });

  it('keeps to each task', () => {
    const rows = [
      ...winAndLoss(10),
      ...rolloutOf({ rewards: [1], success: true }, { rewards: [0] }).map((row) => ({
        ...row,
        group: 'h',
        trajectory: `other ${row.trajectory}`,
      })),
    ];
    const half = 0.5 / Math.SQRT1_2;
    expectClose(stepsOf(rows, { estimator: 'proxmo', stepNormalisation: 'zscore' }), [half, -half, half, -half], 5);
  });

  it('divides by no less than the floor', () => {
    const options: AdvantageOptions = { estimator: 'proxmo', stepNormalisation: 'zscore', sigmaFloor: 100 };
    expectClose(stepsOf(winAndLoss(10), options), [0.05, -0.05], 6);
  });

  it('gives 0 to a task of one row, and to one whose returns are equal', () => {
    const options: AdvantageOptions = { estimator: 'proxmo', stepNormalisation: 'zscore' };
    expectClose(stepsOf(rolloutOf({ rewards: [7], success: true }), options), [0]);
    expectClose(stepsOf(rolloutOf({ rewards: [7] }, { rewards: [7] }), options), [0, 0]);
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  const options: AdvantageOptions = { estimator: 'proxmo', returnUnit: 'success', stepNormalisation: 'zscore' };

  it('agrees with float64', async () => {
    const engine = new Engine(await testDevice(adapter));
    for (const rows of fc.sample(rollouts, { numRuns: 10, seed: 5 })) {
      const { advantage } = await estimateAdvantages(paid(rows, 40), options, engine);
      const expected = referenceAdvantages(paid(rows, 40), options).advantage;
      for (const [row, value] of advantage.entries()) expect(Math.abs(value - expected[row]!)).toBeLessThan(5e-4);
    }
  });
});
