/** `proxmo compare`: what runs came to, side by side, and in which settings they differ. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { sparkline } from './bars.ts';
import {
  differingSettings,
  finalDifference,
  type Group,
  groupsOf,
  type Rate,
  readOutcome,
  type Setting,
} from './compare/outcomes.ts';
import { standardOutput } from './output.ts';
import { leastSeeds } from './study/statistics.ts';
import { formatTable, percent, signed } from './table.ts';

const curveWidth = 24;

export function compareCommand(): Command {
  return new Command('compare')
    .description(
      'Compare runs: final and best success on held-out tasks with 95 % intervals, curves, and the settings in which they differ. Runs that differ in their seed alone are taken together.',
    )
    .argument('<runs...>', 'run folders')
    .option('--json', 'print the comparison as JSON')
    .action(async (dirs: readonly string[], { json }: { readonly json?: boolean }) => {
      const groups = await readGroups(dirs);
      if (!json) return standardOutput.print(describeGroups(groups));
      const settings = differingSettings(groups);
      standardOutput.json({
        groups: groups.map(({ runs, ...figures }, index) => ({
          runs: runs.map(({ config, curve: _, ...run }) => ({ seed: config.seed, ...run })),
          settings: Object.fromEntries(settings.map(({ key, values }) => [key, values[index] ?? null])),
          ...figures,
        })),
        differences: groups.slice(1).map((group) => finalDifference(group, groups[0]!)),
      });
    });
}

export async function readGroups(dirs: readonly string[]): Promise<Group[]> {
  const outcomes = [];
  const known = new Map(dirs.map((dir) => [resolve(dir), dir]));
  for (const dir of known.values()) outcomes.push(await readOutcome(dir));
  return groupsOf(outcomes);
}

/** The comparison for people. */
export function describeGroups(groups: readonly Group[]): string {
  const names = groups.map(
    (_, index) => String.fromCharCode(65 + (index % 26)) + (index < 26 ? '' : Math.floor(index / 26)),
  );
  const rows = groups.map((group, index) => [
    names[index]!,
    group.runs.map(({ config }) => config.seed).join(' '),
    rateText(group.before),
    rateText(group.final),
    rateText(group.best) + (group.best?.iteration ? ` at ${group.best.iteration}` : ''),
    sparkline(shortened(group.curve, curveWidth), curveWidth),
  ]);
  const parts = [
    names
      .flatMap((name, index) => groups[index]!.runs.map((run) => `${name}  ${run.dir}${progressOf(run)}`))
      .join('\n'),
    formatTable([['run', 'seeds', 'before', 'final', 'best', 'training success'], ...rows]),
    settingsText(differingSettings(groups), names),
    differencesText(groups, names),
    intervalNote(groups),
  ];
  return parts.filter(Boolean).join('\n\n');
}

function progressOf({ iteration, config }: Group['runs'][number]): string {
  const { iterations } = config.training;
  return iteration < iterations ? ` (not finished: iteration ${iteration} of ${iterations})` : '';
}

function rateText(rate: Rate | null): string {
  if (rate === null) return '-';
  const [low, high] = rate.interval ?? [];
  return low === undefined ? percent(rate.success) : `${percent(rate.success)} (${bare(low)} to ${bare(high!)})`;
}

function bare(fraction: number): string {
  return (100 * fraction).toFixed(1);
}

/** Values as means of as many stretches. */
function shortened(values: readonly number[], count: number): number[] {
  if (values.length <= count) return [...values];
  return Array.from({ length: count }, (_, index) => {
    const part = values.slice(
      Math.floor((index * values.length) / count),
      Math.floor(((index + 1) * values.length) / count),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

function settingsText(settings: readonly Setting[], names: readonly string[]): string {
  if (names.length < 2) return '';
  const rows = settings.map(({ key, values }) => [key, ...values.map((value) => JSON.stringify(value) ?? 'not set')]);
  return formatTable([['setting', ...names], ...rows]);
}

function differencesText(groups: readonly Group[], names: readonly string[]): string {
  const lines = groups.slice(1).map((group, index) => {
    const difference = finalDifference(group, groups[0]!);
    if (difference === null) return '';
    const [low, high] = difference.studentInterval!;
    const side = difference.mean < 0 ? 'below' : 'above';
    return `${names[index + 1]} is ${bare(Math.abs(difference.mean))} points ${side} ${names[0]} over ${difference.seeds} seeds (95 %: ${signed(100 * low, 1)} to ${signed(100 * high, 1)})`;
  });
  return lines.filter(Boolean).join('\n');
}

function intervalNote(groups: readonly Group[]): string {
  const kinds = [
    groups.some(({ runs }) => runs.length === 1) ? 'of one run: over its held-out tasks (Wilson)' : '',
    groups.some(({ runs }) => runs.length >= leastSeeds) ? 'of several seeds: over seeds (bootstrap)' : '',
    groups.some(({ runs }) => runs.length > 1 && runs.length < leastSeeds)
      ? `of fewer than ${leastSeeds} seeds: none`
      : '',
    groups.slice(1).some((group) => finalDifference(group, groups[0]!) !== null)
      ? 'of a difference: over seeds (t)'
      : '',
  ];
  return `intervals at 95 %, ${kinds.filter(Boolean).join('; ')}; the best of several evaluations flatters`;
}
