/**
 * Computes credit under other settings, by the GPU or by the CPU. It takes whichever is faster for the rows at hand,
 * which is measured when settings are tried out on them for the first time, or by what the address asks for.
 */
import { computed, effect, type ReadonlySignal, signal, untracked } from '@preact/signals';
import { errorMessage } from '../../../base/errors.ts';
import { hasSoftStepLevel } from '../../../rl/advantages/estimator.ts';
import type { AdvantageResult } from '../../../rl/advantages/index.ts';
import { type AdvantageOptions, resolveAdvantageOptions } from '../../../rl/advantages/options.ts';
import type { DeviceWhatIf } from '../../../rl/credit/deviceWhatIf.ts';
import type { WhatIf } from '../../../rl/credit/whatIf.ts';
import { parameterSignal } from '../route.ts';
import { number } from '../ui/format.ts';
import type { CreditDevice } from './device.ts';

export type Computer = 'gpu' | 'cpu';

export interface Outcome {
  readonly of: WhatIf;
  readonly result: AdvantageResult | null;
  /** Weight of the step level. */
  readonly omega: number;
  readonly problem: string | null;
  readonly milliseconds: number;
  readonly by: Computer;
}

/** What is known of computing the rows at hand. */
interface Trial {
  readonly of: WhatIf;
  readonly device: DeviceWhatIf;
  readonly faster: Computer;
  /** Milliseconds of each, once everything is there. */
  readonly cpu: number;
  readonly gpu: number;
}

type Device = { readonly opened: CreditDevice } | { readonly problem: string };

const chosen = parameterSignal('by');
/** What computes, if the address says so; null for the faster. */
export const wanted = computed<Computer | null>(() =>
  chosen.value === 'gpu' || chosen.value === 'cpu' ? chosen.value : null,
);
export const outcome = signal<Outcome | null>(null);
const trial = signal<Trial | null>(null);
const device = signal<Device | null>(null);

/** Whether there is a GPU to choose. */
export const hasDevice = computed(() => trial.value !== null);

/** Why this computer and no other, in words. */
export const reason = computed(() => {
  const [known, found] = [device.value, trial.value];
  if (known && 'problem' in known) return `by the CPU: ${known.problem}`;
  if (!known || !found) return 'by the CPU; the GPU is being tried';
  const times = {
    cpu: `the CPU takes ${number(found.cpu)} ms`,
    gpu: `the GPU (${known.opened.name}) takes ${number(found.gpu)} ms`,
  };
  return outcome.value?.by === 'gpu' ? `by the GPU (${known.opened.name}); ${times.cpu}` : `by the CPU; ${times.gpu}`;
});

/** Rows, and options for them. */
interface Question {
  readonly of: WhatIf;
  readonly options: AdvantageOptions;
}

/** Answers what is asked at the moment; null while nothing is. */
export function answer(question: ReadonlySignal<Question | null>): void {
  let isBusy = false;
  effect(() => {
    const asked = question.value;
    if (!asked) {
      outcome.value = null;
      return;
    }
    if (deviceFor(asked)) answerOnDevice();
    else outcome.value = byHost(asked);
    if (trial.value?.of !== asked.of && isSoft(asked)) tryDevice(asked);
  });

  /** One question after another; those that came and went meanwhile are passed over. */
  async function answerOnDevice(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    for (let asked = question.peek(); asked; ) {
      const on = untracked(() => deviceFor(asked!));
      if (!on) break;
      const made = await byDevice(asked, on);
      const next = question.peek();
      if (next && (next === asked || untracked(() => deviceFor(next)))) outcome.value = made;
      if (next === asked) break;
      asked = next;
    }
    isBusy = false;
  }
}

/** The device, where it is to answer. */
function deviceFor(asked: Question): DeviceWhatIf | null {
  const found = trial.value;
  const isWanted = found?.of === asked.of && (wanted.value ?? found.faster) === 'gpu';
  return isWanted && isSoft(asked) ? found.device : null;
}

/** Whether there is anything for a device to compute. */
function isSoft({ options }: Question): boolean {
  try {
    return hasSoftStepLevel(resolveAdvantageOptions(options));
  } catch {
    return false;
  }
}

function byHost({ of, options }: Question): Outcome {
  const started = performance.now();
  try {
    const result = of.advantages(options);
    return made(options, { of, result, milliseconds: performance.now() - started, by: 'cpu' });
  } catch (error) {
    return { of, result: null, omega: 0, problem: (error as Error).message, milliseconds: 0, by: 'cpu' };
  }
}

async function byDevice(asked: Question, on: DeviceWhatIf): Promise<Outcome> {
  const { of, options } = asked;
  const started = performance.now();
  try {
    const result = await on.advantages(options);
    return made(options, { of, result, milliseconds: performance.now() - started, by: 'gpu' });
  } catch (error) {
    giveUp(error);
    return byHost(asked);
  }
}

function made(options: AdvantageOptions, rest: Pick<Outcome, 'of' | 'result' | 'milliseconds' | 'by'>): Outcome {
  const settings = resolveAdvantageOptions(options);
  return { ...rest, omega: 'omega' in settings ? settings.omega : 0, problem: null };
}

/** A device that failed once is not asked again. */
function giveUp(error: unknown): void {
  device.value = { problem: errorMessage(error) };
  trial.value = null;
}

let opening: Promise<Device> | null = null;
let tried: WhatIf | null = null;

/** Measures both, the second time each: the first makes what all others find there. */
async function tryDevice(asked: Question): Promise<void> {
  const { of, options } = asked;
  if (tried === of) return;
  tried = of;
  opening ??= open();
  const found = await opening;
  if (!device.peek()) device.value = found;
  if ('problem' in found || 'problem' in device.peek()!) return;
  try {
    const on = found.opened.on(of);
    const cpu = byHost(asked).milliseconds;
    await on.advantages(options);
    const started = performance.now();
    await on.advantages(options);
    const gpu = performance.now() - started;
    if (tried === of) trial.value = { of, device: on, faster: gpu < cpu ? 'gpu' : 'cpu', cpu, gpu };
  } catch (error) {
    giveUp(error);
  }
}

async function open(): Promise<Device> {
  // A page from disk has no other files.
  if (!navigator.gpu || !location.protocol.startsWith('http')) return { problem: 'this page has no WebGPU.' };
  try {
    const module = (await import(new URL('device.js', document.baseURI).href)) as typeof import('./device.ts');
    return { opened: await module.openCreditDevice() };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
