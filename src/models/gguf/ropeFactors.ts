/**
 * Llama 3.1's rotary scaling, found again. Its makers give a factor, two limits of frequency and the length of
 * pretraining; a GGUF file keeps only what follows from them: for each pair of dimensions, the factor by which its
 * wavelength grows (`rope_freqs.weight`). All models that use it share the limits and the length, so the factor is the
 * largest in the table, and the table must be the one that follows.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { RopeScaling } from '../transformerConfig.ts';

type Llama3Scaling = Extract<RopeScaling, { kind: 'llama3' }>;

const shared = { lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 };

/** Entries are float32, and their makers computed them in it. */
const tolerance = 1e-4;

/**
 * The `rope_scaling` of `config.json`.
 * @param factors one for each pair of a head's dimensions, `[headDim / 2]`
 * @throws {ProxmoError} `config` if the table is not one of Llama 3.1's.
 */
export function recoverLlama3Scaling(
  factors: Float32Array,
  theta: number,
  headDim: number,
  where: string,
): Record<string, unknown> {
  const factor = Number(factors.reduce((largest, value) => Math.max(largest, value), 0).toPrecision(6));
  const expected = llama3Factors({ ...shared, factor }, theta, headDim);
  const fits =
    factors.length === expected.length &&
    expected.every((value, i) => Math.abs(value - factors[i]!) <= tolerance * value);
  if (!fits || !(factor >= 1)) {
    throw new ProxmoError(
      'config',
      `${where}: the table rope_freqs.weight is not that of a Llama 3.1 scaling, which alone is supported; use another model.`,
    );
  }
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: shared.lowFrequencyFactor,
    high_freq_factor: shared.highFrequencyFactor,
    original_max_position_embeddings: shared.originalPositions,
  };
}

/** Long wavelengths grow by `factor`, short ones not at all, and those between by a blend of frequencies. */
export function llama3Factors(
  { factor, lowFrequencyFactor, highFrequencyFactor, originalPositions }: Omit<Llama3Scaling, 'kind'>,
  theta: number,
  headDim: number,
): number[] {
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const turns = originalPositions / (2 * Math.PI * theta ** ((2 * i) / headDim));
    const blend = Math.min(Math.max((turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor), 0), 1);
    return 1 / ((1 - blend) / factor + blend);
  });
}
