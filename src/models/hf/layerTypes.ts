/** Which layers of a model attend a sliding window, as config.json says it. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import type { LayerForm } from '../transformerConfig.ts';
import { count } from './family.ts';

const kinds = ['full_attention', 'sliding_attention'] as const;
export type LayerType = (typeof kinds)[number];

/** `layer_types`, a kind for each layer. */
export const layerTypes = z.array(z.enum(kinds, `not supported; supported are ${kinds.join(' and ')}`)).optional();

/** `layer_types` of models without windows. */
export const fullLayers = z.array(z.literal('full_attention', 'only full attention is supported')).optional();

/** Windows that Qwen and SmolLM3 have where `use_sliding_window` says so. */
export const optionalWindows = {
  use_sliding_window: z.boolean().default(false),
  sliding_window: count.optional(),
  layer_types: layerTypes,
};

/**
 * The kind of each layer.
 * @param given `layer_types`
 * @param layers `num_hidden_layers`
 * @param otherwise a layer's kind, counted from 0, where `layer_types` is not set
 * @throws {ProxmoError} `config` if there are kinds for another number of layers
 */
export function typesOf(
  given: readonly LayerType[] | undefined,
  layers: number,
  otherwise: (layer: number) => LayerType,
  where: string,
): readonly LayerType[] {
  if (!given) return Array.from({ length: layers }, (_, layer) => otherwise(layer));
  if (given.length === layers) return given;
  throw new ProxmoError(
    'config',
    `${where}: layer_types names ${given.length} layers, num_hidden_layers is ${layers}.`,
  );
}

/**
 * The forms of layers of these kinds; null where none has a window.
 * @param window `sliding_window`, where it is used
 * @throws {ProxmoError} `config` if a layer is to have a window and there is none
 */
export function windowForms(
  types: readonly LayerType[],
  window: number | undefined,
  where: string,
): readonly LayerForm[] | null {
  const first = types.indexOf('sliding_attention');
  if (first < 0) return null;
  if (window === undefined) {
    throw new ProxmoError(
      'config',
      `${where}: layer_types.${first} is "sliding_attention", but no sliding_window is set or used; set use_sliding_window and sliding_window.`,
    );
  }
  return types.map((type) => (type === 'sliding_attention' ? { window } : {}));
}
