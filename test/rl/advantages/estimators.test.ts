/** The estimators on rollouts small enough to work out by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AdvantageOptions, estimateAdvantages, referenceAdvantages } from '../../../src/rl/advantages/index.ts';
import type { Engine } from '../../../src/tensor/engine.ts';
import { rolloutOf, rollouts } from '../../support/rollouts.ts';

/** Episodes in which nothing was won. */
function zeros(episodes: number, steps: number) {
  return Array.from({ length: episodes }, () => ({ rewards: new Array<number>(steps).fill(0) }));
}

const noEngine = () => Promise.reject(new Error('no device is needed here'));

function expectValues(values: Float64Array, expected: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  for (const [row, value] of expected.entries()) expect(values[row], `row ${row}`).toBeCloseTo(value, 10);
}

describe('returns', () => {
  it('discounts raw rewards and takes the penalty off the row itself only', () => {
    const rows = rolloutOf({ rewards: [0, 1, 10], invalid: [1], success: true });
    const { stepReturn, penalisedReturn, score } = referenceAdvantages(rows, {
      estimator: 'gigpo',
      gamma: 0.5,
      invalidPenalty: 0.25,
    });
    expectValues(stepReturn, [3, 6, 10]);
    expectValues(penalisedReturn, [3, 5.75, 10]);
    expectValues(score, [11, 10.75, 11]);
  });

  it('follows the steps, not the order of the rows', () => {
    const rows = rolloutOf({ rewards: [1, 2, 3] }).reverse();
    expectValues(referenceAdvantages(rows, { estimator: 'gigpo', gamma: 0.5 }).stepReturn, [3, 3.5, 2.75]);
  });

  it('discounts nothing for an estimator without a step level', () => {
    const rows = rolloutOf({ rewards: [0, 1, 10] });
    expectValues(referenceAdvantages(rows, { estimator: 'grpo' }).stepReturn, [11, 11, 10]);
  });
});

describe('GRPO', () => {
  // A win in one step, and a loss in three.
  const rows = rolloutOf({ rewards: [1], success: true }, { rewards: [0, 0, 0] });

  it('counts trajectories under the paper preset', () => {
    const win = 0.5 / (Math.sqrt(0.5) + 1e-6);
    expectValues(referenceAdvantages(rows, { estimator: 'grpo' }).advantage, [win, -win, -win, -win]);
  });

  it('counts rows under the reference preset, so that long episodes count more', () => {
    const loss = -0.25 / (0.5 + 1e-6);
    expectValues(referenceAdvantages(rows, { estimator: 'grpo', preset: 'reference' }).advantage, [
      -3 * loss,
      loss,
      loss,
      loss,
    ]);
  });

  it('can leave σ out', () => {
    expectValues(
      referenceAdvantages(rows, { estimator: 'grpo', normalisation: 'mean' }).advantage,
      [0.5, -0.5, -0.5, -0.5],
    );
  });

  it('takes a group of one sample as it is', () => {
    expectValues(referenceAdvantages(rolloutOf({ rewards: [2, 0] }), { estimator: 'grpo' }).advantage, [
      2 / (1 + 1e-6),
      2 / (1 + 1e-6),
    ]);
  });
});

describe('a group that lost, and in which one action was malformed', () => {
  // Eight episodes of 50 steps: σ of the scores is 0.1 / √350.
  const lost = rolloutOf({ rewards: new Array<number>(50).fill(0), invalid: [7] }, ...zeros(7, 50));
  const largest = (options: AdvantageOptions) =>
    Math.max(...referenceAdvantages(lost, options).advantage.map(Math.abs));

  it.each<AdvantageOptions>([
    { estimator: 'grpo' },
    { estimator: 'reinforce++' },
    { estimator: 'proxmo', psa: false },
    { estimator: 'gigpo', omega: 0 },
    { estimator: 'gigpo' },
  ])('gets no advantage beyond the penalty in units of itself, a level, from %o', (options) => {
    expect(largest(options)).toBeLessThan(options.estimator === 'gigpo' && options.omega !== 0 ? 2 : 1);
  });

  it('gets what the floor of σ allows', () => {
    expect(largest({ estimator: 'grpo', sigmaFloor: 0 })).toBeCloseTo(18.68, 2);
    expect(largest({ estimator: 'grpo', sigmaFloor: 0.05 })).toBeCloseTo((0.1 - 0.1 / 400) / 0.05, 4);
    expect(largest({ estimator: 'grpo', sigmaFloor: 1 })).toBeCloseTo(0.1 - 0.1 / 400, 4);
  });
});

describe('RLOO', () => {
  it('compares with the other trajectories of the group', () => {
    const rows = rolloutOf({ rewards: [4] }, { rewards: [0, 1] }, { rewards: [0, 0, 0] });
    expectValues(referenceAdvantages(rows, { estimator: 'rloo' }).advantage, [3.5, -1, -1, -2.5, -2.5, -2.5]);
  });

  it('compares with the other rows under the reference preset', () => {
    const rows = rolloutOf({ rewards: [1] }, { rewards: [0, 0, 0] });
    expectValues(referenceAdvantages(rows, { estimator: 'rloo', preset: 'reference' }).advantage, [
      1,
      -1 / 3,
      -1 / 3,
      -1 / 3,
    ]);
  });
});

it('REINFORCE++ normalises over all groups at once', () => {
  const rows = rolloutOf({ group: 'g', rewards: [1] }, { group: 'h', rewards: [0] });
  const win = 0.5 / (Math.sqrt(0.5) + 1e-6);
  expectValues(referenceAdvantages(rows, { estimator: 'reinforce++' }).advantage, [win, -win]);
});

describe('GiGPO', () => {
  const observations = ['Start.', 'The drawer 1 is closed.'];
  const rows = rolloutOf(
    { rewards: [0, 1], observations, success: true },
    { rewards: [0, 0], observations: ['Start.', 'The drawer 2 is closed.'] },
    { group: 'h', rewards: [0, 0], observations },
  );
  const options: AdvantageOptions = { estimator: 'gigpo', normalisation: 'mean', gamma: 0.5 };

  it('compares rows of a task that share an anchor; a row alone gets 0', () => {
    expectValues(referenceAdvantages(rows, options).step, [0.25, 0, -0.25, 0, 0, 0]);
  });

  it('compares rows with similar anchors where asked to', () => {
    const similar = referenceAdvantages(rows, { ...options, similarity: 0.9 });
    expectValues(similar.step, [0.25, 0.5, -0.25, -0.5, 0, 0]);
    expect(similar.diagnostics.anchorGroups).toBe(4);
  });

  it('weighs the step level by ω', () => {
    const { advantage, episode, step } = referenceAdvantages(rows, { ...options, omega: 0.5 });
    expectValues(
      advantage,
      [...episode].map((value, row) => value + 0.5 * step[row]!),
    );
  });
});

describe('PSC', () => {
  const logistic = (x: number) => 1 / (1 + Math.exp(-x));
  const beta = 0.05 / (logistic(1) - 0.5);
  const rows = rolloutOf({ rewards: [10], success: true }, { rewards: [0] }, { rewards: [0] }, { rewards: [0, 0] });
  const plain = referenceAdvantages(rows, { estimator: 'proxmo', psc: false, psa: false });

  it('amplifies rare successes and attenuates failures by the share of successful trajectories', () => {
    const { episode, diagnostics } = referenceAdvantages(rows, { estimator: 'proxmo', psa: false });
    const [success, failure] = [1 + beta * (logistic(0.75 ** 4) - 0.5), 1 + beta * (logistic(-(0.25 ** 4)) - 0.5)];
    expectValues(
      episode,
      [...plain.episode].map((value, row) => value * (row === 0 ? success : failure)),
    );
    expect(diagnostics.groups[0]).toMatchObject({ successRate: 0.25, modulationRate: 0.25, dead: false });
  });

  it('takes the mean score for the success rate under the reference preset, where it saturates', () => {
    const { diagnostics } = referenceAdvantages(rows, { estimator: 'proxmo', preset: 'reference', psa: false });
    expect(diagnostics.groups[0]).toMatchObject({ successRate: 0.25, modulationRate: 1 });
  });

  it('keeps weights within the range', () => {
    fc.assert(
      fc.property(rollouts, fc.double({ min: 0, max: 1, noNaN: true }), (batch, range) => {
        const without = referenceAdvantages(batch, { estimator: 'proxmo', psc: false, psa: false }).episode;
        const { episode } = referenceAdvantages(batch, { estimator: 'proxmo', range, psa: false });
        for (const [row, value] of episode.entries()) {
          const bounds = [without[row]! * (1 - range), without[row]! * (1 + range)].sort((a, b) => a - b);
          expect(value).toBeGreaterThanOrEqual(bounds[0]! - 1e-9);
          expect(value).toBeLessThanOrEqual(bounds[1]! + 1e-9);
        }
      }),
    );
  });
});

describe('diagnostics', () => {
  it('names the groups whose trajectories all earned the same', () => {
    const rows = rolloutOf(
      { group: 'easy', rewards: [1], success: true },
      { group: 'easy', rewards: [0, 1], success: true },
      { group: 'open', rewards: [0] },
      { group: 'open', rewards: [2] },
    );
    const { diagnostics } = referenceAdvantages(rows, { estimator: 'grpo', normalisation: 'mean' });
    expect(diagnostics).toMatchObject({
      deadGroups: 1,
      rowsWithoutStepSignal: 1,
      vocabulary: null,
      anchorGroups: null,
    });
    expect(diagnostics.groups).toMatchObject([
      {
        group: 'easy',
        rows: 3,
        trajectories: 2,
        successRate: 1,
        modulationRate: null,
        dead: true,
        spread: { episode: 0, step: 0, advantage: 0 },
      },
      {
        group: 'open',
        rows: 2,
        trajectories: 2,
        successRate: 0,
        dead: false,
        spread: { episode: 2, step: 0, advantage: 2 },
      },
    ]);
  });
});

it.each<AdvantageOptions>([
  { estimator: 'grpo' },
  { estimator: 'rloo' },
  { estimator: 'reinforce++' },
  { estimator: 'gigpo' },
  { estimator: 'proxmo', psa: false },
])('$estimator opens no device, and an order of rows makes no difference', async (options) => {
  await fc.assert(
    fc.asyncProperty(rollouts, async (rows) => {
      const { advantage } = await estimateAdvantages(rows, options, noEngine);
      const backwards = await estimateAdvantages([...rows].reverse(), options, noEngine);
      for (const [row, value] of [...backwards.advantage].reverse().entries())
        expect(value).toBeCloseTo(advantage[row]!, 6);
    }),
    { numRuns: 50 },
  );
});

it('names the row for which a device computes no number', async () => {
  const program = { run: async () => ({ baseline: new Float32Array(64).fill(Number.NaN) }), destroy: () => {} };
  const broken = { compile: async () => program } as unknown as Engine;
  const rows = rolloutOf({ rewards: [0, 1] }, { rewards: [2] });
  await expect(estimateAdvantages(rows, { estimator: 'proxmo' }, broken)).rejects.toMatchObject({
    code: 'non-finite',
    message: expect.stringContaining('The step level of row 0 (trajectory "episode 0", step 0) is NaN'),
  });
});

it.each<AdvantageOptions>([
  { estimator: 'grpo' },
  { estimator: 'rloo' },
  { estimator: 'reinforce++' },
  { estimator: 'gigpo', normalisation: 'mean' },
  { estimator: 'proxmo', gamma: 1, omega: 1e6 },
])('%o has finite advantages for the largest rewards that there may be', (options) => {
  const largest = [1e30, -1e30, 1e30, 1e30];
  const rows = rolloutOf({ rewards: largest }, { rewards: largest.map((reward) => -reward) }, { rewards: [0] });
  for (const value of referenceAdvantages(rows, options).advantage) expect(value).toSatisfy(Number.isFinite);
});
