/** The configuration of a new run: a preset, what is set over it, and paths made absolute. */
import { resolve } from 'node:path';
import { anchorEnvironment, environmentDefaults } from '../envs/registry.node.ts';
import { locateModel } from '../models/hub/cache.node.ts';
import { type TrainConfig, trainConfigSchema } from '../rl/config.ts';
import { presets } from '../rl/presets.ts';
import { type ConfigSources, loadConfig } from '../runs/config.ts';
import { noSuchName } from './names.ts';

type PresetName = keyof typeof presets;

/** In place of a preset's name: the schema's defaults alone, as for the whole `config.yaml` of a run. */
export const noPreset = 'none';

export const defaultPreset: PresetName = 'small';

export const presetNames: readonly string[] = [...Object.keys(presets), noPreset];

/** @throws {ProxmoError} `usage` if there is no such preset; `config` or `file` as `loadConfig` */
export async function newRunConfig(
  preset: string = defaultPreset,
  sources: Omit<ConfigSources, 'preset'> = {},
): Promise<TrainConfig> {
  const config = await valuesOf(preset, sources);
  // A run goes on from wherever it is resumed.
  const model = config.model === undefined ? {} : { model: resolve(await locateModel(config.model)) };
  const { lora } = config;
  const adapters = lora && 'from' in lora ? { lora: { ...lora, from: resolve(lora.from) } } : {};
  return { ...config, ...model, ...adapters, environment: anchorEnvironment(config.environment) };
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

function isPreset(name: string): name is PresetName {
  return Object.hasOwn(presets, name);
}
