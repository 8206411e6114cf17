/** Advantages under other settings, on the host: those of the estimator, and fast. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnchorSimilarity } from '../../../src/rl/advantages/anchorSimilarity.ts';
import { anchorTerms } from '../../../src/rl/advantages/estimator.ts';
import { type AdvantageOptions, estimateAdvantages, referenceAdvantages } from '../../../src/rl/advantages/index.ts';
import { resolveAdvantageOptions } from '../../../src/rl/advantages/options.ts';
import { DeviceWhatIf } from '../../../src/rl/credit/deviceWhatIf.ts';
import { WhatIf } from '../../../src/rl/credit/whatIf.ts';
import { indexRollout, type RolloutRow } from '../../../src/rl/rows.ts';
import { Engine } from '../../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { rollouts } from '../../support/rollouts.ts';

let engine: Engine;
beforeAll(async () => {
  engine = new Engine(await testDevice(testAdapters.at(-1)!));
});
afterAll(() => engine.gpu.destroy());

const proxmo = fc
  .record({
    temperature: fc.constantFrom(0.001, 0.02, 0.1, 1, 1000),
    leaveSelfOut: fc.boolean(),
    leaveTrajectoryOut: fc.boolean(),
    omega: fc.constantFrom(0, 0.5, 1),
    maxFeatures: fc.constantFrom(1, 3, 1024),
    preset: fc.constantFrom('paper', 'reference'),
  })
  .map((options) => ({ estimator: 'proxmo', ...options }) as const);

const estimators: readonly AdvantageOptions[] = [
  { estimator: 'grpo' },
  { estimator: 'rloo' },
  { estimator: 'reinforce++' },
  { estimator: 'gigpo' },
  { estimator: 'gigpo', similarity: 0.8, omega: 0.5 },
  { estimator: 'proxmo', psc: false },
  { estimator: 'proxmo', psa: false, alpha: 2, range: 0.5 },
  { estimator: 'proxmo', leaveSelfOut: true },
  { estimator: 'proxmo', stepNormalisation: 'zscore', returnUnit: 'success' },
];

/** The largest difference at any level of any row. */
function distance(a: ReturnType<WhatIf['advantages']>, b: ReturnType<WhatIf['advantages']>): number {
  const levels = ['advantage', 'episode', 'step'] as const;
  return Math.max(...levels.flatMap((level) => [...a[level]].map((value, row) => Math.abs(value - b[level][row]!))));
}

describe('advantages under other settings', () => {
  it("are the reference's, at any temperature and with any rows left out", () => {
    fc.assert(
      fc.property(rollouts, fc.array(proxmo, { minLength: 1, maxLength: 4 }), (rows, choices) => {
        const whatIf = new WhatIf(rows);
        for (const options of choices)
          expect(distance(whatIf.advantages(options), referenceAdvantages(rows, options))).toBeLessThan(1e-9);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it.each(estimators)("are the device's, for %o", async (options) => {
    for (const rows of fc.sample(rollouts, { numRuns: 4, seed: 11 })) {
      const onDevice = await estimateAdvantages(rows, options, engine);
      expect(distance(new WhatIf(rows).advantages(options), onDevice)).toBeLessThan(1e-5);
    }
  });

  it.each([...estimators, { estimator: 'proxmo', temperature: 0.03, leaveTrajectoryOut: true } as const])(
    'are the same by the kernels of the device, for %o',
    async (options) => {
      for (const rows of fc.sample(rollouts, { numRuns: 4, seed: 12 })) {
        const whatIf = new WhatIf(rows);
        const onDevice = await new DeviceWhatIf(engine, whatIf).advantages(options);
        expect(distance(whatIf.advantages(options), onDevice)).toBeLessThan(1e-5);
      }
    },
  );

  it('leave nothing on the device, whatever a slider passes', async () => {
    const device = new DeviceWhatIf(engine, new WhatIf(largeRollout()));
    await device.advantages({ estimator: 'proxmo', temperature: 0.5 });
    const { memory } = engine;
    for (const temperature of [0.1, 0.2, 0.3]) await device.advantages({ estimator: 'proxmo', temperature });
    expect(engine.memory).toEqual(memory);
  });

  it.each([{}, { leaveSelfOut: true }, { leaveTrajectoryOut: true }])(
    'follow a slider with %o: 6,400 rows again in less than 100 ms',
    (leaveOut) => {
      const rows = largeRollout();
      const whatIf = new WhatIf(rows);
      whatIf.advantages({ estimator: 'proxmo' });
      // Of the processor, and the least of some tries: a machine may be busy with other things.
      const tries = Array.from({ length: 8 }, (_, round) => {
        const started = process.cpuUsage();
        whatIf.advantages({ estimator: 'proxmo', temperature: 0.05 + 0.01 * round, ...leaveOut });
        return process.cpuUsage(started).user / 1000;
      });
      expect(Math.min(...tries)).toBeLessThan(100);
    },
  );
});

describe('the shares of a baseline', () => {
  it('sum to 1, and their means to what the return is compared with', () => {
    fc.assert(
      fc.property(rollouts, proxmo, (rows, options) => {
        const settings = resolveAdvantageOptions(options);
        if (settings.estimator !== 'proxmo') throw new Error('another estimator');
        const batch = indexRollout(rows);
        const similarity = new AnchorSimilarity(batch, anchorTerms(batch, settings));
        const { step, penalisedReturn } = referenceAdvantages(batch, options);
        for (const row of rows.keys()) {
          const shares = similarity.shares(row, settings);
          if (shares.length === 0) {
            expect(step[row]).toBe(0);
            continue;
          }
          expect(shares.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
          const baseline = shares.reduce(
            (sum, { weight, rows: others }) =>
              sum + (weight * others.reduce((total, other) => total + penalisedReturn[other]!, 0)) / others.length,
            0,
          );
          expect(penalisedReturn[row]! - baseline).toBeCloseTo(step[row]!, 9);
        }
      }),
      { numRuns: 100, seed: 6 },
    );
  });
});

/** 16 tasks, 8 episodes of 50 steps each, in rooms of which some are visited by all. */
function largeRollout(): RolloutRow[] {
  const rows: RolloutRow[] = [];
  for (let group = 0; group < 16; group++) {
    for (let episode = 0; episode < 8; episode++) {
      for (let step = 0; step < 50; step++) {
        const place = (step * (episode + 3) + group) % 40;
        const things = Array.from(
          { length: 8 },
          (_, thing) => `thing ${(place * 7 + thing * (1 + (episode % 3))) % 60}`,
        );
        rows.push({
          group: `task ${group}`,
          trajectory: `episode ${group}.${episode}`,
          step,
          reward: step === 49 && episode % 2 === 0 ? 10 : 0,
          success: episode % 2 === 0,
          valid: step % 9 > 0,
          observation: `You are at shelf ${place}. You see a ${things.join(', a ')}. It is turn ${step % 25}.`,
        });
      }
    }
  }
  return rows;
}
