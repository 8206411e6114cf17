/** Why a run that goes on may come to something else than one that never stopped. */
import type { JsonObject } from '../runs/json.ts';
import type { Run } from '../runs/run.ts';
import type { Difference } from './resumeSettings.ts';

/** The course of a run's learning rate. */
export interface RateCourse {
  readonly schedule: string;
  readonly warmup: number;
  /** Settings on which its length depends. */
  readonly of: readonly string[];
  /** What it is counted in. */
  readonly unit: 'iteration' | 'step';
}

/** In sentences. */
export function departures(
  { manifest }: Pick<Run, 'manifest'>,
  adapter: JsonObject,
  changes: readonly Difference[],
  { schedule, warmup, of, unit }: RateCourse,
): string[] {
  const { name, driver } = (manifest.resumes.at(-1) ?? manifest).adapter;
  const isElsewhere = name !== adapter.name || driver !== adapter.driver;
  const hasCourse = schedule !== 'constant' || warmup > 0;
  const isLonger = changes.some(({ keys }) => of.includes(keys.join('.')));
  return [
    ...(isElsewhere ? [`It ran on ${name} (${driver}) before, so its last bits may be others than there.`] : []),
    ...(isLonger && hasCourse
      ? [
          `The learning rate follows the number of ${unit}s (training.schedule, training.warmup), so from here it is that of the new number, and before it was that of the old.`,
        ]
      : []),
  ];
}
