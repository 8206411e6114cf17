/** The smallest transformer there is: one head, one layer, a few hundred weights. */
import type { TransformerConfig } from '../../src/models/transformerConfig.ts';

export function tinyModelConfig(vocabSize = 8): TransformerConfig {
  return {
    vocabSize,
    dModel: 8,
    layers: 1,
    heads: 1,
    kvHeads: 1,
    headDim: 8,
    dFf: 8,
    ropeTheta: 100,
    tiedHead: true,
    normEpsilon: 1e-5,
  };
}
