/** Rollouts for tests of advantage estimation. */
import fc from 'fast-check';
import type { Episode } from '../../src/rl/rollout.ts';
import type { RolloutRow } from '../../src/rl/rows.ts';

/** An episode in short: rewards of its steps, and what differs from a failed episode of valid actions in one room. */
export interface EpisodeSketch {
  readonly group?: string;
  readonly rewards: readonly number[];
  readonly success?: boolean;
  /** Steps whose action was malformed. */
  readonly invalid?: readonly number[];
  readonly observations?: readonly string[];
}

/** The rows of some episodes, in order. */
export function rolloutOf(...episodes: readonly EpisodeSketch[]): RolloutRow[] {
  return episodes.flatMap(({ group = 'g', rewards, success = false, invalid = [], observations = [] }, episode) =>
    rewards.map((reward, step) => ({
      group,
      trajectory: `episode ${episode}`,
      step,
      reward,
      success,
      valid: !invalid.includes(step),
      observation: observations[step] ?? 'You are in a room.',
    })),
  );
}

/** Episodes as they are whenever they are played: without what their turns took. */
export function untimed(episodes: readonly Episode[]): Episode[] {
  const seconds = { reply: 0, world: 0 };
  return episodes.map((episode) => ({ ...episode, steps: episode.steps.map((step) => ({ ...step, seconds })) }));
}

const word = fc.constantFrom('you', 'see', 'drawer', 'mug', '1', '2', 'the', 'a', 'is', 'closed', 'Fridge', 'café');
const observation = fc.array(word, { maxLength: 8 }).map((words) => words.join(' '));
const step = fc.record({
  observation,
  valid: fc.integer({ min: 0, max: 3 }).map((draw) => draw > 0),
  reward: fc.constantFrom(0, 0, 0, 0.5, 1),
});
const episode = fc.record({
  group: fc.constantFrom('g', 'h', 'i'),
  success: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 7 }),
});

/** Small rollouts with repeated anchors, empty ones, groups of one, and rows of different episodes mixed. */
export const rollouts: fc.Arbitrary<RolloutRow[]> = fc
  .array(episode, { minLength: 1, maxLength: 9 })
  .map((episodes) =>
    episodes.flatMap(({ group, success, steps }, index) =>
      steps.map((each, position) => ({ ...each, group, success, trajectory: `episode ${index}`, step: position })),
    ),
  )
  .chain((rows) => fc.shuffledSubarray(rows, { minLength: rows.length, maxLength: rows.length }));
