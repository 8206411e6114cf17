/** How the makers of a model in a GGUF file sample from it: `general.sampling.*`, in the fields of Hugging Face. */
import { type ModelSampling, samplingOfConfig } from '../sampling.ts';
import type { GgufMetadata } from './metadata.ts';

/** Keys by the field that they are in `generation_config.json`. */
const keys = {
  temperature: 'temp',
  top_p: 'top_p',
  top_k: 'top_k',
  min_p: 'min_p',
  repetition_penalty: 'penalty_repeat',
};

/** @throws {ProxmoError} `file` if a setting is of the wrong kind or beyond its bounds */
export function ggufSampling(metadata: GgufMetadata): ModelSampling {
  const settings = Object.entries(keys).flatMap(([field, name]) => {
    const key = `general.sampling.${name}`;
    // Stored as float32; the decimal that was meant has few digits.
    return metadata.has(key) ? [[field, Number(metadata.number(key).toPrecision(7))] as const] : [];
  });
  return { ...samplingOfConfig(Object.fromEntries(settings), 'general.sampling'), from: 'the GGUF file' };
}
