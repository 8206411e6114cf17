/** In which precision matrices are stored. The names alone, for settings, which need nothing of what computes. */
import { ProxmoError } from '../base/errors.ts';

export const precisions = ['f32', 'f16', 'packed'] as const;
/** How matrices are stored: in float32, in f16, or packed as a GGUF file has them. */
export type Precision = (typeof precisions)[number];

/**
 * How matrices are stored: in float32, in f16 alone, in f16 beside float32 masters, or packed as a GGUF file has them
 * (`packedWeights.ts`).
 */
export type WeightStorage = 'f32' | 'f16' | 'mixed' | 'packed';

/**
 * @param isTrained whether the optimiser updates the matrices themselves
 * @throws {ProxmoError} `config` if packed ones were to be trained
 */
export function storageFor(precision: Precision, isTrained: boolean): WeightStorage {
  if (precision === 'packed' && isTrained) {
    throw new ProxmoError(
      'config',
      'Packed weights cannot be trained themselves; train adapters on them (lora: {}), or use precision f32 or f16.',
    );
  }
  return precision === 'f16' && isTrained ? 'mixed' : precision;
}
