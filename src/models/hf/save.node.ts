/**
 * Saves a model as the folder that Hugging Face's libraries load: config.json, model.safetensors under the original
 * names, and the tokenizer's files. The folder is made under a temporary name and renamed when it is whole.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, writeFileAtomic, writeFolderAtomic } from '../../base/atomicFile.node.ts';
import { float32ToBfloat16, float32ToFloat16 } from '../../base/float16.ts';
import { streamSafetensors } from '../../base/safetensors.node.ts';
import type { SafetensorsData } from '../../base/safetensors.ts';
import type { WeightSource } from '../weightSource.ts';
import type { HfModel } from './config.ts';
import { families } from './families.ts';

export interface SaveOptions {
  /** Precision of the weights. Default: float32. */
  readonly dtype?: SavedDtype;
  /** Its tokenizer and generation settings. Default: none. */
  readonly companions?: Companions;
  /** Text of its README.md, the model card. */
  readonly card?: string;
}

/** Files beside configuration and weights: those of a folder, or texts by name. */
export type Companions = { readonly folder: string } | { readonly texts: Readonly<Record<string, string>> };

export type SavedDtype = 'float32' | 'float16' | 'bfloat16';

const dtypes = {
  float32: { stored: 'F32', convert: (values: Float32Array): SafetensorsData => values },
  float16: { stored: 'F16', convert: (values: Float32Array) => narrowed(values, float32ToFloat16) },
  bfloat16: { stored: 'BF16', convert: (values: Float32Array) => narrowed(values, float32ToBfloat16) },
} as const;

/** Values that are narrowed at once. */
const narrowedCount = 2 ** 20;

/** What a folder may hold beside configuration and weights. */
const companionNames = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
];

/**
 * @param dir must not exist yet
 * @param source every tensor of the model, as `pretrainedWeights` gives them; read one at a time
 * @throws {ProxmoError} `file` if the folder exists or cannot be written
 */
export async function saveHfModel(
  dir: string,
  model: Pick<HfModel, 'family' | 'config'>,
  source: WeightSource,
  { dtype = 'float32', companions, card }: SaveOptions = {},
): Promise<void> {
  await writeFolderAtomic(dir, 'model', async (folder) => {
    await writeFileAtomic(join(folder, 'config.json'), [`${JSON.stringify(savedConfig(model, dtype), null, 2)}\n`]);
    await writeWeights(join(folder, 'model.safetensors'), source, dtype);
    if (companions !== undefined) await writeCompanions(companions, folder);
    if (card !== undefined) await writeFileAtomic(join(folder, 'README.md'), [card]);
  });
}

async function writeWeights(path: string, source: WeightSource, dtype: SavedDtype): Promise<void> {
  const { stored, convert } = dtypes[dtype];
  const layouts = source.names().map((name) => ({ name, dtype: stored, shape: source.shape(name) }));
  // transformers asks for this note before it loads a file.
  await streamSafetensors(path, layouts, async ({ name }) => convert(await source.read(name)), { format: 'pt' });
}

/** Values in two bytes each, in the memory that they had in four: the host holds no second copy of a tensor. */
function narrowed(values: Float32Array, convert: (values: Float32Array) => Uint16Array): Uint16Array {
  const bits = new Uint16Array(values.buffer, values.byteOffset, values.length);
  for (let start = 0; start < values.length; start += narrowedCount) {
    bits.set(convert(values.subarray(start, start + narrowedCount)), start);
  }
  return bits;
}

/** The configuration as it was, with the precision of the weights as they are now. */
function savedConfig(
  { family, config }: Pick<HfModel, 'family' | 'config'>,
  dtype: SavedDtype,
): Record<string, unknown> {
  const { torch_dtype: olderName, ...rest } = config;
  return {
    architectures: [families[family].architectures[0]],
    ...rest,
    [olderName === undefined ? 'dtype' : 'torch_dtype']: dtype,
  };
}

async function writeCompanions(companions: Companions, to: string): Promise<void> {
  if ('texts' in companions) {
    for (const [name, text] of Object.entries(companions.texts)) await writeFileAtomic(join(to, name), [text]);
    return;
  }
  const { folder } = companions;
  for (const name of companionNames)
    if (await exists(join(folder, name))) await writeFileAtomic(join(to, name), [await readFile(join(folder, name))]);
}
