/**
 * The adapters that a run begins with: new ones, or those of a folder, whose form the run's settings must not
 * contradict.
 */
import { ProxmoError } from '../base/errors.ts';
import { checkAdapterTensors } from '../models/adapterTensors.ts';
import type { HfModel } from '../models/hf/config.ts';
import { AdapterFolder } from '../models/peft.node.ts';
import { type LoraConfig, loraSites } from '../models/peft.ts';
import { savedTensors } from '../models/savedModules.ts';
import type { WeightSource } from '../models/weightSource.ts';
import { LoraAdapters } from '../nn/lora.ts';
import { loadAdapters, loadSavedModules } from '../nn/loraWeights.ts';
import type { Engine } from '../tensor/engine.ts';
import type { LoraSettings } from './config.ts';

type AdaptedModel = Pick<HfModel, 'family' | 'transformer'>;

/**
 * @param weights of the model, which saved adapters may come with copies of
 * @param seed of new adapters
 * @throws {ProxmoError} `config` if the settings do not fit the model or the saved adapters, `file` if these are
 * missing or damaged
 */
export async function startingAdapters(
  engine: Engine,
  model: AdaptedModel,
  weights: WeightSource,
  settings: LoraSettings | LoraConfig,
  seed: number,
): Promise<LoraAdapters> {
  if (!('from' in settings)) {
    const adapters = new LoraAdapters(model, settings, seed);
    await loadSavedModules(engine, adapters, weights, 'the model');
    return adapters;
  }
  return withFolder(model, settings, (config, folder) =>
    loadAdapters(engine, model, config, folder, nameOf(folder), weights),
  );
}

/**
 * The same adapters at 0, checked but not allocated.
 * @param onOtherModel as of `checkAdapterTensors`
 * @throws {ProxmoError} as `startingAdapters`
 */
export async function outlineAdapters(
  model: AdaptedModel,
  weights: WeightSource,
  settings: LoraSettings,
  onOtherModel?: (sentence: string) => void,
): Promise<LoraAdapters> {
  if (!('from' in settings)) return new LoraAdapters(model, settings, null);
  return withFolder(model, settings, async (config, folder) => {
    await checkAdapterTensors(model, config, folder, nameOf(folder), weights, onOtherModel);
    return new LoraAdapters(model, config, null);
  });
}

/** An adapter in messages, which are mostly about one that belongs to another model. */
function nameOf({ dir, baseModel }: AdapterFolder): string {
  return baseModel === null ? dir : `${dir} (made for ${baseModel})`;
}

type SavedSettings = Extract<LoraSettings, { from: string }>;

async function withFolder<T>(
  model: AdaptedModel,
  settings: SavedSettings,
  use: (config: LoraConfig, folder: AdapterFolder) => Promise<T>,
): Promise<T> {
  const folder = await AdapterFolder.open(settings.from);
  try {
    checkAgreement(model, settings, folder.config);
    // How much of its input an adapter sees is a matter of training it, not of what it is.
    return await use({ ...folder.config, dropout: settings.dropout }, folder);
  } finally {
    await folder.close();
  }
}

function checkAgreement(model: AdaptedModel, settings: SavedSettings, saved: LoraConfig): void {
  for (const name of ['rank', 'alpha', 'rankStabilised'] as const) {
    const given = settings[name];
    if (given === undefined || given === (saved[name] ?? false)) continue;
    throw new ProxmoError(
      'config',
      `lora.${name} is ${given}, but the adapters in ${settings.from} have ${saved[name] ?? false}; leave lora.${name} out.`,
    );
  }
  const sites = (targets: LoraConfig['targets']) => loraSites(model, { ...saved, targets }).map(({ module }) => module);
  const whole = (modulesToSave: readonly string[] | undefined) =>
    savedTensors(model, modulesToSave ? { modulesToSave } : {}).map(({ placement }) => placement.name);
  if (settings.targets !== undefined)
    checkSame('targets', settings.from, sites(settings.targets), sites(saved.targets));
  if (settings.modulesToSave !== undefined)
    checkSame('modulesToSave', settings.from, whole(settings.modulesToSave), whole(saved.modulesToSave));
}

/** @throws {ProxmoError} `config` unless both name the same */
function checkSame(setting: string, from: string, wanted: readonly string[], found: readonly string[]): void {
  const odd = wanted.find((name) => !found.includes(name)) ?? found.find((name) => !wanted.includes(name));
  if (odd === undefined) return;
  throw new ProxmoError(
    'config',
    `lora.${setting} and the adapters in ${from} differ: only one of them names ${odd}; leave lora.${setting} out.`,
  );
}
