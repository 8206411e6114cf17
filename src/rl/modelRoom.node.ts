/**
 * Whether an adapter has room for a model, told before its weights are read: WebGPU says what a kernel can bind, but
 * not how much memory there is. That of a software driver is the machine's; a GPU's is not known, and running out of it
 * ends with an error of its own.
 */
import { totalmem } from 'node:os';
import { ProxmoError } from '../base/errors.ts';
import type { PretrainedModel } from '../models/pretrained.node.ts';
import { decoderSlab } from '../nn/decoderParameters.ts';
import { batchLimits } from '../nn/generatorLimits.ts';
import { findPacking } from '../nn/packedWeights.ts';
import type { WeightStorage } from '../nn/precision.ts';
import type { Engine } from '../tensor/engine.ts';

/**
 * @param copies of the weights that are needed, as for gradients and moments; 1 for the weights alone
 * @throws {ProxmoError} `config` if the weights take more memory than the machine of a software driver has; `shape` if
 * the adapter cannot bind what one token needs
 */
export function checkModelRoom(
  engine: Engine,
  { model, weights, path }: Pick<PretrainedModel, 'model' | 'weights' | 'path'>,
  storage: WeightStorage,
  copies = 1,
): void {
  const config = model.transformer;
  const packing = storage === 'packed' ? findPacking(model, weights, path) : null;
  const slab = decoderSlab(config, null, 'model', engine.largestBinding, storage, packing);
  const sizes = { maxPromptTokens: 1, maxNewTokens: 1, maxBatchTokens: 1, maxBatchRows: 1 };
  batchLimits(config, sizes, engine.largestBinding, slab.half ? 'f16' : 'f32');
  const { name, profile } = engine.gpu.adapter;
  const [needed, there] = [copies * slab.bytes, totalmem()];
  if (profile.kind !== 'cpu' || needed <= there) return;
  const [need, have] = [needed, there].map((bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`);
  throw new ProxmoError(
    'config',
    `${path} takes ${need}${copies === 1 ? ' for its weights' : ' for its weights and what training keeps beside them'}, and ${name} has the machine's ${have}; use a smaller model, precision f16, or a GPU.`,
  );
}
