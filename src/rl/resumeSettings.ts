/**
 * What of a run's settings may change when it goes on. Everything else is fixed with its first checkpoint: other tasks,
 * another policy or another objective would be another run, and its figures could not be compared.
 */
import { ProxmoError } from '../base/errors.ts';
import { faultSettingsShape } from '../envs/faults.ts';
import type { TrainConfig } from './config.ts';

/**
 * Settings, or groups of them, that may change. `optimiser.microBatchTokens` changes the order of sums, and so last
 * bits, `optimiser.checkpointing` and `engine.memory` nothing but time and memory: they fit a run to another device.
 */
export const resumableSettings: readonly string[] = [
  'training.iterations',
  'training.learningRate',
  'training.schedule',
  'training.warmup',
  'evaluation.every',
  'checkpoints',
  'rollouts',
  'optimiser.microBatchTokens',
  'optimiser.checkpointing',
  'engine.memory',
  'logging',
  'fleet',
  ...Object.keys(faultSettingsShape).map((key) => `environment.${key}`),
];

/** A setting that has two values. */
export interface Difference {
  readonly keys: readonly string[];
  /** Undefined where it is not set. */
  readonly before: unknown;
  readonly now: unknown;
}

/** The settings that differ between two configurations, each by its own keys. Lists count as one. */
export function differences(before: unknown, now: unknown, keys: readonly string[] = []): Difference[] {
  if (isGroup(before) && isGroup(now)) {
    const names = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...names].flatMap((name) => differences(before[name], now[name], [...keys, name]));
  }
  return JSON.stringify(before) === JSON.stringify(now) ? [] : [{ keys, before, now }];
}

/** For example `seed was 1 and is 9`. */
export function tellDifference({ keys, before, now }: Difference): string {
  return `${keys.join('.')} was ${show(before)} and is ${show(now)}`;
}

/**
 * Checks what a run is to go on with.
 * @param recorded the configuration that its checkpoint was made with
 * @param iteration of that checkpoint
 * @returns what changes
 * @throws {ProxmoError} `config` if more changes than may, by name; or if there are fewer iterations than are done
 */
export function checkResumable(
  recorded: TrainConfig,
  config: TrainConfig,
  iteration: number,
  dir: string,
): Difference[] {
  const changes = checkUnchangedSettings(recorded, config, resumableSettings, dir);
  const { iterations } = config.training;
  if (iterations < iteration)
    throw new ProxmoError(
      'config',
      `training.iterations is ${iterations}, but ${dir} has done ${iteration}; set it to ${iteration} or more.`,
    );
  return changes;
}

/**
 * What changes in the settings of a run that goes on.
 * @param resumable settings, or groups of them, that may
 * @throws {ProxmoError} `config` if others do, by name
 */
export function checkUnchangedSettings(
  recorded: object,
  config: object,
  resumable: readonly string[],
  dir: string,
): Difference[] {
  const changes = differences(recorded, config);
  const refused = changes.filter(({ keys }) => !mayChange(keys.join('.'), resumable));
  if (refused.length === 0) return changes;
  const list = refused.map(tellDifference);
  throw new ProxmoError(
    'config',
    `${dir} cannot go on with other settings than it began with: ${list.join(', ')}; set them back, or start a new run. What may change: ${resumable.join(', ')}.`,
  );
}

/** Whether a setting may change when a run goes on. */
export function mayChange(setting: string, resumable: readonly string[] = resumableSettings): boolean {
  return resumable.some((name) => setting === name || setting.startsWith(`${name}.`));
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = value === undefined ? 'not set' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
