/**
 * Low-rank adapters (LoRA; Hu et al., arXiv 2106.09685) on the projections of a pretrained transformer. They have a
 * slab of their own, so that optimiser, gradients and checkpoints are those of the adapters alone; the base stays as it
 * is until they are merged into it.
 */
import { addColumns } from '../../kernels/addColumns.ts';
import { ProxmoError } from '../base/errors.ts';
import { checkAdapterTensors } from '../models/adapterTensors.ts';
import { checkFinite } from '../models/finiteWeights.ts';
import type { HfModel } from '../models/hf/config.ts';
import { type LoraConfig, type LoraSite, loraShape, loraSites, loraTensorName } from '../models/peft.ts';
import type { WeightSource } from '../models/weightSource.ts';
import { gatherRows } from '../ops/embedding.ts';
import { addLowRank, dropout } from '../ops/lowRank.ts';
import { product } from '../ops/matmul.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import { constant, launch, sizeOf, type Tensor } from '../tensor/tensor.ts';
import { type ParameterRequest, ParameterSlab } from '../tensor/variable.ts';
import { updatedParameter } from './halfWeights.ts';
import type { Transformer } from './transformer.ts';

const matrices = ['A', 'B'] as const;

/**
 * Low-rank adapters of a model (Hu et al., arXiv 2106.09685): what is trained in place of its weights.
 * @example
 * const adapters = new LoraAdapters(model, loraConfig, 1);
 * const transformer = new Transformer(model.transformer, null, 'policy', adapters);
 */
export class LoraAdapters {
  readonly slab: ParameterSlab;
  readonly sites: readonly LoraSite[];

  /**
   * @param seed A starts as PEFT's does, uniform in ±1 / √in; B starts at 0, so that the model is the base at first.
   * Null leaves both at 0, for adapters that are loaded
   * @param name of the slab, for error messages
   * @throws {ProxmoError} `config`
   */
  constructor(
    readonly model: Pick<HfModel, 'family' | 'transformer'>,
    readonly config: LoraConfig,
    seed: number | null,
    name = 'adapters',
  ) {
    this.sites = loraSites(model, config);
    const random = seed === null ? null : new Random(seed, 'adapters');
    this.slab = new ParameterSlab(
      name,
      this.sites.flatMap((site) => matrices.map((matrix) => this.request(site, matrix, random))),
    );
  }

  /**
   * Adds a projection's updates.
   * @param y `[rows, out]`, the projection's output; its storage is taken
   * @param x `[rows, in]`, the projection's input
   * @param parameter the transformer's name of the projection
   * @param dropoutSeed u32 `[2]`; null for no dropout
   * @returns `[rows, out]`
   */
  add(y: Tensor, x: Tensor, parameter: string, dropoutSeed: Tensor | null): Tensor {
    const { config, slab } = this;
    return this.sites.reduce((sum, site, index) => {
      if (site.parameter !== parameter) return sum;
      const seen = dropoutSeed ? dropout(x, dropoutSeed, index, config.dropout ?? 0) : x;
      const [down, up] = [slab.get(loraTensorName(site, 'A')), slab.get(loraTensorName(site, 'B'))];
      return addLowRank(sum, seen, down, up, { start: site.firstOutput, factor: site.factor });
    }, y);
  }

  private request(site: LoraSite, matrix: 'A' | 'B', random: Random | null): ParameterRequest {
    const shape = loraShape(site, matrix);
    const bound = 1 / Math.sqrt(site.inputs);
    const isDrawn = matrix === 'A' && random !== null;
    return {
      name: loraTensorName(site, matrix),
      shape,
      decay: true,
      initial: isDrawn ? Float32Array.from({ length: sizeOf(shape) }, () => (2 * random.uniform() - 1) * bound) : null,
    };
  }
}

/** Adapters on a device as a source of tensors under PEFT's names. */
export function adapterWeights(engine: Engine, { slab }: Pick<LoraAdapters, 'slab'>): WeightSource {
  const find = (name: string) => {
    const found = slab.parameters.find((parameter) => parameter.name === name);
    if (!found)
      throw new ProxmoError('file', `The adapter has no tensor "${name}"; it has ${slab.parameters.length} others.`);
    return found;
  };
  return {
    names: () => slab.parameters.map(({ name }) => name),
    shape: (name) => find(name).shape,
    read: async (name) => {
      const { offset, shape } = find(name);
      return Float32Array.from(await engine.read(slab.variable, offset, sizeOf(shape)));
    },
  };
}

/**
 * Adapters with the weights of a checkpoint.
 * @param where names the checkpoint in messages
 * @param base the model's weights, which the checkpoint may have copies of
 * @throws {ProxmoError} as `checkAdapterTensors`; `data` if a value is NaN or infinite
 */
export async function loadAdapters(
  engine: Engine,
  model: Pick<HfModel, 'family' | 'transformer'>,
  config: LoraConfig,
  source: WeightSource,
  where: string,
  base: WeightSource | null = null,
): Promise<LoraAdapters> {
  await checkAdapterTensors(model, config, source, where, base);
  const adapters = new LoraAdapters(model, config, null);
  const { parameters, variable } = adapters.slab;
  for (const { name, offset } of parameters) {
    const values = await source.read(name);
    checkFinite(values, name, where);
    engine.write(variable, values, offset);
  }
  await engine.gpu.idle();
  return adapters;
}

/**
 * Adds the adapters' updates to the weights of their base, on the device. Afterwards `transformer.withoutAdapters()` is
 * the merged model; the adapters must not be used with it again.
 * @throws {ProxmoError} `config` if the transformer has no adapters
 */
export async function mergeAdapters(engine: Engine, transformer: Transformer): Promise<void> {
  const { adapters, slab } = transformer;
  if (!adapters)
    throw new ProxmoError('config', 'The model has no adapters to merge; give one that withAdapters returned.');
  const parameters = [...new Set(adapters.sites.map(({ parameter }) => parameter))];
  for (const parameter of parameters) {
    const sites = adapters.sites.filter((site) => site.parameter === parameter);
    const updates = updatedParameter(slab, parameter, (weights, firstRow) =>
      sites.reduce((total, site) => addUpdate(total, firstRow, site, adapters), weights),
    );
    const program = await engine.compile({ name: `merge ${parameter}`, updates });
    await program.run();
    program.destroy();
  }
}

/**
 * Rows of a fused projection from `firstRow` on, `[rows, in]`, with the update of a site added to those that are its
 * own, in their storage.
 */
function addUpdate(weights: Tensor, firstRow: number, site: LoraSite, { slab }: LoraAdapters): Tensor {
  const [down, up] = [slab.get(loraTensorName(site, 'A')), slab.get(loraTensorName(site, 'B'))];
  const first = Math.max(firstRow, site.firstOutput);
  const rows = Math.min(firstRow + weights.dim(0), site.firstOutput + up.dim(0)) - first;
  if (rows <= 0) return weights;
  const taken = Uint32Array.from({ length: rows }, (_, row) => first - site.firstOutput + row);
  const update = product('nn', rows === up.dim(0) ? up : gatherRows(up, constant(taken, [rows], 'u32')), down);
  // The rows are a run of the flat matrix.
  const start = (first - firstRow) * site.inputs;
  const params = { count: update.size, columns: update.size, width: weights.size, start, factor: site.factor };
  return launch(addColumns, params, { part: update, total: weights }, { total: weights.shape }).total;
}
