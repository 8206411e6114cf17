/** Models of 1, 10 and 100 million parameters in the form of a Llama, for workloads that show how cost grows. */
import type { TransformerConfig } from '../../nn/transformer.ts';

export interface SizedModel {
  readonly name: string;
  readonly config: TransformerConfig;
}

const llama = { ropeTheta: 10_000, tiedHead: true, normEpsilon: 1e-5 } as const;

/** 1.07 million parameters. */
export const model1M: SizedModel = {
  name: '1M',
  config: { ...llama, vocabSize: 512, dModel: 128, layers: 5, heads: 4, kvHeads: 4, headDim: 32, dFf: 352 },
};

/** 10.3 million. */
export const model10M: SizedModel = {
  name: '10M',
  config: { ...llama, vocabSize: 2048, dModel: 320, layers: 8, heads: 5, kvHeads: 5, headDim: 64, dFf: 832 },
};

/** 97.5 million. */
export const model100M: SizedModel = {
  name: '100M',
  config: { ...llama, vocabSize: 16_384, dModel: 768, layers: 12, heads: 12, kvHeads: 12, headDim: 64, dFf: 2048 },
};
