/** How the episodes of a group ended. A page imports it, without the schemas of what is recorded. */
import type { RecordedGroup } from './record.ts';

/** Whether episodes ended differently: only then do they teach each other something. */
export function isMixed({ episodes }: RecordedGroup): boolean {
  return episodes.some((episode) => episode.return !== episodes[0]!.return);
}

/** How many episodes succeeded. */
export function successesOf({ episodes }: Pick<RecordedGroup, 'episodes'>): number {
  return episodes.filter(({ success }) => success).length;
}
