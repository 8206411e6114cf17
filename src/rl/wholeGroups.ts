/** What dropped episodes leave of their groups. */
import type { Episode, RolloutResult } from './rollout.ts';

/**
 * Groups that are still samples of their tasks: those that kept at least half of their episodes. What a group lost, it
 * may have lost for what its episodes did, so the few that are left of a group would be compared with the wrong mean.
 */
export function wholeGroups(
  { episodes, dropped }: RolloutResult,
  groupSize: number,
): { readonly episodes: readonly Episode[]; readonly groupsLeftOut: number } {
  const lost = new Map<string, number>();
  for (const { task } of dropped) lost.set(task.id, (lost.get(task.id) ?? 0) + 1);
  const thin = new Set([...lost].filter(([, count]) => 2 * count > groupSize).map(([id]) => id));
  return { episodes: episodes.filter(({ task }) => !thin.has(task.id)), groupsLeftOut: thin.size };
}
