/** Runs put together by their settings: those that differ in nothing but their seed are one group. */
import type { MetricRecord, RunInfo } from '../../protocol.ts';

export interface RunGroup {
  /** The arm of a study, or what sets it apart, as `estimator grpo`; `all alike` where nothing does. */
  readonly label: string;
  readonly runs: readonly RunInfo[];
}

/** A setting that is not the same in all groups, with its value in each. */
export interface SettingDifference {
  readonly key: string;
  readonly values: readonly string[];
}

const seed = 'seed';
/** Stands for a setting that a run does not have. */
const absent = '–';

export function groupRuns(runs: readonly RunInfo[]): { groups: RunGroup[]; differences: SettingDifference[] } {
  const found = new Map<string, RunInfo[]>();
  for (const run of runs) {
    const own = Object.entries(run.settings).filter(([key]) => key !== seed);
    const key = JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)));
    found.set(key, [...(found.get(key) ?? []), run]);
  }
  const members = [...found.values()];
  const keys = [...new Set(members.flatMap(([first]) => Object.keys(first!.settings)))].filter((key) => key !== seed);
  const settingOf = ([first]: readonly RunInfo[], key: string) => String(first!.settings[key] ?? absent);
  const differences = keys
    .map((key) => ({ key, values: members.map((each) => settingOf(each, key)) }))
    .filter(({ values }) => new Set(values).size > 1)
    // What only some have follows from what all have.
    .sort((a, b) => Number(a.values.includes(absent)) - Number(b.values.includes(absent)));
  const told = telling(differences, members.length);
  const groups = members.map((each, at) => {
    const own = told.flatMap(({ key, values }) =>
      values[at] === absent ? [] : [`${key.split('.').at(-1)} ${values[at]}`],
    );
    return { label: armOf(each) ?? (own.join(', ') || 'all alike'), runs: each };
  });
  return { groups, differences };
}

/** The arm that all of some runs have in their names, as a study gives them; null where they have none in common. */
function armOf(runs: readonly RunInfo[]): string | null {
  const arms = new Set(runs.map(({ name }) => seedOf(name)?.arm));
  return arms.size === 1 ? ([...arms][0] ?? null) : null;
}

/** Arm and seed in the name of a study's run; null of other names. */
export function seedOf(name: string): { readonly arm: string; readonly seed: string } | null {
  const [, arm, seed] = /^(.+) \/ (seed \d+)$/.exec(name) ?? [];
  return arm === undefined ? null : { arm, seed: seed! };
}

/** As few of the differences, from the front, as tell all groups apart that can be. */
function telling(differences: readonly SettingDifference[], groups: number): SettingDifference[] {
  const told: SettingDifference[] = [];
  let known = Array.from({ length: groups }, () => '');
  for (const difference of differences) {
    const finer = known.map((before, at) => `${before}\n${difference.values[at]}`);
    if (new Set(finer).size === new Set(known).size) continue;
    told.push(difference);
    known = finer;
  }
  return told;
}

/** A curve of a group: the mean over its runs, and the lowest and highest of them. */
export interface GroupCurve {
  readonly values: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

/** @param of the figure of a record; null where it has none */
export function curveOf(
  x: readonly number[],
  runs: readonly (readonly MetricRecord[])[],
  of: (record: MetricRecord) => number | null,
): GroupCurve {
  const byIteration = runs.map((records) => new Map(records.map((record) => [record.iteration, of(record)])));
  const at = x.map((iteration) =>
    byIteration.flatMap((values) => {
      const value = values.get(iteration);
      return value === undefined || value === null ? [] : [value];
    }),
  );
  const each = (make: (values: readonly number[]) => number) =>
    at.map((values) => (values.length > 0 ? make(values) : null));
  return {
    values: each((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    low: each((values) => Math.min(...values)),
    high: each((values) => Math.max(...values)),
  };
}
