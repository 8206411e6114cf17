/**
 * Modules of a model that are trained as a whole beside low-rank adapters, each in a copy of its own: PEFT's
 * `modules_to_save`. The model reads the copies in place of its own weights, which stay as they are. Where the head is
 * tied to the embedding, each of the two is a copy by itself, and one that is not named stays with the base.
 */
import { ProxmoError } from '../base/errors.ts';
import type { HfModel } from './hf/config.ts';
import { headName, type WeightPlacement, weightPlacements } from './hf/weightNames.ts';
import { type LoraConfig, moduleOf, refuseTying, savedPrefix } from './peft.ts';

/** A tensor of such a module. */
export interface SavedTensor {
  /** Name in PEFT's checkpoints. */
  readonly name: string;
  /** Where it lies in the model: it is the whole of a parameter, which its copy stands for. */
  readonly placement: WeightPlacement;
  /** Name of the model's tensor that the copy starts from: of a tied head, the embedding. */
  readonly original: string;
}

/**
 * The tensors that a configuration's `modulesToSave` name. As PEFT has it, a name is that of every module that ends so:
 * `norm` is the last norm and those of the layers, `model.norm` the last alone.
 * @throws {ProxmoError} `config` if a name is that of no module, or of a part of a matrix that the transformer has in
 * one piece
 */
export function savedTensors(
  model: Pick<HfModel, 'family' | 'transformer'>,
  config: Pick<LoraConfig, 'modulesToSave' | 'ensureWeightTying'>,
): SavedTensor[] {
  const { modulesToSave = [] } = config;
  const placements = weightPlacements(model);
  const { vocabSize, dModel, tiedHead } = model.transformer;
  const embedding = placements.find(({ parameter }) => parameter === 'embedding')!;
  const all = placements.map((placement) => ({ placement, original: placement.name }));
  const head = { name: headName, shape: [vocabSize, dModel], parameter: 'head', offset: 0, transposed: false, plus: 0 };
  if (tiedHead) all.push({ placement: head, original: embedding.name });
  const tensors = all.map((each) => ({ ...each, module: moduleOf(each.placement.name) }));
  for (const name of modulesToSave) checkName(name, tensors, model.family);
  const named = tensors.filter(({ module }) => modulesToSave.some((name) => module.endsWith(name)));
  const parameters = named.map(({ placement }) => placement);
  refuseTying(model, config, parameters);
  return named.map(({ placement, original }) => ({ name: `${savedPrefix}${placement.name}`, placement, original }));
}

function checkName(
  name: string,
  tensors: readonly { readonly module: string; readonly placement: WeightPlacement }[],
  family: string,
): void {
  const named = tensors.filter(({ module }) => module.endsWith(name));
  if (named.length === 0)
    throw new ProxmoError(
      'config',
      `modules_to_save names no module "${name}" of a ${family} model; embedding, head, norms and projections can be named.`,
    );
  const isPart = ({ parameter, transposed }: WeightPlacement) =>
    transposed || tensors.filter(({ placement }) => placement.parameter === parameter).length > 1;
  const part = named.find(({ placement }) => isPart(placement));
  if (part !== undefined)
    throw new ProxmoError(
      'config',
      `modules_to_save names ${part.module}, which is kept as a part of a larger matrix or transposed; name it in target_modules instead.`,
    );
}
