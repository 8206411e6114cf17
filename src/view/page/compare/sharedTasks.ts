/** What two runs are compared by: iterations, and a task of both. All of it stands in the address. */
import { computed, type ReadonlySignal } from '@preact/signals';
import type { RecordedGroup } from '../../../rl/credit/record.ts';
import { indexOf, rowsOf } from '../credit/recorded.ts';
import { go, parameter, route } from '../route.ts';
import { runs } from '../store.ts';

/** Names of the address: of each side its run and its iteration. */
const names = [
  { run: 'a', iteration: 'ita' },
  { run: 'b', iteration: 'itb' },
] as const;

/** Runs that keep episodes. */
export const kept = computed(() => runs.value.filter(({ rollouts }) => rollouts.length > 0));
const isShown = computed(() => route.value.view === 'compare');

const chosen = names.map(({ run }, place) =>
  computed(() => kept.value.find(({ id }) => id === parameter(run)) ?? kept.value[place] ?? null),
);

/** The newest iteration that both keep; of runs that have none in common, none. */
const newestOfBoth = computed(() => {
  const [a, b] = chosen.map(({ value }) => value?.rollouts ?? []);
  return a!.findLast((iteration) => b!.includes(iteration)) ?? null;
});

/** Of each run what was played in its iteration. */
const played = names.map((own, place) => {
  const run = chosen[place]!;
  const iteration = computed(() => {
    const all = run.value?.rollouts ?? [];
    const given = Number(parameter(own.iteration) ?? Number.NaN);
    return all.includes(given) ? given : (newestOfBoth.value ?? all.at(-1) ?? null);
  });
  return { names: own, run, iteration, index: indexOf(run, iteration, isShown) };
});

/** A task of both iterations, and how many of its episodes succeeded on each side. */
export interface SharedTask {
  readonly id: string;
  readonly instruction: string;
  readonly wins: readonly [number, number];
}

/** Those first on which the two differ most. */
export const tasks: ReadonlySignal<readonly SharedTask[]> = computed(() => {
  const [first, second] = played.map(({ index }) => index.value.value?.groups ?? []);
  const wins = ({ episodes }: RecordedGroup) => episodes.filter(({ success }) => success).length;
  const others = new Map(second!.map((group) => [group.id, group]));
  const shared = new Map<string, SharedTask>();
  for (const group of first!) {
    const { id, instruction } = group;
    const other = others.get(id);
    if (other) shared.set(id, { id, instruction: instruction || id, wins: [wins(group), wins(other)] });
  }
  const gap = ({ wins: [a, b] }: SharedTask) => Math.abs(a - b);
  return [...shared.values()].sort((a, b) => gap(b) - gap(a));
});

/** The task in the address, or the first. */
export const task = computed(() => tasks.value.find(({ id }) => id === parameter('same')) ?? tasks.value[0] ?? null);

/** The two runs, with the episodes of the task. */
export const sides = played.map((side) => {
  const { run, index } = side;
  const place = computed(() => index.value.value?.groups.findIndex(({ id }) => id === task.value?.id) ?? -1);
  const group = computed<RecordedGroup | null>(() => index.value.value?.groups[place.value] ?? null);
  return { ...side, place, group, rows: rowsOf(run, index, place, isShown) };
});
export type Side = (typeof sides)[number];

export function chooseTask(id: string): void {
  go({ same: id });
}
