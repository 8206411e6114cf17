/** How long a run would take, told from what a part of it took. */
import { expect, test } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { presets } from '../../src/rl/presets.ts';
import { type MeasuredPart, timeOf } from '../../src/rl/timeEstimate.node.ts';

const { training, ...preset } = presets.small;
const config = trainConfigSchema.parse({
  ...preset,
  training: { ...training, iterations: 10, tasks: 16, groupSize: 8 },
  warmStart: { ...preset.warmStart, epochs: 5 },
  evaluation: { tasks: 64, every: 0 },
});
const measured: MeasuredPart = {
  setup: 3,
  demonstrations: 1,
  lesson: 2,
  demonstrated: 32,
  iteration: { seconds: { rollout: 4, advantage: 0, update: 4, total: 8 }, length: 20 },
  tasks: 16,
  expertLength: 10,
};

test('an iteration that was measured whole counts as it is, but for the length of its episodes', () => {
  const { iteration, evaluation } = timeOf(measured, config, 0);
  expect(iteration).toBeCloseTo(6);
  // 64 episodes cost half of what 128 do.
  expect(evaluation).toBeCloseTo(1.5);
  expect(timeOf({ ...measured, expertLength: null }, config, 0).iteration).toBeCloseTo(8);
  expect(timeOf({ ...measured, expertLength: 30 }, config, 0).iteration).toBeCloseTo(8);
  expect(timeOf({ ...measured, tasks: 4 }, config, 0).iteration).toBeCloseTo(24);
});

test('demonstrations are played once, and learned from in every epoch', () => {
  expect(timeOf(measured, config, 64).warmStart).toBeCloseTo(2 * (1 + 5 * 2));
  expect(timeOf({ ...measured, demonstrated: 0 }, config, 0).warmStart).toBe(0);
});

test('the run is the sum of its parts, and of what is done once', () => {
  const { warmStart, iteration, evaluation, total } = timeOf(measured, config, 64);
  expect(total).toBeCloseTo(3 + warmStart + 10 * iteration + 2 * evaluation);
});
