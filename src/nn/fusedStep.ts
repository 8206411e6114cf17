/**
 * A step of decoding one reply in five dispatches a layer: each product takes in what lies between it and the next one
 * (ops/stepProduct.ts). For software drivers, which wait for every dispatch. What it computes is what
 * `Transformer.hidden` and `logits` compute, up to the last bits.
 */
import { sideBySide } from '../ops/columns.ts';
import { norm } from '../ops/norm.ts';
import { linearOfParts } from '../ops/rowParts.ts';
import { isStepMatrix, normedProduct, residualProduct, type ScaledRow } from '../ops/stepProduct.ts';
import type { Matrix } from '../tensor/packedMatrix.ts';
import { inScope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { AttentionPath, Transformer } from './transformer.ts';

const inLayer = ['attention.qkv', 'attention.output', 'mlp.gateUp', 'mlp.down'];

/**
 * Whether a model's steps can be computed so. Its matrices are in float32 or packed, each in one part but for the head.
 * It has RMSNorms before attention and MLP alone, a gated MLP, no biases but those of queries, keys and values, and no
 * adapters.
 */
export function canFuse(model: Transformer): boolean {
  const { norm: kind = 'rms', layers, outputBias, mlpBias, postNorms } = model.config;
  if (model.gate === null || model.adapters || model.stored !== 'f32') return false;
  if (kind !== 'rms' || outputBias || mlpBias || postNorms) return false;
  const names = Array.from({ length: layers }, (_, layer) => inLayer.map((name) => `layers.${layer}.${name}`)).flat();
  return (
    names.every((name) => model.parts(name).length === 1 && model.parts(name).every(isStepMatrix)) &&
    model.headParts.every(isStepMatrix)
  );
}

/**
 * The logits `[1, vocabSize]` after one more token, of a model that `canFuse`.
 * @param tokens u32 `[1]`
 * @param positions u32 `[1]`
 */
export function fusedLogits(model: Transformer, tokens: Tensor, positions: Tensor, attend: AttentionPath): Tensor {
  const { config, gate } = model;
  const { layers, normEpsilon: epsilon } = config;
  const matrix = (name: string) => model.parts(name)[0]!;
  const normAt = (name: string) => ({ weight: model.vector(name), epsilon });
  let stream = inScope('embedding', () => model.embed(tokens, positions));
  let row: ScaledRow | null = null;
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `layers.${layer}`;
    const next = layer + 1 < layers ? `layers.${layer + 1}.attention.norm` : 'finalNorm';
    const middle = inScope(`${prefix}.attention`, () => {
      const qkv = row ? normedQkv(model, layer, row) : firstQkv(model, stream);
      const context = attend(layer, model.headsOf(layer, qkv, positions)).reshape([1, config.heads * config.headDim]);
      return residualProduct(context, matrix(`${prefix}.attention.output`), stream, normAt(`${prefix}.mlp.norm`));
    });
    const after = inScope(`${prefix}.mlp`, () => {
      const gated = normedProduct(middle.row, matrix(`${prefix}.mlp.gateUp`), gate!);
      return residualProduct(gated, matrix(`${prefix}.mlp.down`), middle.sum, normAt(next));
    });
    [stream, row] = [after.sum, after.row];
  }
  const last = row;
  return inScope('head', () => {
    if (!last) throw new Error('a model has layers');
    return sideBySide(model.headParts.map((part: Matrix) => normedProduct(last, part, 'normed')));
  });
}

function qkvBias(model: Transformer, layer: number): Tensor | undefined {
  return model.config.qkvBias ? model.vector(`layers.${layer}.attention.qkv.bias`) : undefined;
}

function normedQkv(model: Transformer, layer: number, row: ScaledRow): Tensor {
  return normedProduct(row, model.parts(`layers.${layer}.attention.qkv`)[0]!, 'normed', qkvBias(model, layer));
}

/** Of the first layer: nothing comes before its norm that could take it in. */
function firstQkv(model: Transformer, x: Tensor): Tensor {
  const name = 'layers.0.attention';
  const { normed } = norm(name, { x, weight: model.vector(`${name}.norm`), epsilon: model.config.normEpsilon });
  return linearOfParts(normed, model.parts(`${name}.qkv`), qkvBias(model, 0));
}
