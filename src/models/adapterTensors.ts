/**
 * The tensors of an adapter's checkpoint: their names, of which writers have several forms, and whether they are those
 * that the configuration and the model ask for.
 */
import { ProxmoError } from '../base/errors.ts';
import type { HfModel } from './hf/config.ts';
import { locateWeights } from './hf/locate.ts';
import { headName, weightPlacements } from './hf/weightNames.ts';
import { type LoraConfig, loraShape, loraSites, loraTensorName, savedPrefix } from './peft.ts';
import { savedTensors } from './savedModules.ts';
import type { WeightSource } from './weightSource.ts';

/**
 * A tensor's name as PEFT saves it: with its prefix, which others leave out, and without the adapter's own name, as in
 * `lora_A.default.weight`, which stands in a model's plain state.
 */
function savedName(name: string): string {
  const bare = name.startsWith(savedPrefix) ? name.slice(savedPrefix.length) : name;
  const saved = bare
    .replace(/\.lora_([AB])\.[^.]+\.weight$/, '.lora_$1.weight')
    .replace(/\.lora_embedding_([AB])\.[^.]+$/, '.lora_embedding_$1')
    .replace(/\.modules_to_save\.[^.]+\.(weight|bias)$/, '.$1')
    .replace('.base_layer.', '.');
  return savedPrefix + saved;
}

/**
 * The names that a checkpoint has, by those that PEFT would save.
 * @throws {ProxmoError} `file` if two are the same tensor, as where two adapters are in one file
 */
export function namesAsSaved(names: Iterable<string>, where: string): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const name of names) {
    const saved = savedName(name);
    const other = given.get(saved);
    if (other !== undefined)
      throw new ProxmoError('file', `${where} has two adapters, in ${other} and ${name}; save each by itself.`);
    given.set(saved, name);
  }
  return given;
}

/**
 * Checks that a checkpoint has the tensors of an adapter, of the shapes that the model makes them, and no others. But
 * it may have copies of the model's own embedding or head, which PEFT adds where it cannot tell whether they were
 * trained.
 * @param base the model's weights, to compare copies with
 * @param where names the adapter in messages
 * @param onOtherModel told where the tensors have the adapter's rank, but are of a model of other sizes; default:
 * throws
 * @throws {ProxmoError} `config` as `loraSites`; `file` if a tensor is missing, superfluous, of another shape, or is
 * the model's but with other values
 */
export async function checkAdapterTensors(
  model: Pick<HfModel, 'family' | 'transformer'>,
  config: LoraConfig,
  source: WeightSource,
  where: string,
  base: WeightSource | null,
  onOtherModel: (sentence: string) => void = refuse,
): Promise<void> {
  const needed = new Map<string, { readonly shape: readonly number[]; readonly rank: number | null }>([
    ...loraSites(model, config).flatMap((site) =>
      (['A', 'B'] as const).map((matrix) => {
        const { rank } = site;
        return [loraTensorName(site, matrix), { shape: loraShape(site, matrix), rank }] as const;
      }),
    ),
    ...savedTensors(model, config).map(({ name, placement: { shape } }) => [name, { shape, rank: null }] as const),
  ]);
  const names = new Set(source.names());
  const missing = [...needed.keys()].find((name) => !names.has(name));
  if (missing !== undefined)
    throw new ProxmoError(
      'file',
      `${where} has no tensor ${missing}; it does not fit its adapter_config.json or this model.`,
    );
  for (const [name, { shape, rank }] of needed) {
    const given = source.shape(name);
    if (given.join() === shape.join()) continue;
    const made = rank === null ? 'this model makes' : 'this model and rank make';
    const fact = `${where}: ${name} has the shape [${given.join(', ')}], but ${made} it [${shape.join(', ')}]`;
    if (rank !== null && (given.length !== 2 || !given.includes(rank))) throw new ProxmoError('file', `${fact}.`);
    onOtherModel(`${fact}; give them the model that they were made for.`);
    break;
  }
  for (const name of names) if (!needed.has(name)) await checkCopy(model, name, source, where, base);
}

function refuse(sentence: string): never {
  throw new ProxmoError('file', sentence);
}

async function checkCopy(
  model: Pick<HfModel, 'family' | 'transformer'>,
  name: string,
  source: WeightSource,
  where: string,
  base: WeightSource | null,
): Promise<void> {
  const own = name.slice(savedPrefix.length);
  const placements = weightPlacements(model);
  const embedding = placements.find(({ parameter }) => parameter === 'embedding');
  const head = placements.find(({ parameter }) => parameter === 'head') ?? embedding;
  const original = own === headName ? head : own === embedding?.name ? embedding : undefined;
  if (!original || !base)
    throw new ProxmoError('file', `${where} has a tensor ${name} that its adapter_config.json has no place for.`);
  const { weights } = locateWeights(model, base, where);
  const sourceName = weights.find(({ placement }) => placement.name === original.name)?.sourceName ?? original.name;
  if (source.shape(name).join() === original.shape.join()) {
    const [copy, values] = [await source.read(name), await base.read(sourceName)];
    if (copy.every((value, index) => value === values[index])) return;
  }
  throw new ProxmoError(
    'file',
    `${where} has a ${own} of its own, which differs from the model's, though its adapter_config.json does not name it ` +
      'in modules_to_save; name it there if it was trained.',
  );
}
