/** The credit that the same episodes would have got under other settings, computed here as the trainer computes it. */
import { computed, effect, signal } from '@preact/signals';
import type { AdvantageOptions } from '../../../rl/advantages/options.ts';
import { WhatIf } from '../../../rl/credit/whatIf.ts';
import { go, parameter } from '../route.ts';
import { loadRows, run } from '../store.ts';
import { resource } from '../ui/resource.ts';
import type { Levels } from './lanes.ts';
import { answer, outcome } from './outcome.ts';
import { options, settings } from './settings.ts';
import { group, index, recordedLevels } from './state.ts';

export const estimators = ['proxmo', 'gigpo', 'grpo', 'rloo', 'reinforce++'] as const;
export type Estimator = (typeof estimators)[number];

/** What can be tried out, by its name in the address. */
export interface Assumption {
  readonly estimator: Estimator;
  readonly temperature: number;
  readonly alpha: number;
  readonly range: number;
  readonly omega: number;
  readonly psc: boolean;
  readonly psa: boolean;
  readonly leaveSelfOut: boolean;
  readonly leaveTrajectoryOut: boolean;
}

const asInPaper: Assumption = {
  estimator: 'proxmo',
  temperature: 0.1,
  alpha: 4,
  range: 0.05,
  omega: 1,
  psc: true,
  psa: true,
  leaveSelfOut: false,
  leaveTrajectoryOut: false,
};

/** r / β. */
const rangeOfBeta = 1 / (1 + Math.exp(-1)) - 0.5;

/** What the run was trained with, as far as it can be tried out. */
export const ofRun = computed<Assumption>(() => {
  const own = settings.value;
  if (!own || own.estimator === 'own') return asInPaper;
  const known = Object.entries(own).filter(([key, value]) => key in asInPaper && value !== null);
  const range = 'beta' in own ? { range: Math.round(own.beta * rangeOfBeta * 1e6) / 1e6 } : {};
  return { ...asInPaper, ...Object.fromEntries(known), ...range } as Assumption;
});

/** The run's estimator, where it is of its user's own, so that it cannot be computed here; else null. */
export const ownName = computed(() => (settings.value?.estimator === 'own' ? settings.value.name : null));

/** What is tried out; null where nothing is. */
export const assumption = signal<Assumption | null>(fromAddress());
export const isOpen = computed(() => assumption.value !== null);

function fromAddress(): Assumption | null {
  const text = parameter('if');
  if (text === undefined) return null;
  const pairs = text.split(',').map((pair) => pair.split(':'));
  const given = Object.fromEntries(
    pairs.flatMap(([name = '', value = '']): [string, string | number | boolean][] => {
      const standard = asInPaper[name as keyof Assumption];
      if (typeof standard === 'number') return Number.isFinite(Number(value)) ? [[name, Number(value)]] : [];
      if (typeof standard === 'boolean') return [[name, value === 'true']];
      return estimators.includes(value as Estimator) ? [[name, value]] : [];
    }),
  );
  return { ...ofRun.peek(), ...given };
}

/** Tries out; the address follows when the hand rests. */
export function assume(changes: Partial<Assumption>): void {
  assumption.value = { ...(assumption.peek() ?? ofRun.peek()), ...changes };
}

export function open(): void {
  assumption.value = ofRun.peek();
}

export function close(): void {
  assumption.value = null;
}

let resting: ReturnType<typeof setTimeout> | undefined;
effect(() => {
  const given = assumption.value;
  const text =
    given &&
    Object.entries(given)
      .map(([name, value]) => `${name}:${value}`)
      .join(',');
  clearTimeout(resting);
  resting = setTimeout(() => go({ if: text }, undefined, false), 300);
});

/** All rows of the iteration, once something is tried out. */
const rows = resource<WhatIf>(
  computed(() => {
    const found = index.value.value;
    return isOpen.value && found && recordedLevels.value && run.value
      ? `${run.value.id} ${found.iteration} ${found.time}`
      : null;
  }),
  async (key) => {
    const [id, number] = key.split(' ');
    const found = await loadRows(id!, Number(number));
    return found && new WhatIf(found);
  },
);

/** An option that would change nothing is refused, so only those that are read are given. */
function optionsOf(given: Assumption): AdvantageOptions {
  const { estimator, temperature, alpha, range, omega, psc, psa, leaveSelfOut, leaveTrajectoryOut } = given;
  const own = options.value as unknown as Record<string, unknown>;
  const kept = (...names: string[]) =>
    Object.fromEntries(names.filter((name) => own[name] !== undefined).map((name) => [name, own[name]]));
  const common = { ...kept('preset', 'invalidPenalty', 'population', 'returnUnit') };
  switch (estimator) {
    case 'rloo':
    case 'grpo':
    case 'reinforce++':
      return { estimator, ...common };
    case 'gigpo':
      return { estimator, ...common, ...kept('gamma'), omega };
    case 'proxmo':
      return {
        estimator,
        ...common,
        psc,
        psa,
        ...(psc ? { alpha, range } : {}),
        ...(psa
          ? { temperature, omega, leaveSelfOut, leaveTrajectoryOut, ...kept('gamma', 'maxFeatures', 'minWordLength') }
          : {}),
      };
  }
}

answer(
  computed(() => {
    const [given, found] = [assumption.value, rows.value.value];
    return given && found ? { of: found, options: optionsOf(given) } : null;
  }),
);

export const problem = computed(() => rows.value.problem ?? outcome.value?.problem ?? null);
/** What the last computation took, for how many rows. */
export const cost = computed(() => ({
  milliseconds: outcome.value?.milliseconds ?? 0,
  rows: rows.value.value?.batch.rows.length ?? 0,
}));

/** Both levels of the group's rows under what is tried out; null where nothing is. */
export const levels = computed<Levels | null>(() => {
  const [given, place] = [outcome.value, group.value?.rows];
  if (!given?.result || given.of !== rows.value.value || !place) return null;
  const { omega, result } = given;
  const { episode, step } = result;
  const part = (values: ArrayLike<number>) =>
    Array.prototype.slice.call(values, place.first, place.first + place.count) as number[];
  return { episode: part(episode), step: part(step).map((value) => value * omega) };
});
