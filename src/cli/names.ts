/**
 * Names that a command is given: whether there is what they name, told before a device is opened, and what was probably
 * meant.
 */
import { ProxmoError } from '../base/errors.ts';
import { nearestKey } from '../base/nearestKey.ts';
import { textOfFile } from '../base/wholeFile.node.ts';
import { checkEnvironmentName } from '../envs/registry.node.ts';
import { AdapterFolder } from '../models/peft.node.ts';
import { openPretrained } from '../models/pretrained.node.ts';
import { savedAdaptersOf, type TrainConfig } from '../rl/config.ts';
import { checkOwnModules } from '../rl/own/modules.node.ts';

/** @param kind of thing that is named, as `preset` */
export function noSuchName(kind: string, name: string, names: readonly string[]): ProxmoError {
  const meant = nearestKey(name, names);
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  return new ProxmoError('usage', `There is no ${kind} ${name}${hint}; choose one of ${names.join(', ')}.`);
}

/**
 * What the settings of a new run name: its environment, model, adapters, choices of variants and modules.
 * @throws {ProxmoError} `config` or `file` if something is not there
 */
export async function checkNewRun(config: TrainConfig): Promise<void> {
  await checkEnvironmentName(config.environment.name);
  await checkOwnModules(config);
  await checkModel(config.model);
  const adapters = savedAdaptersOf(config);
  if (adapters !== undefined) await (await AdapterFolder.open(adapters)).close();
  const { variants } = config.engine;
  if (variants !== undefined) await textOfFile(variants, 'name the tuning.json of an earlier run as engine.variants');
}

/**
 * What the settings of a run that is to act name.
 * @throws {ProxmoError} `config` or `file` if something is not there
 */
export async function checkTrainedRun({ environment, model }: TrainConfig): Promise<void> {
  await checkEnvironmentName(environment.name);
  await checkModel(model);
}

/** A pretrained model, if there is to be one. @throws {ProxmoError} `config` or `file` if it is not there */
export async function checkModel(path: string | undefined): Promise<void> {
  if (path !== undefined) await (await openPretrained(path)).close();
}
