/**
 * Low-rank adapters (LoRA; Hu et al., arXiv 2106.09685) on the matrices of a pretrained transformer, and copies of
 * modules that are trained as a whole. They have a slab of their own, so that optimiser, gradients and checkpoints are
 * those of the adapters alone; the base stays as it is until they are merged into it.
 */
import { ProxmoError } from '../base/errors.ts';
import type { HfModel } from '../models/hf/config.ts';
import { type LoraConfig, type LoraSite, loraShape, loraSites, loraTensorName, moduleOf } from '../models/peft.ts';
import { type SavedTensor, savedTensors } from '../models/savedModules.ts';
import { scale } from '../ops/elementwise.ts';
import { embedding } from '../ops/embedding.ts';
import { linear } from '../ops/linear.ts';
import { addLowRank, addToColumns, dropout } from '../ops/lowRank.ts';
import type { LogitTerm } from '../ops/vocabLoss.ts';
import type { Matrix } from '../tensor/packedMatrix.ts';
import { Random } from '../tensor/random.ts';
import { sizeOf, type Tensor } from '../tensor/tensor.ts';
import { type ParameterRequest, ParameterSlab } from '../tensor/variable.ts';

/** The two matrices of an adapter, as PEFT calls them. */
export const loraMatrices = ['A', 'B'] as const;

/**
 * Low-rank adapters of a model (Hu et al., arXiv 2106.09685): what is trained in place of its weights.
 * @example
 * const adapters = new LoraAdapters(model, loraConfig, 1);
 * const transformer = new Transformer(model.transformer, null, 'policy', adapters);
 */
export class LoraAdapters {
  readonly slab: ParameterSlab;
  readonly sites: readonly LoraSite[];
  /** Copies of modules that are trained as a whole. */
  readonly saved: readonly SavedTensor[];

  /**
   * @param seed A starts as PEFT's does, uniform in ±1 / √in, and B at 0, so that the model is the base at first; of an
   * embedding A starts at 0 and B is normal. Null leaves both at 0, for adapters that are loaded. Copies of whole
   * modules are at 0 in any case (`loadSavedModules`)
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
    this.saved = savedTensors(model, config);
    const both = this.saved.find(({ placement }) => this.sites.some((site) => site.parameter === placement.parameter));
    if (both)
      throw new ProxmoError(
        'config',
        `${moduleOf(both.placement.name)} is to have an adapter and to be trained as a whole; name it in one of targets and modulesToSave.`,
      );
    const random = seed === null ? null : new Random(seed, 'adapters');
    this.slab = new ParameterSlab(name, [
      ...this.sites.flatMap((site) => loraMatrices.map((matrix) => this.request(site, matrix, random))),
      ...this.saved.map(({ name: tensor, placement: { shape } }) => ({
        name: tensor,
        shape,
        decay: shape.length > 1,
        initial: null,
      })),
    ]);
  }

  /** The copy that stands for a parameter of the transformer, in parts; null if there is none. */
  partsOf(parameter: string): readonly Matrix[] | null {
    const copy = this.saved.find(({ placement }) => placement.parameter === parameter);
    return copy ? this.slab.parts(copy.name) : null;
  }

  /** Whether a parameter of the transformer is read otherwise than the base has it. */
  changes(parameter: string): boolean {
    return this.partsOf(parameter) !== null || this.sites.some((site) => site.parameter === parameter);
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
    const { slab } = this;
    return this.sites.reduce((sum, site) => {
      if (site.parameter !== parameter) return sum;
      const seen = this.seenBy(site, x, dropoutSeed);
      const [down, up] = [slab.get(loraTensorName(site, 'A')), slab.get(loraTensorName(site, 'B'))];
      return addLowRank(sum, seen, down, up, { start: site.firstOutput, factor: site.factor });
    }, y);
  }

  /**
   * Adds the update of an embedding to the rows that were looked up in it.
   * @param y `[rows, dModel]`; its storage is taken
   * @param ids u32 `[rows]`
   * @param parameter the transformer's name of the embedding
   * @returns `[rows, dModel]`
   */
  addRows(y: Tensor, ids: Tensor, parameter: string): Tensor {
    const site = this.sites.find((each) => each.isEmbedding && each.parameter === parameter);
    if (!site) return y;
    const low = embedding(this.slab.get(loraTensorName(site, 'A')), ids);
    const update = linear(low, this.slab.get(loraTensorName(site, 'B')));
    return addToColumns(y, update, { start: 0, factor: site.factor });
  }

  /**
   * What the adapter of the head adds to its logits, as a product of its own; null if it has none.
   * @param hidden `[rows, dModel]`
   * @param dropoutSeed as of `add`
   */
  headTerm(hidden: Tensor, dropoutSeed: Tensor | null): LogitTerm | null {
    const site = this.sites.find(({ parameter }) => parameter === 'head');
    if (!site) return null;
    const low = linear(this.seenBy(site, hidden, dropoutSeed), this.slab.get(loraTensorName(site, 'A')));
    return { x: scale(low, site.factor), head: [this.slab.get(loraTensorName(site, 'B'))] };
  }

  /** What a site's adapter sees of its input in training. */
  private seenBy(site: LoraSite, x: Tensor, dropoutSeed: Tensor | null): Tensor {
    return dropoutSeed ? dropout(x, dropoutSeed, this.sites.indexOf(site), this.config.dropout ?? 0) : x;
  }

  private request(site: LoraSite, matrix: 'A' | 'B', random: Random | null): ParameterRequest {
    const shape = heldShape(site, matrix);
    return {
      name: loraTensorName(site, matrix),
      shape,
      decay: true,
      initial: random && matrix === (site.isEmbedding ? 'B' : 'A') ? drawn(site, sizeOf(shape), random) : null,
    };
  }
}

/** The values that the one matrix of an adapter starts from which does not start at 0. */
function drawn({ isEmbedding, inputs }: LoraSite, count: number, random: Random): Float32Array {
  const bound = 1 / Math.sqrt(inputs);
  return Float32Array.from({ length: count }, () =>
    isEmbedding ? random.normal() : (2 * random.uniform() - 1) * bound,
  );
}

/** Shape on the device: A of an embedding is `[tokens, rank]` there, since its rows are looked up. */
export function heldShape(site: LoraSite, matrix: 'A' | 'B'): readonly [number, number] {
  const [rows, columns] = loraShape(site, matrix);
  return isTurned(site, matrix) ? [columns, rows] : [rows, columns];
}

/** Whether PEFT has a matrix as the transpose of what the device has. */
export function isTurned({ isEmbedding }: LoraSite, matrix: 'A' | 'B'): boolean {
  return isEmbedding && matrix === 'A';
}
