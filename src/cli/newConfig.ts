/** The configuration of a new run: a preset, what is set over it, and paths made absolute. */
import { resolve } from 'node:path';
import { ProxmoError } from '../base/errors.ts';
import { anchorEnvironment, environmentDefaults } from '../envs/registry.node.ts';
import { locateModel } from '../models/hub/cache.node.ts';
import { type TrainConfig, trainConfigSchema } from '../rl/config.ts';
import { anchorOwn } from '../rl/own/modules.node.ts';
import { presets } from '../rl/presets.ts';
import { type ConfigSources, loadConfig } from '../runs/config.ts';
import { noSuchName } from './noSuchName.ts';
import { defaultPreset, isPreset, noPreset, presetNames } from './presetNames.ts';

/**
 * @param init run of `proxmo sft` that it goes on from
 * @throws {ProxmoError} `usage` if there is no such preset, or nothing to go on from; `config` or `file` as
 * `loadConfig`, and if the settings do not fit what it goes on from
 */
export async function newRunConfig(
  preset: string = defaultPreset,
  sources: Omit<ConfigSources, 'preset'> = {},
  init?: string,
): Promise<TrainConfig> {
  const config = init === undefined ? await valuesOf(preset, sources) : await tunedValues(preset, sources, init);
  // A run goes on from wherever it is resumed.
  const model = config.model === undefined ? {} : { model: resolve(await locateModel(config.model)) };
  const { lora } = config;
  const adapters = lora && 'from' in lora ? { lora: { ...lora, from: resolve(lora.from) } } : {};
  return anchorOwn({ ...config, ...model, ...adapters, environment: anchorEnvironment(config.environment) });
}

/** Settings that go on from a run of `proxmo sft`: with its model, and its adapters if it trained those. */
async function tunedValues(preset: string, sources: Omit<ConfigSources, 'preset'>, init: string): Promise<TrainConfig> {
  // Loaded late, since it needs most of the engine, and most runs begin otherwise.
  const { checkBase, openTuned } = await import('../rl/sft/start.node.ts');
  const tuned = await openTuned(init);
  const set = [`model=${JSON.stringify(tuned.model)}`, ...(sources.set ?? [])];
  const config = await valuesOf(preset, { ...sources, set });
  const model = await locateModel(config.model!);
  const { adapters } = tuned;
  if (adapters === null) {
    if (resolve(model) === resolve(tuned.model)) return config;
    throw new ProxmoError(
      'config',
      `${init} trained all weights of its model, which it goes on from, so no other model can be named; leave ${config.model} out.`,
    );
  }
  await checkBase(tuned, model);
  if (config.lora === null)
    throw new ProxmoError(
      'config',
      `${init} trained adapters, but these settings train all weights (lora: null); set lora={} to train its adapters on, or save them merged: proxmo model export ${init} DIR --merge, and begin with --model DIR.`,
    );
  return valuesOf(preset, { ...sources, set: [...set, `lora.from=${JSON.stringify(adapters)}`] });
}

async function valuesOf(preset: string, sources: Omit<ConfigSources, 'preset'>): Promise<TrainConfig> {
  if (preset === noPreset) return loadConfig(trainConfigSchema, sources);
  if (!isPreset(preset)) throw noSuchName('preset', preset, presetNames);
  const load = (values: object) => loadConfig(trainConfigSchema, { ...sources, preset: values });
  const { environment: named, ...rest } = presets[preset];
  const config = await load(presets[preset]);
  return config.environment.name === named.name ? config : load(fitTo(await load(rest), rest));
}

/**
 * A preset for another environment than its own: without that one's options, and with lengths that fit the other's
 * texts.
 */
function fitTo<P extends { readonly prompt: object; readonly sampling?: object }>(
  { environment, prompt, model }: TrainConfig,
  preset: P,
): object {
  const form = model !== undefined || prompt.format === 'think-action' ? 'messages' : 'words';
  const defaults = environmentDefaults(environment.name, environment.options, form);
  return {
    ...preset,
    // Lengths of texts are those of windows.
    prompt: { ...preset.prompt, memory: 'window', options: true, ...defaults.prompt },
    sampling: { ...preset.sampling, ...defaults.sampling },
  };
}
