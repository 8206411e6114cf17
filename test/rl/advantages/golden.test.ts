/** Every golden vector of the official implementation, in float64 and on each adapter, to 1e-4 of the win reward. */
import { describe, expect, it } from 'vitest';
import { type AdvantageResult, estimateAdvantages, referenceAdvantages } from '../../../src/rl/advantages/index.ts';
import { Engine } from '../../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { type GoldenCase, type GoldenSet, goldenSets } from '../../support/proxmoGolden.ts';

const cases = goldenSets.flatMap((set, index) => set.cases.map((golden) => [index, golden.name, set, golden] as const));

function expectClose(values: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(values).toHaveLength(expected.length);
  const worst = Math.max(...Array.from(values, (value, i) => Math.abs(value - expected[i]!)));
  expect(worst).toBeLessThan(tolerance);
}

function expectGolden(result: AdvantageResult, set: GoldenSet, golden: GoldenCase): void {
  const tolerance = 1e-4 * set.winReward;
  expectClose(result.episode, golden.episode, tolerance);
  expectClose(result.step, golden.step, tolerance);
  expectClose(
    result.advantage,
    golden.episode.map((value, row) => value + golden.step[row]!),
    2 * tolerance,
  );
}

describe('float64 reference', () => {
  it.each(goldenSets.map((set, index) => [index, set] as const))('has the returns and scores of set %i', (_, set) => {
    const result = referenceAdvantages(set.rows, set.cases[0]!.options);
    expectClose(result.stepReturn, set.stepReturns, 1e-5 * set.winReward);
    expectClose(result.penalisedReturn, set.penalisedReturns, 1e-5 * set.winReward);
    expectClose(result.score, set.scores, 1e-5 * set.winReward);
  });

  it.each(cases)('set %i: %s', (_, __, set, golden) => {
    expectGolden(referenceAdvantages(set.rows, golden.options), set, golden);
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  it.each(cases)('set %i: %s', async (_, __, set, golden) => {
    const engine = new Engine(await testDevice(adapter));
    expectGolden(await estimateAdvantages(set.rows, golden.options, engine), set, golden);
  });
});
