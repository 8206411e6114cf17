/** What advantages consist of: the parts of each row, under every estimator, make up its advantage. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AdvantageOptions,
  referenceAdvantages,
  resolveAdvantageOptions,
} from '../../../src/rl/advantages/index.ts';
import { levelsOf } from '../../../src/rl/credit/levels.ts';
import { indexRollout, type RolloutRow } from '../../../src/rl/rows.ts';
import { rolloutOf, rollouts } from '../../support/rollouts.ts';

const settings: readonly AdvantageOptions[] = [
  { estimator: 'grpo' },
  { estimator: 'grpo', normalisation: 'mean', population: 'rows' },
  { estimator: 'rloo' },
  { estimator: 'rloo', population: 'rows' },
  { estimator: 'reinforce++' },
  { estimator: 'gigpo' },
  { estimator: 'gigpo', preset: 'reference', similarity: 0.7, omega: 0.3 },
  { estimator: 'proxmo' },
  { estimator: 'proxmo', preset: 'reference', omega: 2 },
  { estimator: 'proxmo', psc: false, leaveSelfOut: true },
  { estimator: 'proxmo', stepNormalisation: 'zscore', returnUnit: 'success' },
  { estimator: 'proxmo', psa: false, range: 0.5 },
  { estimator: 'proxmo', leaveTrajectoryOut: true, temperature: 0.01 },
];

function levels(rows: readonly RolloutRow[], options: AdvantageOptions) {
  const batch = indexRollout(rows);
  const result = referenceAdvantages(batch, options);
  const of = levelsOf(batch, resolveAdvantageOptions(options), result);
  return { result, levels: rows.map((_, row) => of(row)) };
}

describe.each(settings)('with %o', (options) => {
  it('the parts of each row make up its advantage', () => {
    fc.assert(
      fc.property(rollouts, (rows) => {
        const { result, levels: all } = levels(rows, options);
        for (const [row, { episodeLevel, stepLevel }] of all.entries()) {
          const { score, baseline, scale, before, weight, successRate } = episodeLevel;
          // Bit for bit.
          expect(before * weight).toBe(result.episode[row]);
          expect((score - baseline) / scale).toBeCloseTo(before, 9);
          expect(successRate === null).toBe(options.estimator !== 'proxmo' || options.psc === false);
          const step = stepLevel ? stepLevel.omega * result.step[row]! : 0;
          expect(result.episode[row]! + step).toBe(result.advantage[row]);
          if (!stepLevel) continue;
          expect(stepLevel.before / stepLevel.scale).toBeCloseTo(result.step[row]!, 9);
          expect(stepLevel.penalisedReturn - stepLevel.baseline).toBeCloseTo(stepLevel.before, 9);
          const shares = stepLevel.neighbours.reduce((sum, { weight: share }) => sum + share, 0);
          expect(shares).toBeLessThan(1 + 1e-3);
          // Where all states are named, they make up the baseline.
          if (shares > 1 - 1e-6) {
            const mean = stepLevel.neighbours.reduce((sum, each) => sum + each.weight * each.return, 0);
            expect(mean).toBeCloseTo(stepLevel.baseline, 3);
          }
        }
      }),
      { numRuns: 60, seed: 8 },
    );
  });
});

describe('neighbours', () => {
  const rows = rolloutOf(
    { rewards: [0, 10], success: true, observations: ['a red mug', 'a green cup'] },
    { rewards: [0, 0], observations: ['a red mug', 'a red cup'] },
    { rewards: [0, 0], observations: ['a red mug', 'nothing here'] },
  );

  it('are states, named by another episode, the most similar first', () => {
    const [first] = levels(rows, { estimator: 'proxmo', gamma: 1 }).levels;
    const { neighbours } = first!.stepLevel!;
    expect(neighbours.map(({ trajectory, step, turns }) => [trajectory, step, turns])).toEqual([
      ['episode 1', 0, 3],
      ['episode 1', 1, 1],
      ['episode 0', 1, 1],
      ['episode 2', 1, 1],
    ]);
    expect(neighbours[0]).toMatchObject({ similarity: 1, return: 3.3333 });
    expect(neighbours.map(({ similarity }) => similarity)).toEqual(
      neighbours.map(({ similarity }) => similarity).toSorted((a, b) => b! - a!),
    );
  });

  it('are without what is left out', () => {
    const [first] = levels(rows, { estimator: 'proxmo', gamma: 1, leaveTrajectoryOut: true }).levels;
    const { neighbours } = first!.stepLevel!;
    expect(neighbours.map(({ trajectory, turns }) => [trajectory, turns])).toEqual([
      ['episode 1', 2],
      ['episode 1', 1],
      ['episode 2', 1],
    ]);
    expect(neighbours[0]).toMatchObject({ similarity: 1, return: 0 });
  });

  it('are none where turns are compared by hidden states, and the levels are there', () => {
    const batch = indexRollout(rows);
    const states = rows.map((_, row) => [row, 1]);
    for (const similarity of ['hidden', 'mixed'] as const) {
      const options: AdvantageOptions = { estimator: 'proxmo', similarity };
      const result = referenceAdvantages(batch, options, states);
      const { stepLevel } = levelsOf(batch, resolveAdvantageOptions(options), result)(1);
      expect(stepLevel!.neighbours).toEqual([]);
      expect(stepLevel!.before).toBe(result.step[1]);
    }
  });

  it('are the step group where anchors are grouped', () => {
    const [first, second] = levels(rows, { estimator: 'gigpo', gamma: 1 }).levels;
    expect(first!.stepLevel!.neighbours).toEqual([
      { trajectory: 'episode 1', step: 0, turns: 3, similarity: null, weight: 1, return: 3.3333 },
    ]);
    expect(second!.stepLevel).toMatchObject({ before: 0, neighbours: [{ turns: 1, weight: 1, return: 10 }] });
  });
});
