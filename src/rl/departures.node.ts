/** Why a run that goes on may come to something else than one that never stopped. */
import { type LoadedModule, lastSession, type Run, type RunSession } from '../runs/run.ts';
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
  { adapter, modules = [] }: RunSession,
  changes: readonly Difference[],
  { schedule, warmup, of, unit }: RateCourse,
): string[] {
  const last = lastSession(manifest);
  const { name, driver } = last.adapter;
  const isElsewhere = name !== adapter.name || driver !== adapter.driver;
  const hasCourse = schedule !== 'constant' || warmup > 0;
  const isLonger = changes.some(({ keys }) => of.includes(keys.join('.')));
  return [
    ...changedModules(last.modules, modules).map(
      (path) =>
        `${path} was changed since the run last went on, so what follows may not be compared with what came before.`,
    ),
    ...(isElsewhere ? [`It ran on ${name} (${driver}) before, so its last bits may be others than there.`] : []),
    ...(isLonger && hasCourse
      ? [
          `The learning rate follows the number of ${unit}s (training.schedule, training.warmup), so from here it is that of the new number, and before it was that of the old.`,
        ]
      : []),
  ];
}

/** The paths of modules whose content is another than before. */
export function changedModules(before: readonly LoadedModule[], now: readonly LoadedModule[]): string[] {
  const known = new Map(before.map(({ path, sha256 }) => [path, sha256]));
  return now.filter(({ path, sha256 }) => known.has(path) && known.get(path) !== sha256).map(({ path }) => path);
}
