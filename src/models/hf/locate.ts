/** Finds a model's tensors in a checkpoint, and refuses one that does not hold exactly these. */
import { ProxmoError } from '../../base/errors.ts';
import type { WeightSource } from '../weightSource.ts';
import type { HfModel } from './config.ts';
import { basePrefix, headName, isDerivedTensor, type WeightPlacement, weightPlacements } from './weightNames.ts';

/** A tensor of a checkpoint that belongs in a model. */
export interface LocatedWeight {
  /** The checkpoint's own name for it. */
  readonly sourceName: string;
  readonly placement: WeightPlacement;
}

export interface LocatedWeights {
  readonly weights: readonly LocatedWeight[];
  /** The embedding and its copy, in a checkpoint of a tied model that has both; they must be equal. */
  readonly tiedCopy: { readonly embedding: string; readonly head: string } | null;
}

/**
 * @param where names the checkpoint in messages
 * @throws {ProxmoError} `file` if a tensor is missing, has another shape than the configuration says, or belongs
 * nowhere
 */
export function locateWeights(
  model: Pick<HfModel, 'family' | 'transformer'>,
  source: WeightSource,
  where: string,
): LocatedWeights {
  const names = new Set(source.names());
  const placements = weightPlacements(model);
  const prefix = basePrefix(model.family);
  const bare = !placements.some(({ name }) => name.startsWith(prefix) && names.has(name));
  const sourceNameOf = (name: string) => (bare && name.startsWith(prefix) ? name.slice(prefix.length) : name);
  const weights = placements.map((placement) => ({ sourceName: sourceNameOf(placement.name), placement }));

  const missing = weights.filter(({ sourceName }) => !names.has(sourceName)).map(({ placement }) => placement.name);
  if (missing.length > 0) {
    refuseWrapped(names, where);
    const tied = missing.includes(headName) ? ' (config.json says that the head is not tied to the embedding)' : '';
    throw new ProxmoError(
      'file',
      `${where} has no tensor ${listed(missing)}${tied}; it does not fit its config.json, or was not saved whole.`,
    );
  }
  for (const { sourceName, placement } of weights) checkShape(source, sourceName, placement.shape, where);

  const [embedding] = weights;
  const hasCopy = model.transformer.tiedHead && names.has(headName);
  if (hasCopy && embedding) checkShape(source, headName, embedding.placement.shape, where);
  const used = new Set([...weights.map(({ sourceName }) => sourceName), ...(hasCopy ? [headName] : [])]);
  const extra = [...names].filter((name) => !used.has(name) && !isDerivedTensor(model.family, name));
  if (extra.length > 0) {
    throw new ProxmoError(
      'file',
      `${where} has a tensor ${listed(extra)} that a ${model.family} model of its config.json has no place for.`,
    );
  }
  return { weights, tiedCopy: hasCopy && embedding ? { embedding: embedding.sourceName, head: headName } : null };
}

/** What PyTorch's wrappers put before the names of a model's tensors, and how to save it without. */
const wrappers: Readonly<Record<string, string>> = {
  '_orig_mod.': 'torch.compile; save `model._orig_mod` instead of `model`',
  'module.': 'DataParallel; save `model.module` instead of `model`',
  '_fsdp_wrapped_module.': 'FullyShardedDataParallel; save its full state dict',
  'base_model.model.': 'PEFT; save `model.merge_and_unload()` instead of `model`',
};

/** @throws {ProxmoError} `file` if the names have the prefix of a wrapper */
function refuseWrapped(names: Iterable<string>, where: string): void {
  for (const name of names) {
    const prefix = Object.keys(wrappers).find((wrapper) => name.startsWith(wrapper));
    if (prefix !== undefined) {
      throw new ProxmoError(
        'file',
        `${where} has its tensors under names like ${name}, where "${prefix}" comes from ${wrappers[prefix]}.`,
      );
    }
  }
}

function checkShape(source: WeightSource, name: string, shape: readonly number[], where: string): void {
  const given = source.shape(name);
  if (given.join() === shape.join()) return;
  throw new ProxmoError(
    'file',
    `${where}: ${name} has the shape [${given.join(', ')}], but config.json makes it [${shape.join(', ')}].`,
  );
}

function listed(names: readonly string[]): string {
  return names.length === 1 ? `${names[0]}` : `${names[0]} (and ${names.length - 1} more)`;
}
