/** When a run is told that it cannot learn, and what it is told to do. */
import { expect, it } from 'vitest';
import { LearningSignal } from '../../src/rl/learningSignal.ts';
import type { IterationMetrics } from '../../src/rl/metrics.ts';

/** What is said after each of some iterations: `[share of groups without a difference, success rate]`. */
function toldOf(...iterations: readonly (readonly [number, number])[]) {
  const signal = new LearningSignal();
  return iterations.map(([deadGroupShare, success]) =>
    signal.note({ deadGroupShare, success } as unknown as IterationMetrics),
  );
}

const [failed, solved, mixed, alive] = [
  [1, 0],
  [1, 1],
  [1, 0.5],
  [0.9, 0.5],
] as const;

it('waits for three iterations in a row, and speaks once', () => {
  expect(toldOf(failed, failed, alive, failed, failed)).toEqual([null, null, null, null, null]);
  const told = toldOf(failed, failed, failed, failed, failed, failed, failed);
  expect(told.map((text) => text !== null)).toEqual([false, false, true, false, false, false, false]);
});

it.each([
  [
    'nothing succeeds',
    [failed, failed, failed],
    /none succeeded.*warmStart\.tasks.*reward progress.*pool of easier tasks/,
  ],
  [
    'nothing succeeds any more',
    [alive, failed, failed, failed],
    /none succeeded, though 50\.0 % did before.*training\.learningRate.*loss\.imitationCoefficient=1, with warmStart\.tasks/,
  ],
  ['everything succeeds', [solved, solved, solved], /all succeeded.*pool of harder tasks/],
  ['each task always or never succeeds', [mixed, failed, mixed], /training\.groupSize.*sampling\.temperature.*pool/],
] as const)('names what helps where %s', (_, iterations, remedies) => {
  expect(toldOf(...iterations).at(-1)).toMatch(remedies);
});
