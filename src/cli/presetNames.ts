/** Names of presets, as `--preset` takes them. */
import { presets } from '../rl/presets.ts';

type PresetName = keyof typeof presets;

/** In place of a preset's name: the schema's defaults alone, as for the whole `config.yaml` of a run. */
export const noPreset = 'none';

export const defaultPreset: PresetName = 'small';

export const presetNames: readonly string[] = [...Object.keys(presets), noPreset];

export function isPreset(name: string): name is PresetName {
  return Object.hasOwn(presets, name);
}
