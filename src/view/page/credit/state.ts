/** What of a run's episodes is looked at: split, iteration, task, episode, turn. All of it stands in the address. */
import { computed } from '@preact/signals';
import type { PlayedBatch, RolloutSplit } from '../../../base/playedBatch.ts';
import { isMixed } from '../../../rl/credit/mixed.ts';
import type { RecordedGroup } from '../../../rl/credit/record.ts';
import { go, parameter, parameterSignal, route } from '../route.ts';
import { type AnyRow, run } from '../store.ts';
import { figure } from '../ui/format.ts';
import { indexOf, rowsOf } from './recorded.ts';

const isCredit = computed(() => route.value.view === 'credit');
const isShown = computed(() => isCredit.value || route.value.view === 'live');

/** Where a run keeps no episodes of training, those that it does. */
export const split = computed<RolloutSplit>(() => {
  const [training, heldOut] = [run.value?.rollouts ?? [], run.value?.heldOut ?? []];
  if (!isCredit.value || heldOut.length === 0) return 'training';
  return parameter('split') === 'held-out' || training.length === 0 ? 'held-out' : 'training';
});

/** Iterations whose episodes are kept; of held-out ones, those after which they are. */
export const kept = computed(() => (split.value === 'training' ? run.value?.rollouts : run.value?.heldOut) ?? []);

/** The iteration in the address, or the newest. */
export const iteration = computed(() => {
  const given = Number(parameter('it') ?? Number.NaN);
  return kept.value.includes(given) ? given : (kept.value.at(-1) ?? null);
});

const batch = computed<PlayedBatch | null>(() =>
  iteration.value === null ? null : { split: split.value, iteration: iteration.value },
);
export const index = indexOf(run, batch, isShown);

/** The levels of all rows of the iteration; null of held-out episodes, which have none. */
export const recordedLevels = computed(() => {
  const found = index.value.value;
  return found && 'levels' in found ? found.levels : null;
});

const givenTask = parameterSignal('task');
/** Place of the task among the groups of the index. */
export const task = computed(() => {
  const groups = index.value.value?.groups ?? [];
  const given = Number(givenTask.value ?? Number.NaN);
  if (groups[given]) return given;
  // The first from which there is something to learn.
  return Math.max(0, groups.findIndex(isMixed));
});

export const group = computed<RecordedGroup | null>(() => index.value.value?.groups[task.value] ?? null);

export const groupRows = rowsOf(run, index, task, isCredit);

/** Number of an episode's first row, among the rows of its group. */
export function firstRow(of: RecordedGroup, episode: number): number {
  return of.episodes.slice(0, episode).reduce((sum, { steps }) => sum + steps, 0);
}

/** The turn in the address; null where none is chosen. */
export const turn = computed<{ readonly episode: number; readonly step: number } | null>(() => {
  const [episode, step] = [Number(parameter('ep') ?? Number.NaN) - 1, Number(parameter('step') ?? Number.NaN) - 1];
  const found = group.value?.episodes[episode];
  return found && step >= 0 && step < found.steps ? { episode, step } : null;
});

/** Place of the turn among the rows of its group. */
export const turnRow = computed(() =>
  turn.value && group.value ? firstRow(group.value, turn.value.episode) + turn.value.step : null,
);

/** The row of the turn; null until it is read. */
export const row = computed<AnyRow | null>(() => {
  const found = turnRow.value === null ? null : groupRows.value.value?.[turnRow.value];
  return found && found.group === group.value?.id ? found : null;
});

/** ω of the run's estimator. */
export const omega = computed(() => {
  const given = figure(run.value?.settings['advantages.omega']);
  return Number.isFinite(given) ? given : 1;
});

/** The end of the scale of colours: all but the most extreme fiftieth of this iteration's credit is within. */
export const limit = computed(() => {
  const levels = recordedLevels.value;
  if (!levels) return 1;
  const sizes = [...levels.episode, ...levels.step.map((value) => value * omega.value)]
    .map(Math.abs)
    .filter((size) => size > 0);
  const sorted = sizes.sort((a, b) => a - b);
  return sorted[Math.floor(0.98 * (sorted.length - 1))] || 1;
});

export function chooseSplit(to: RolloutSplit): void {
  go({ split: to === 'training' ? null : to, it: null, task: null, ep: null, step: null });
}

export function chooseTask(place: number): void {
  go({ task: place, ep: null, step: null });
}

/** Turns count from 1 in the address, as people count. */
export function chooseTurn(episode: number, step: number): void {
  go({ task: task.peek(), ep: episode + 1, step: step + 1 });
}
