/**
 * Evaluation: success on fixed held-out tasks, by task type, with an interval. A task whose environment failed every
 * time has no outcome: it is no part of any mean, and the interval holds whichever way it would have ended.
 */
import type { Task, TaskSet } from '../envs/environment.ts';
import {
  type Episode,
  type Play,
  type Player,
  playEpisodes,
  type RolloutOptions,
  type RolloutResult,
} from './rollout.ts';

export interface Rate {
  readonly successes: number;
  /** Those that were played to their end. */
  readonly episodes: number;
  /** Episodes left out because the environment failed every time. */
  readonly dropped: number;
  /** Fraction of the episodes, 0 where there was none. */
  readonly success: number;
  /**
   * Wilson score interval at 95 %, as fractions (Wilson, 1927): from what it would be if all that were dropped had
   * failed, to what it would be if they had succeeded.
   */
  readonly interval: readonly [low: number, high: number];
}

/** Success on held-out tasks, in all and by type. */
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
  /** Faults of the environment; their episodes were played again, or dropped in the end. */
  readonly faults: number;
  readonly seconds: number;
}

export interface EvaluationOptions extends RolloutOptions {
  /** Who plays in place of the player. */
  readonly play?: Play;
  /** Given the episodes that were played to their end. */
  readonly onPlayed?: (episodes: readonly Episode[]) => void;
}

/** Plays every task once and counts. */
export async function evaluate(
  player: Player,
  taskSet: TaskSet,
  tasks: readonly Task[],
  { onPlayed, play = (list, how) => playEpisodes(player, taskSet, list, how), ...options }: EvaluationOptions,
): Promise<Evaluation> {
  const started = performance.now();
  const played = await play(tasks, options);
  const { episodes, dropped } = played;
  const seconds = (performance.now() - started) / 1000;
  onPlayed?.(episodes);
  const steps = episodes.flatMap((episode) => episode.steps);
  const typesSeen = taskSet.types.filter((type) => tasks.some((task) => task.type === type));
  return {
    ...rateOf(played),
    byTask: Object.fromEntries(typesSeen.map((type) => [type, rateOf(played, type)])),
    meanLength: episodes.length > 0 ? steps.length / episodes.length : 0,
    validShare: steps.length > 0 ? steps.filter(({ valid }) => valid).length / steps.length : 0,
    score: episodes.reduce((sum, { score }) => sum + score, 0) / Math.max(1, episodes.length),
    components: meanComponents(episodes),
    faults: [...episodes, ...dropped].reduce((sum, { faults }) => sum + faults, 0),
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

/** The rate of all episodes, or of those of a type. */
function rateOf({ episodes, dropped }: RolloutResult, type?: string): Rate {
  const counts = ({ task }: { readonly task: Task }) => type === undefined || task.type === type;
  const played = episodes.filter(counts);
  return rate(played.filter(({ success }) => success).length, played.length, dropped.filter(counts).length);
}

/** A success rate with its 95 % interval. */
export function rate(successes: number, episodes: number, dropped = 0): Rate {
  const total = episodes + dropped;
  return {
    successes,
    episodes,
    dropped,
    success: episodes === 0 ? 0 : successes / episodes,
    interval: [wilson(successes, total)[0], wilson(successes + dropped, total)[1]],
  };
}

function wilson(successes: number, episodes: number): readonly [low: number, high: number] {
  if (episodes === 0) return [0, 1];
  const z = 1.959964;
  const p = successes / episodes;
  const centre = p + z ** 2 / (2 * episodes);
  const spread = z * Math.sqrt((p * (1 - p)) / episodes + z ** 2 / (4 * episodes ** 2));
  const scale = 1 + z ** 2 / episodes;
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}
