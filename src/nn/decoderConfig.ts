/** Checks that a transformer's configuration is one that can be built. */
import { maxHeadDim } from '../../kernels/attentionVariants.ts';
import { ProxmoError } from '../base/errors.ts';
import type { TransformerConfig } from '../models/transformerConfig.ts';

const sizes = ['vocabSize', 'dModel', 'layers', 'heads', 'kvHeads', 'headDim', 'dFf'] as const;

/**
 * @param name what messages call the configuration
 * @throws {ProxmoError} `config` with the first contradiction found
 */
export function checkTransformerConfig(config: TransformerConfig, name = 'policy'): void {
  const { heads, kvHeads, headDim, maxPositions = 1 } = config;
  const refuse = (problem: string) => {
    throw new ProxmoError('config', `${name}.${problem}`);
  };
  for (const [field, value] of [
    ...sizes.map((size) => [size, config[size]] as const),
    ['maxPositions', maxPositions] as const,
  ]) {
    if (!Number.isSafeInteger(value) || value < 1)
      refuse(`${field} is ${value}; it must be a whole number of 1 or more.`);
  }
  if (heads % kvHeads !== 0) refuse(`heads (${heads}) must be a multiple of ${name}.kvHeads (${kvHeads}).`);
  if (headDim % 4 !== 0 || headDim > maxHeadDim)
    refuse(`headDim is ${headDim}; it must be a multiple of 4, at most ${maxHeadDim}.`);
  const problem = positionProblem(config) ?? formProblem(config);
  if (problem !== null) refuse(problem);
}

function formProblem({
  layers,
  layerForms,
  headDim,
  rotaryDim = headDim,
  ropeScaling,
}: TransformerConfig): string | null {
  if (rotaryDim % 2 !== 0 || rotaryDim < 2 || rotaryDim > headDim)
    return `rotaryDim is ${rotaryDim}; it must be even, from 2 to the headDim, ${headDim}.`;
  if (ropeScaling?.kind === 'longrope' && ropeScaling.factors.length !== rotaryDim / 2)
    return `ropeScaling has ${ropeScaling.factors.length} factors; ${rotaryDim / 2} pairs of elements are turned.`;
  if (layerForms && layerForms.length !== layers)
    return `layerForms describes ${layerForms.length} layers; there are ${layers}.`;
  const wrong = layerForms?.find(
    ({ window = 1, ropeTheta = 0 }) => !Number.isSafeInteger(window) || window < 1 || ropeTheta < 0,
  );
  return wrong ? `layerForms has ${JSON.stringify(wrong)}; a window is 1 or more, a ropeTheta 0 or more.` : null;
}

function positionProblem({ positions, ropeTheta, ropeScaling, maxPositions }: TransformerConfig): string | null {
  if (positions === 'learned') {
    if (ropeTheta !== 0 || ropeScaling)
      return `ropeTheta is ${ropeTheta}, but positions are learned; set it to 0, without ropeScaling.`;
    return maxPositions === undefined ? 'maxPositions is not set; learned positions need it.' : null;
  }
  if (!(ropeTheta > 0)) return `ropeTheta is ${ropeTheta}; it must be above 0 unless positions are learned.`;
  return ropeScaling?.kind === 'dynamic' && maxPositions === undefined
    ? 'maxPositions is not set; dynamic rope scaling needs it.'
    : null;
}
