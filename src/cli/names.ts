/**
 * Names that a command is given: whether there is what they name, told before a device is opened. What reads models is
 * loaded where there is one.
 */
import { textOfFile } from '../base/wholeFile.node.ts';
import { checkEnvironmentName } from '../envs/registry.node.ts';
import { savedAdaptersOf, type TrainConfig } from '../rl/config.ts';
import { checkOwnModules } from '../rl/own/modules.node.ts';

/**
 * What the settings of a new run name: its environment, model, adapters, choices of variants and modules.
 * @throws {ProxmoError} `config` or `file` if something is not there
 */
export async function checkNewRun(config: TrainConfig): Promise<void> {
  await checkEnvironmentName(config.environment.name);
  await checkOwnModules(config);
  await checkModel(config.model);
  const adapters = savedAdaptersOf(config);
  if (adapters !== undefined) {
    const { AdapterFolder } = await import('../models/peft.node.ts');
    await (await AdapterFolder.open(adapters)).close();
  }
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
  if (path === undefined) return;
  const { openPretrained } = await import('../models/pretrained.node.ts');
  await (await openPretrained(path)).close();
}
