/** Evaluation: success on fixed held-out tasks, by task type, with an interval. */
import type { Task, TaskSet } from '../envs/environment.ts';
import { type Episode, type Player, playEpisodes, type RolloutOptions } from './rollout.ts';

export interface Rate {
  readonly successes: number;
  readonly episodes: number;
  /** Fraction, 0 where there was no episode. */
  readonly success: number;
  /** Wilson score interval at 95 %, as fractions (Wilson, 1927). */
  readonly interval: readonly [low: number, high: number];
}

export interface Evaluation extends Rate {
  readonly byTask: Readonly<Record<string, Rate>>;
  /** Mean steps of an episode. */
  readonly meanLength: number;
  /** Share of steps whose action was valid. */
  readonly validShare: number;
  /** Mean partial credit of an episode, from 0 to 1; the success rate where the environment gives none. */
  readonly score: number;
  /** Means of what that credit consists of, by name; empty where the environment does not say. */
  readonly components: Readonly<Record<string, number>>;
  /** Faults of the environment; their episodes were played again. */
  readonly faults: number;
  readonly seconds: number;
}

/** Plays every task once and counts. */
export async function evaluate(
  player: Player,
  taskSet: TaskSet,
  tasks: readonly Task[],
  options: RolloutOptions,
): Promise<Evaluation> {
  const started = performance.now();
  const episodes = await playEpisodes(player, taskSet, tasks, options);
  const seconds = (performance.now() - started) / 1000;
  const steps = episodes.flatMap((episode) => episode.steps);
  const typesSeen = taskSet.types.filter((type) => tasks.some((task) => task.type === type));
  return {
    ...rateOf(episodes),
    byTask: Object.fromEntries(
      typesSeen.map((type) => [type, rateOf(episodes.filter(({ task }) => task.type === type))]),
    ),
    meanLength: episodes.length > 0 ? steps.length / episodes.length : 0,
    validShare: steps.length > 0 ? steps.filter(({ valid }) => valid).length / steps.length : 0,
    score: episodes.reduce((sum, { score }) => sum + score, 0) / Math.max(1, episodes.length),
    components: meanComponents(episodes),
    faults: episodes.reduce((sum, { faults }) => sum + faults, 0),
    seconds,
  };
}

/** The mean of each component over all episodes; one that does not name it counts 0. */
export function meanComponents(episodes: readonly Pick<Episode, 'components'>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const { components } of episodes)
    for (const [name, value] of Object.entries(components)) sums.set(name, (sums.get(name) ?? 0) + value);
  return Object.fromEntries([...sums].map(([name, sum]) => [name, sum / episodes.length]));
}

function rateOf(episodes: readonly Episode[]): Rate {
  return rate(episodes.filter(({ success }) => success).length, episodes.length);
}

/** A success rate with its 95 % interval. */
export function rate(successes: number, episodes: number): Rate {
  if (episodes === 0) return { successes, episodes, success: 0, interval: [0, 1] };
  const z = 1.959964;
  const p = successes / episodes;
  const centre = p + z ** 2 / (2 * episodes);
  const spread = z * Math.sqrt((p * (1 - p)) / episodes + z ** 2 / (4 * episodes ** 2));
  const scale = 1 + z ** 2 / episodes;
  return {
    successes,
    episodes,
    success: p,
    interval: [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)],
  };
}
