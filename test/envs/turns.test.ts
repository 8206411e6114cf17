/** What is a turn: rewards from which a policy can learn. */
import { expect, it } from 'vitest';
import { turnProblem } from '../../src/envs/turns.ts';

const turn = (reward: unknown) =>
  ({ observation: 'a door', admissibleActions: null, reward, done: false, success: false }) as never;

it.each([0, -1, 10, 1e30, -1e30])('takes a reward of %d', (reward) => {
  expect(turnProblem(turn(reward))).toBeNull();
});

it.each([
  [Number.NaN, 'reward is NaN, not a number'],
  [Number.POSITIVE_INFINITY, 'reward is Infinity, not a number'],
  [Number.NEGATIVE_INFINITY, 'reward is -Infinity, not a number'],
  ['1', 'reward is "1", not a number'],
  [1e39, 'reward is 1e+39, larger than 1e+30 in size'],
  [-1e39, 'reward is -1e+39, larger than 1e+30 in size'],
])('refuses a reward of %s', (reward, problem) => {
  expect(turnProblem(turn(reward))).toBe(problem);
});
