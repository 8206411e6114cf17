/** `proxmo why RUN --actions`: what the policy did in each iteration, by kinds of action. */
import { type KindTally, tallyActions } from '../../rl/credit/actionTally.ts';
import { successesOf } from '../../rl/credit/mixed.ts';
import type { RolloutIndex } from '../../rl/credit/record.ts';
import { readKeptRows } from '../../rl/credit/recordedRollouts.node.ts';
import type { Run } from '../../runs/run.ts';
import { formatTable, percent, signed } from '../table.ts';
import { keptIndex } from './find.ts';

/** What the policy did in an iteration. */
export interface IterationActions {
  readonly iteration: number;
  /** Share of its episodes that succeeded. */
  readonly success: number;
  /** Its groups, and those of which rows were kept: the others are not counted below. */
  readonly groups: number;
  readonly keptGroups: number;
  readonly turns: number;
  /** By the first word of the action. */
  readonly kinds: Readonly<Record<string, KindTally>>;
}

/** Iterations, and kinds, that fit a screen. */
const [mostIterations, mostKinds] = [8, 20];

/**
 * Reads what was done in every iteration whose rows were kept, or in one.
 * @throws {ProxmoError} `usage` if none were; `file` if they are damaged
 */
export async function readActions(run: Run, iteration: number | undefined): Promise<IterationActions[]> {
  const kept = await run.rollouts.iterations();
  const wanted = iteration === undefined && kept.length > 0 ? kept : [iteration];
  const read: IterationActions[] = [];
  for (const each of wanted) read.push(await actionsOf(run, await keptIndex(run, kept, each)));
  return read;
}

async function actionsOf(run: Run, index: RolloutIndex): Promise<IterationActions> {
  const { iteration, groups } = index;
  const rows = await readKeptRows(run, index);
  const episodes = groups.flatMap((group) => group.episodes);
  return {
    iteration,
    success: successesOf({ episodes }) / episodes.length,
    groups: groups.length,
    keptGroups: groups.filter((group) => group.rows !== null).length,
    turns: rows.length,
    kinds: Object.fromEntries(tallyActions(rows)),
  };
}

/** For people: iterations side by side, evenly chosen where they are many, with the first and the last. */
export function describeActions(read: readonly IterationActions[]): string {
  const shown = evenly(read, mostIterations);
  const totals = new Map<string, number>();
  for (const { kinds } of read)
    for (const [kind, { taken }] of Object.entries(kinds)) totals.set(kind, (totals.get(kind) ?? 0) + taken);
  const names = [...totals].sort(([, a], [, b]) => b - a).map(([kind]) => kind);
  const rowsOf = (cell: (tally: KindTally) => string) =>
    names
      .slice(0, mostKinds)
      .map((kind) => [kind, ...shown.map(({ kinds }) => (kinds[kind] ? cell(kinds[kind]) : '-'))]);
  const head = ['iteration', ...shown.map(({ iteration }) => `${iteration}`)];
  const isSample = shown.some(({ groups, keptGroups }) => keptGroups < groups);
  const taken = formatTable([
    head,
    ['success', ...shown.map(({ success }) => percent(success))],
    ...(isSample ? [['groups kept', ...shown.map((each) => `${each.keptGroups}/${each.groups}`)]] : []),
    ...rowsOf((tally) => `${tally.taken}/${tally.offered}`),
  ]);
  const advantage = formatTable([
    head,
    ...rowsOf((tally) => (tally.advantage === null ? '-' : signed(tally.advantage, 2))),
  ]);
  const rest = names.length - mostKinds;
  return [
    `turns that took an action of a kind (its first word), of those in which one was on offer\n\n${taken}`,
    `mean advantage of the turns that took one: above 0 it was made likelier, below 0 less likely\n\n${advantage}`,
    ...(rest > 0 ? [`and ${rest} ${rest === 1 ? 'kind' : 'kinds'} more, with --json`] : []),
  ].join('\n\n');
}

/** At most so many of a list, with its first and its last. */
function evenly<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  return Array.from({ length: most }, (_, place) => list[Math.round((place * (list.length - 1)) / (most - 1))]!);
}
