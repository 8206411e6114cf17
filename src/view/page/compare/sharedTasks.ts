/**
 * What two runs are compared by: an evaluation or iteration of each, and a task of both. All of it stands in the
 * address. One run is compared with itself, before training and after.
 */
import { computed, type ReadonlySignal } from '@preact/signals';
import type { PlayedBatch } from '../../../base/playedBatch.ts';
import { successesOf } from '../../../rl/credit/mixed.ts';
import type { RecordedGroup } from '../../../rl/credit/record.ts';
import type { RunInfo } from '../../protocol.ts';
import { indexOf, rowsOf } from '../credit/recorded.ts';
import { go, parameter, route } from '../route.ts';
import { runs } from '../store.ts';

/** Names of the address: of each side its run, and what of it was played. */
const names = [
  { run: 'a', batch: 'ita' },
  { run: 'b', batch: 'itb' },
] as const;

/** Runs that keep episodes. */
export const kept = computed(() => runs.value.filter((run) => batchesOf(run).length > 0));
const isShown = computed(() => route.value.view === 'compare');

const chosen = names.map(({ run }, place) =>
  computed(() => kept.value.find(({ id }) => id === parameter(run)) ?? kept.value[place] ?? kept.value[0] ?? null),
);

/** All that a run keeps: iterations, and then evaluations, which say the most. */
export function batchesOf({ rollouts, heldOut }: RunInfo): PlayedBatch[] {
  return [
    ...rollouts.map((iteration) => ({ split: 'training' as const, iteration })),
    ...heldOut.map((iteration) => ({ split: 'held-out' as const, iteration })),
  ];
}

/** As the address has it. */
export function nameOf({ split, iteration }: PlayedBatch): string {
  return split === 'training' ? String(iteration) : `${split}-${iteration}`;
}

/** The newest of what both keep, or each its own newest; of a run beside itself its first evaluation and its last. */
const standard = computed<(PlayedBatch | null)[]>(() => {
  const [a, b] = chosen.map(({ value }) => (value ? batchesOf(value) : []));
  const names = new Set(b!.map(nameOf));
  const common = a!.findLast((batch) => names.has(nameOf(batch)));
  const [first, last] = [a!.find(({ split }) => split === common?.split) ?? null, b!.at(-1) ?? null];
  if (chosen[0]!.value === chosen[1]!.value) return [first, last];
  return common ? [common, common] : [a!.at(-1) ?? null, last];
});

/** Of each run what was played. */
const played = names.map((own, place) => {
  const run = chosen[place]!;
  const batch = computed<PlayedBatch | null>(() => {
    const given = parameter(own.batch);
    const found = run.value && batchesOf(run.value).find((each) => nameOf(each) === given);
    return found ?? standard.value[place] ?? null;
  });
  return { names: own, run, batch, index: indexOf(run, batch, isShown) };
});

/** A task of both, and how many of its episodes succeeded on each side. */
export interface SharedTask {
  readonly id: string;
  readonly instruction: string;
  readonly wins: readonly [number, number];
}

/** Those first on which the two differ most. */
export const tasks: ReadonlySignal<readonly SharedTask[]> = computed(() => {
  const [first, second] = played.map(({ index }) => index.value.value?.groups ?? []);
  const others = new Map(second!.map((group) => [group.id, group]));
  const shared = new Map<string, SharedTask>();
  for (const group of first!) {
    const { id, instruction } = group;
    const other = others.get(id);
    if (other) shared.set(id, { id, instruction: instruction || id, wins: [successesOf(group), successesOf(other)] });
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
