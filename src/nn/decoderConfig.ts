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
  const positions = positionProblem(config);
  if (positions !== null) refuse(positions);
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
