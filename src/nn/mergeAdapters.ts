/** Adapters and their base as one model. */
import { addColumns } from '../../kernels/addColumns.ts';
import { ProxmoError } from '../base/errors.ts';
import type { HfModel } from '../models/hf/config.ts';
import { type LoraSite, loraTensorName } from '../models/peft.ts';
import { gatherRows } from '../ops/embedding.ts';
import { product } from '../ops/matmul.ts';
import type { Engine } from '../tensor/engine.ts';
import { constant, launch, sizeOf, type Tensor } from '../tensor/tensor.ts';
import { decoderSlab } from './decoderParameters.ts';
import { readParameter, updatedParameter, writeParameter } from './halfWeights.ts';
import type { LoraAdapters } from './lora.ts';
import { Transformer } from './transformer.ts';
import { piecesOf } from './weightTransfer.ts';

/**
 * Adds the adapters' updates to the weights of their base, on the device, and puts modules that were trained as a whole
 * in place of the base's. The adapters must not be used with it again.
 * @returns the merged model, in the storage of the base; where its head was tied to its embedding and they have come to
 * differ, a copy with a head of its own
 * @throws {ProxmoError} `config` if the transformer has no adapters, or what they change is packed
 */
export async function mergeAdapters(engine: Engine, transformer: Transformer): Promise<Transformer> {
  const { adapters, config } = transformer;
  if (!adapters)
    throw new ProxmoError('config', 'The model has no adapters to merge; give one that withAdapters returned.');
  const isUntied = config.tiedHead && (adapters.changes('embedding') || adapters.changes('head'));
  const merged = isUntied ? await withOwnHead(engine, transformer) : transformer.withoutAdapters();
  for (const parameter of new Set(adapters.sites.map((site) => site.parameter))) {
    const sites = adapters.sites.filter((site) => site.parameter === parameter);
    const updates = updatedParameter(merged.slab, parameter, (weights, firstRow) =>
      sites.reduce((total, site) => addUpdate(total, firstRow, site, adapters), weights),
    );
    const program = await engine.compile({ name: `merge ${parameter}`, updates });
    await program.run();
    program.destroy();
  }
  await replaceSaved(engine, merged, adapters);
  return merged;
}

/** What `config.json` says of a model after its adapters were merged. */
export function mergedModel(model: HfModel, { config: transformer }: Transformer): HfModel {
  if (model.transformer.tiedHead === transformer.tiedHead) return model;
  return { ...model, transformer, config: { ...model.config, tie_word_embeddings: false } };
}

/** The base with a copy of its embedding as its head. */
async function withOwnHead(engine: Engine, { config, slab }: Transformer): Promise<Transformer> {
  const untied = { ...config, tiedHead: false };
  const own = decoderSlab(untied, null, 'merged model', engine.largestBinding);
  for (const { name, shape } of own.all) {
    const from = name === 'head' ? 'embedding' : name;
    for (const [start, end] of piecesOf(sizeOf(shape)))
      writeParameter(engine, own, name, await readParameter(engine, slab, from, start, end - start), start);
  }
  return new Transformer(untied, own);
}

/** Puts modules that were trained as a whole in place of the base's. */
async function replaceSaved(engine: Engine, { slab }: Transformer, adapters: LoraAdapters): Promise<void> {
  for (const { name, placement } of adapters.saved) {
    const start = adapters.slab.offsetOf(name);
    for (const [from, to] of piecesOf(sizeOf(placement.shape))) {
      const values = await engine.read(adapters.slab.variable, start + from, to - from);
      writeParameter(engine, slab, placement.parameter, Float32Array.from(values), from);
    }
  }
}

/**
 * Rows of a matrix from `firstRow` on, `[rows, width]`, with the update of a site added to those that are its own, in
 * their storage. Of an embedding the rows are tokens, else outputs.
 */
function addUpdate(weights: Tensor, firstRow: number, site: LoraSite, { slab }: LoraAdapters): Tensor {
  const [a, b] = [slab.get(loraTensorName(site, 'A')), slab.get(loraTensorName(site, 'B'))];
  const [left, right] = site.isEmbedding ? [a, b] : [b, a];
  const first = Math.max(firstRow, site.firstOutput);
  const rows = Math.min(firstRow + weights.dim(0), site.firstOutput + left.dim(0)) - first;
  if (rows <= 0) return weights;
  const taken = Uint32Array.from({ length: rows }, (_, row) => first - site.firstOutput + row);
  const ofRows = rows === left.dim(0) ? left : gatherRows(left, constant(taken, [rows], 'u32'));
  const update = product(site.isEmbedding ? 'nt' : 'nn', ofRows, right);
  // The rows are a run of the flat matrix.
  const start = (first - firstRow) * weights.dim(1);
  const params = { count: update.size, columns: update.size, width: weights.size, start, factor: site.factor };
  return launch(addColumns, params, { part: update, total: weights }, { total: weights.shape }).total;
}
