/**
 * Rotary angles of a transformer's layers, with the ways in which models stretch them to longer sequences, and the
 * scale of attention scores.
 */
import type { RopeScaling, TransformerConfig } from '../models/transformerConfig.ts';

/**
 * Angle of each pair of a head's elements for one step of position in a layer, `[headDim / 2]`; zeros for pairs that
 * are not turned.
 */
export function rotaryFrequencies(config: TransformerConfig, layer = 0): Float64Array {
  const { headDim, rotaryDim = headDim, ropeTheta, positions, ropeScaling, layerForms } = config;
  const theta = layerForms?.[layer]?.ropeTheta;
  const frequencies = new Float64Array(headDim / 2);
  if (positions === 'learned' || theta === 0) return frequencies;
  const plain = plainFrequencies(theta ?? ropeTheta, rotaryDim);
  frequencies.set(theta === undefined ? scaledFrequencies(plain, ropeTheta, ropeScaling) : plain);
  return frequencies;
}

function plainFrequencies(theta: number, rotaryDim: number): Float64Array {
  return Float64Array.from({ length: rotaryDim / 2 }, (_, pair) => theta ** ((-2 * pair) / rotaryDim));
}

function scaledFrequencies(plain: Float64Array, ropeTheta: number, ropeScaling: RopeScaling | undefined): Float64Array {
  switch (ropeScaling?.kind) {
    case 'linear':
      return plain.map((frequency) => frequency / ropeScaling.factor);
    case 'llama3':
      return plain.map((frequency) => llama3Frequency(frequency, ropeScaling));
    case 'yarn':
      return yarnFrequencies(plain, ropeTheta, ropeScaling);
    case 'longrope':
      return plain.map((frequency, pair) => frequency / ropeScaling.factors[pair]!);
    default:
      return plain;
  }
}

/** What queries are multiplied by beside attention's own 1 / √headDim. */
export function queryScale(
  { headDim, scoreScale, layerScaledScores = false }: TransformerConfig,
  layer: number,
): number {
  return (scoreScale === undefined ? 1 : scoreScale * Math.sqrt(headDim)) / (layerScaledScores ? layer + 1 : 1);
}

/**
 * What the elements of queries that are turned are multiplied by besides: the factor of YaRN or LongRoPE for queries
 * and keys in one.
 */
export function rotaryScale({ ropeScaling, layerForms }: TransformerConfig, layer: number): number {
  if (layerForms?.[layer]?.ropeTheta !== undefined) return 1;
  const hasFactor = ropeScaling?.kind === 'yarn' || ropeScaling?.kind === 'longrope';
  return hasFactor ? ropeScaling.attentionFactor ** 2 : 1;
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
