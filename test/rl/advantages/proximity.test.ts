/** ProxMO's step level: its rules, and the device path against float64. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AdvantageEstimator,
  type AdvantageOptions,
  advantagesOfJsonl,
  referenceAdvantages,
} from '../../../src/rl/advantages/index.ts';
import { Engine } from '../../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { rolloutOf, rollouts } from '../../support/rollouts.ts';

const stepLevel = (
  rows: Parameters<typeof referenceAdvantages>[0],
  options: Partial<Extract<AdvantageOptions, { estimator: 'proxmo' }>> = {},
) => [...referenceAdvantages(rows, { estimator: 'proxmo', gamma: 0, ...options }).step];

describe('float64 reference', () => {
  const rows = rolloutOf(
    { rewards: [1, 0], observations: ['mug', 'mug'] },
    { rewards: [0, 4], observations: ['mug', 'pan'] },
  );

  it('weights the returns of the group by the similarity of anchors', () => {
    const far = Math.exp(-1 / 0.5);
    const baseline = (1 + 0 + 0 + far * 4) / (3 + far);
    const last = (4 + far) / (1 + 3 * far);
    const expected = [1 - baseline, -baseline, -baseline, 4 - last];
    for (const [row, value] of stepLevel(rows, { temperature: 0.5 }).entries())
      expect(value).toBeCloseTo(expected[row]!, 12);
  });

  it('can leave a row out of its own baseline', () => {
    const far = Math.exp(-1 / 0.5);
    expect(stepLevel(rows, { temperature: 0.5, leaveSelfOut: true })[0]).toBeCloseTo(1 - (4 * far) / (2 + far), 12);
    expect(stepLevel(rows, { temperature: 0.5, leaveSelfOut: true })[3]).toBeCloseTo(4 - 1 / 3, 12);
  });

  it('can leave the trajectory of a row out of its baseline', () => {
    const far = Math.exp(-1 / 0.5);
    expect(stepLevel(rows, { temperature: 0.5, leaveTrajectoryOut: true })[0]).toBeCloseTo(
      1 - (4 * far) / (1 + far),
      12,
    );
    expect(stepLevel(rows, { temperature: 0.5, leaveTrajectoryOut: true })[3]).toBeCloseTo(4 - 1 / 2, 12);
  });

  it('gives 0 where nothing is left to compare with', () => {
    expect(stepLevel(rolloutOf({ rewards: [1, 2] }), { leaveTrajectoryOut: true })).toEqual([0, 0]);
    expect(stepLevel(rolloutOf({ rewards: [1] }), { leaveSelfOut: true })).toEqual([0]);
  });

  it('compares a row without a word with every row alike, itself included', () => {
    const wordless = rolloutOf({ rewards: [3, 0, 0], observations: ['…', 'mug', 'pan'] });
    expect(stepLevel(wordless)[0]).toBeCloseTo(2, 12);
  });

  it('gives 0 where the whole batch has no word', () => {
    expect(stepLevel(rolloutOf({ rewards: [3, 0], observations: ['…', ''] }))).toEqual([0, 0]);
  });

  it('sees a difference between numbered objects under the paper preset only', () => {
    const drawers = rolloutOf({ rewards: [1, 0], observations: ['drawer 1', 'drawer 2'] });
    expect(stepLevel(drawers, { preset: 'reference' })[0]).toBeCloseTo(0.5, 12);
    expect(stepLevel(drawers, { preset: 'paper' })[0]).toBeLessThan(0.1);
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  const choices = fc.record({
    temperature: fc.constantFrom(0.01, 0.1, 1),
    leaveSelfOut: fc.boolean(),
    leaveTrajectoryOut: fc.boolean(),
    maxFeatures: fc.constantFrom(3, 1024),
  });

  it('agrees with float64 for any rollout and any rule', async () => {
    const engine = new Engine(await testDevice(adapter));
    await fc.assert(
      fc.asyncProperty(rollouts, choices, async (rows, chosen) => {
        const options: AdvantageOptions = { estimator: 'proxmo', ...chosen };
        const estimator = new AdvantageEstimator(options, engine);
        const { step } = await estimator.estimate(rows);
        await estimator.destroy();
        const expected = referenceAdvantages(rows, options).step;
        for (const [row, value] of step.entries()) expect(Math.abs(value - expected[row]!)).toBeLessThan(5e-5);
      }),
      { numRuns: 40 },
    );
  });

  it.each([1e4, 1e9])('keeps its digits where all returns lie about %d', async (offset) => {
    const engine = new Engine(await testDevice(adapter));
    const estimator = new AdvantageEstimator({ estimator: 'proxmo', gamma: 0 }, engine);
    for (const rows of fc.sample(rollouts, { numRuns: 10, seed: 3 })) {
      const { step } = await estimator.estimate(rows.map((row) => ({ ...row, reward: row.reward + offset })));
      const expected = referenceAdvantages(rows, { estimator: 'proxmo', gamma: 0 }).step;
      for (const [row, value] of step.entries()) expect(Math.abs(value - expected[row]!)).toBeLessThan(2e-6);
    }
    await estimator.destroy();
  });

  it('gives the same bits again, also for a batch after another', async () => {
    const estimator = new AdvantageEstimator({ estimator: 'proxmo' }, new Engine(await testDevice(adapter)));
    const [rows, others] = fc.sample(rollouts, { numRuns: 2, seed: 7 });
    const first = await estimator.estimate(rows!);
    await estimator.estimate(others!);
    expect((await estimator.estimate(rows!)).advantage).toEqual(first.advantage);
    await estimator.destroy();
  });

  it('answers JSON Lines with one record a row, in input order', async () => {
    const rows = rolloutOf(
      { rewards: [0, 1], success: true, observations: ['mug', 'pan'] },
      { rewards: [0], observations: ['mug'] },
    );
    const records = await advantagesOfJsonl(
      rows.map((row) => JSON.stringify(row)).join('\n'),
      { estimator: 'proxmo' },
      async () => new Engine(await testDevice(adapter)),
    );
    const expected = referenceAdvantages(rows, { estimator: 'proxmo' });
    expect(records).toHaveLength(3);
    for (const [row, record] of records.entries()) {
      expect(record.episode).toBeCloseTo(expected.episode[row]!, 5);
      expect(record.step).toBeCloseTo(expected.step[row]!, 5);
      expect(record.advantage).toBeCloseTo(expected.advantage[row]!, 5);
    }
  });
});
