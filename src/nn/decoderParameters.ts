/** The parameters of a transformer and the values they start from. */
import { isGated, type TransformerConfig } from '../models/transformerConfig.ts';
import { Random } from '../tensor/random.ts';
import { type Shape, sizeOf } from '../tensor/tensor.ts';
import { type ParameterRequest, type ParameterSlab, portablePieceBytes } from '../tensor/variable.ts';
import { checkTransformerConfig } from './decoderConfig.ts';
import { weightSlab } from './halfWeights.ts';
import type { Packing } from './packedWeights.ts';
import type { WeightStorage } from './precision.ts';

/**
 * The storage of a transformer's parameters.
 * @param seed that starting weights are drawn from; null leaves them at 0, without a copy on the host, for those that
 * are loaded later
 * @param name for error messages
 * @param largestPiece most bytes of a buffer, `engine.largestBinding`; by default what every device can bind
 * @param storage of matrices; default: f32
 * @param packing which of them stay packed, where storage says so
 * @throws {ProxmoError} `config`
 */
export function decoderSlab(
  config: TransformerConfig,
  seed: number | null,
  name: string,
  largestPiece: number = portablePieceBytes,
  storage: WeightStorage = 'f32',
  packing: Packing | null = null,
): ParameterSlab {
  checkTransformerConfig(config, name);
  return weightSlab(
    name,
    decoderParameters(config, seed === null ? null : new Random(seed, 'weights')),
    storage,
    largestPiece,
    packing,
  );
}

/**
 * Matrices start as normals with variance 2 / (5 · dModel) (the small init of Nguyen and Salazar, arXiv 1910.05895).
 * Those that write into the residual stream are divided by √(2 · layers), so that its size does not grow with depth (as
 * GPT-2). Norm weights start at 1, biases at 0.
 * @param random null leaves everything at 0, for weights that are loaded later
 */
export function decoderParameters(config: TransformerConfig, random: Random | null): ParameterRequest[] {
  const { vocabSize, dModel, layers, heads, kvHeads, headDim, dFf, tiedHead, maxPositions = 0 } = config;
  const spread = Math.sqrt(2 / (5 * dModel));
  const residualSpread = spread / Math.sqrt(2 * layers);
  const matrix = (name: string, shape: Shape, deviation = spread): ParameterRequest => ({
    name,
    shape,
    decay: true,
    initial: random && Float32Array.from({ length: sizeOf(shape) }, () => random.normal() * deviation),
  });
  const vector = (name: string, length: number, value: number): ParameterRequest => ({
    name,
    shape: [length],
    decay: false,
    initial: random && new Float32Array(length).fill(value),
  });
  const withBias = (weight: ParameterRequest, hasBias = false): ParameterRequest[] =>
    hasBias ? [weight, vector(`${weight.name}.bias`, weight.shape[0] ?? 0, 0)] : [weight];
  const norm = (name: string) => withBias(vector(name, dModel, 1), config.norm === 'layer');
  const layer = (index: number): ParameterRequest[] => {
    const prefix = `layers.${index}`;
    const [first, width] = isGated(config) ? ['gateUp', 2 * dFf] : ['up', dFf];
    const postNorm = (part: string) => (config.postNorms ? norm(`${prefix}.${part}.postNorm`) : []);
    return [
      ...norm(`${prefix}.attention.norm`),
      ...withBias(matrix(`${prefix}.attention.qkv`, [(heads + 2 * kvHeads) * headDim, dModel]), config.qkvBias),
      ...(config.headNorm
        ? ['queryNorm', 'keyNorm'].map((name) => vector(`${prefix}.attention.${name}`, headDim, 1))
        : []),
      ...withBias(matrix(`${prefix}.attention.output`, [dModel, heads * headDim], residualSpread), config.outputBias),
      ...postNorm('attention'),
      ...norm(`${prefix}.mlp.norm`),
      ...withBias(matrix(`${prefix}.mlp.${first}`, [width, dModel]), config.mlpBias),
      ...withBias(matrix(`${prefix}.mlp.down`, [dModel, dFf], residualSpread), config.mlpBias),
      ...postNorm('mlp'),
    ];
  };
  return [
    matrix('embedding', [vocabSize, dModel]),
    ...(config.positions === 'learned' ? [matrix('positions', [maxPositions, dModel])] : []),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    ...norm('finalNorm'),
    ...(tiedHead ? [] : [matrix('head', [vocabSize, dModel])]),
  ];
}
