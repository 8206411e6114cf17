/** What runs came to, side by side: runs that differ in nothing but their seed are one row. */

import { valueAt } from '../../base/schemaProblems.ts';
import type { TrainConfig } from '../../rl/config.ts';
import { differences } from '../../rl/resumeSettings.ts';
import { runConfig } from '../../rl/runConfig.node.ts';
import type { MetricRecord } from '../../runs/metrics.ts';
import { type LoadedModule, lastSession, openRun } from '../../runs/run.ts';
import { figure } from '../study/results.ts';
import { estimate, estimateDifference, type Interval } from '../study/statistics.ts';

/** A rate with its 95 % interval; null where there is none. */
export interface Rate {
  readonly success: number;
  readonly interval: Interval | null;
}

/** A run as its folder has it. */
export interface RunOutcome {
  readonly dir: string;
  readonly config: TrainConfig;
  /** Modules of the user's own, as they were when the run last went on. */
  readonly modules: readonly LoadedModule[];
  /** Iterations that are done. */
  readonly iteration: number;
  /** Success on the held-out tasks: before training, last, and highest after training began. */
  readonly before: Rate | null;
  readonly final: Rate | null;
  readonly best: (Rate & { readonly iteration: number }) | null;
  /** Held-out episodes of the last evaluation; null where it does not say. */
  readonly episodes: number | null;
  /** Success of each iteration's own episodes. */
  readonly curve: readonly number[];
}

/** Runs of the same settings. */
export interface Group {
  readonly runs: readonly RunOutcome[];
  readonly before: Rate | null;
  readonly final: Rate | null;
  /** With the iteration of a single run. */
  readonly best: (Rate & { readonly iteration: number | null }) | null;
  /** Mean over the runs, as far as all have come. */
  readonly curve: readonly number[];
}

/** A setting in which groups differ, with its value in each; undefined where it is not set. */
export interface Setting {
  readonly key: string;
  readonly values: readonly unknown[];
}

/** @throws {ProxmoError} `file` if the folder is no run, or is damaged; `config` if its settings are not known */
export async function readOutcome(dir: string): Promise<RunOutcome> {
  const run = await openRun(dir);
  const config = runConfig(run);
  const records = await run.readMetrics();
  const evaluations = records.filter(({ kind }) => kind === 'eval');
  const training = records.filter(({ kind }) => kind === 'train');
  const after = evaluations.filter(({ iteration }) => iteration > 0);
  const [first] = evaluations.filter(({ iteration }) => iteration === 0);
  const highest = after.reduce<MetricRecord | null>(
    (best, record) => (best === null || figure(record, 'success') > figure(best, 'success') ? record : best),
    null,
  );
  const last = after.at(-1);
  return {
    dir,
    config,
    modules: lastSession(run.manifest).modules,
    iteration: training.at(-1)?.iteration ?? 0,
    before: first ? rateOf(first) : null,
    final: last ? rateOf(last) : null,
    best: highest && { ...rateOf(highest), iteration: highest.iteration },
    episodes: last ? figure(last, 'episodes') || null : null,
    curve: training.map((record) => figure(record, 'success')),
  };
}

function rateOf(record: MetricRecord): Rate {
  const { low, high } = record;
  const interval = typeof low === 'number' && typeof high === 'number' ? ([low, high] as const) : null;
  return { success: figure(record, 'success'), interval };
}

/**
 * In the order in which their first runs come; those of a group loaded the same modules. A run with a seed that its
 * group has is one of another group.
 */
export function groupsOf(runs: readonly RunOutcome[]): Group[] {
  const lists: { readonly key: string; readonly runs: RunOutcome[] }[] = [];
  for (const run of runs) {
    const key = JSON.stringify([{ ...run.config, seed: 0 }, run.modules]);
    const hasSeed = ({ runs: those }: (typeof lists)[number]) =>
      those.some(({ config }) => config.seed === run.config.seed);
    const list = lists.find((each) => each.key === key && !hasSeed(each));
    if (list) list.runs.push(run);
    else lists.push({ key, runs: [run] });
  }
  return lists.map((each) => groupOf(each.runs));
}

function groupOf(runs: readonly RunOutcome[]): Group {
  const [first] = runs;
  if (runs.length === 1) return { ...first!, runs };
  const over = (rates: readonly (Rate | null)[]): Rate | null => {
    const known = rates.filter((rate) => rate !== null).map(({ success }) => success);
    if (known.length === 0) return null;
    const { mean, interval } = estimate(known);
    return { success: mean, interval };
  };
  const length = Math.min(...runs.map(({ curve }) => curve.length));
  const best = over(runs.map((run) => run.best));
  return {
    runs,
    before: over(runs.map(({ before }) => before)),
    final: over(runs.map(({ final }) => final)),
    best: best && { ...best, iteration: null },
    curve: Array.from({ length }, (_, index) => runs.reduce((sum, { curve }) => sum + curve[index]!, 0) / runs.length),
  };
}

/** The settings in which groups differ, and the modules of the user's own that were not the same file in all. */
export function differingSettings(groups: readonly Group[]): Setting[] {
  const configs = groups.map(({ runs }) => ({ ...runs[0]!.config, seed: 0 }));
  const [first, ...others] = configs;
  const keys = new Map<string, readonly string[]>();
  for (const other of others) for (const { keys: path } of differences(first, other)) keys.set(path.join('.'), path);
  const settings = [...keys].map(([key, path]) => ({ key, values: configs.map((config) => valueAt(config, path)) }));
  return [...settings, ...differingModules(groups)];
}

/** Modules whose content differs between groups that have them, each with the first digits of its SHA-256. */
function differingModules(groups: readonly Group[]): Setting[] {
  const modules = groups.map(({ runs }) => new Map(runs[0]!.modules.map(({ path, sha256 }) => [path, sha256])));
  const paths = new Set(modules.flatMap((each) => [...each.keys()]));
  return [...paths].flatMap((path) => {
    const values = modules.map((each) => each.get(path)?.slice(0, 8));
    return new Set(values.filter((value) => value !== undefined)).size > 1
      ? [{ key: `content of ${path}`, values }]
      : [];
  });
}

/** By how much a group's final success is above that of another, over the seeds that both have; null if too few. */
export function finalDifference(of: Group, than: Group): ReturnType<typeof estimateDifference> | null {
  const bySeed = new Map(than.runs.map(({ config, final }) => [config.seed, final?.success]));
  const pairs = of.runs.flatMap(({ config, final }) => {
    const other = bySeed.get(config.seed);
    return final === null || other === undefined ? [] : [final.success - other];
  });
  const episodes = [...of.runs, ...than.runs].flatMap((run) => run.episodes ?? []);
  return pairs.length < 2 ? null : estimateDifference(pairs, 1 / Math.min(...episodes));
}
