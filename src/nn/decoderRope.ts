/**
 * Rotary angles of a transformer, with the ways in which models stretch them to longer sequences, and the scale of its
 * attention scores.
 */
import type { RopeScaling, TransformerConfig } from '../models/transformerConfig.ts';

/**
 * Angle of each pair of a head's elements for one step of position, `[headDim / 2]`; zeros where positions are learned.
 */
export function rotaryFrequencies({ headDim, ropeTheta, positions, ropeScaling }: TransformerConfig): Float64Array {
  const pairs = headDim / 2;
  if (positions === 'learned') return new Float64Array(pairs);
  const plain = Float64Array.from({ length: pairs }, (_, pair) => ropeTheta ** ((-2 * pair) / headDim));
  switch (ropeScaling?.kind) {
    case 'linear':
      return plain.map((frequency) => frequency / ropeScaling.factor);
    case 'llama3':
      return plain.map((frequency) => llama3Frequency(frequency, ropeScaling));
    case 'yarn':
      return yarnFrequencies(plain, ropeTheta, ropeScaling);
    default:
      return plain;
  }
}

/**
 * What queries are multiplied by beside attention's own 1 / √headDim: YaRN's factor for queries and keys in one, and
 * GPT-2's variants of the scale.
 */
export function queryScale(
  { headDim, ropeScaling, scaledScores = true, layerScaledScores = false }: TransformerConfig,
  layer: number,
): number {
  const yarn = ropeScaling?.kind === 'yarn' ? ropeScaling.attentionFactor ** 2 : 1;
  return (yarn * (scaledScores ? 1 : Math.sqrt(headDim))) / (layerScaledScores ? layer + 1 : 1);
}

type ScalingOf<K extends RopeScaling['kind']> = Extract<RopeScaling, { kind: K }>;

/**
 * Slow angles, with less than `lowFrequencyFactor` turns in the original context, are divided by the factor; those with
 * more than `highFrequencyFactor` are not.
 */
function llama3Frequency(frequency: number, scaling: ScalingOf<'llama3'>): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalPositions } = scaling;
  const turns = (originalPositions * frequency) / (2 * Math.PI);
  const kept = clamp((turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor));
  return frequency * (kept + (1 - kept) / factor);
}

/**
 * Dimensions that turn more than `betaFast` times in the original context keep their angles, those below `betaSlow`
 * turns are divided, with a ramp between.
 */
function yarnFrequencies(plain: Float64Array, theta: number, scaling: ScalingOf<'yarn'>): Float64Array {
  const { factor, originalPositions, betaFast, betaSlow, truncate } = scaling;
  const width = 2 * plain.length;
  const dimensionOf = (turns: number) =>
    (width * Math.log(originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [dimensionOf(betaFast), dimensionOf(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, width - 1);
  const length = high === low ? 0.001 : high - low;
  return plain.map((frequency, pair) => {
    const divided = clamp((pair - low) / length);
    return frequency * (1 - divided + divided / factor);
  });
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
