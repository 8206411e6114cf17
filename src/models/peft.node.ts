/** Adapters as folders that PEFT loads and saves: adapter_config.json and adapter_model.safetensors. */
import { join } from 'node:path';
import { exists, writeFileAtomic, writeFolderAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { parseFetchedJson } from '../base/fetchedJson.ts';
import { SafetensorsFile, streamSafetensors } from '../base/safetensors.node.ts';
import { textOfFile } from '../base/wholeFile.node.ts';
import { namesAsSaved } from './adapterTensors.ts';
import type { HfModel } from './hf/config.ts';
import { adapterConfig, type LoraConfig, parseAdapterConfig } from './peft.ts';
import { digestOfFiles } from './pretrained.node.ts';
import type { WeightSource } from './weightSource.ts';

const configFile = 'adapter_config.json';
const weightsFile = 'adapter_model.safetensors';

/**
 * An adapter's folder: its configuration, and its tensors as a source under PEFT's names. Close it when done.
 * @example
 * const adapter = await AdapterFolder.open('adapters');
 */
export class AdapterFolder implements WeightSource {
  private constructor(
    readonly dir: string,
    readonly config: LoraConfig,
    /** Name or folder of the model that it was made for, as its configuration says; null where it does not. */
    readonly baseModel: string | null,
    private readonly file: SafetensorsFile,
    /** The file's names, by those that PEFT saves. */
    private readonly given: ReadonlyMap<string, string>,
  ) {}

  /** @throws {ProxmoError} `file` if a file is missing or damaged, `config` as `parseAdapterConfig` */
  static async open(dir: string): Promise<AdapterFolder> {
    const path = join(dir, configFile);
    const text = await textOfFile(path, 'give the folder of an adapter that PEFT or this program saved');
    await refusePickled(dir);
    const json = parseFetchedJson(text, path);
    const config = parseAdapterConfig(json, path);
    const { base_model_name_or_path: base } = json as Readonly<Record<string, unknown>>;
    const file = await SafetensorsFile.open(join(dir, weightsFile));
    try {
      return new AdapterFolder(
        dir,
        config,
        typeof base === 'string' ? base : null,
        file,
        namesAsSaved(file.entries.keys(), dir),
      );
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  names(): readonly string[] {
    return [...this.given.keys()];
  }

  shape(name: string): readonly number[] {
    return this.file.entries.get(this.givenName(name))!.shape;
  }

  async read(name: string): Promise<Float32Array> {
    return this.file.readFloat32(this.givenName(name));
  }

  /** Gives its files back. */
  async close(): Promise<void> {
    await this.file.close();
  }

  private givenName(name: string): string {
    const given = this.given.get(name);
    if (given === undefined)
      throw new ProxmoError('file', `${this.dir} has no tensor "${name}"; it holds ${this.given.size} others.`);
    return given;
  }
}

/** @throws {ProxmoError} `file` if an adapter's weights are there in the older form alone */
async function refusePickled(dir: string): Promise<void> {
  const older = 'adapter_model.bin';
  if ((await exists(join(dir, weightsFile))) || !(await exists(join(dir, older)))) return;
  throw new ProxmoError(
    'file',
    `${dir} has its weights in ${older}, PyTorch's pickle form, which can run code when it is read; save them as ` +
      'safetensors, in Python with PeftModel.save_pretrained("NEW").',
  );
}

/** A SHA-256 of an adapter's files, as hexadecimal digits. @throws {ProxmoError} `file` if one cannot be read */
export function digestOfAdapter(dir: string): Promise<string> {
  return digestOfFiles(dir, [configFile, weightsFile]);
}

/**
 * @param dir must not exist yet; it is made under a temporary name and renamed when it is whole
 * @param source the adapter's tensors under PEFT's names, as `adapterWeights` gives them
 * @param baseModel name or folder of the model that the adapter belongs to
 * @throws {ProxmoError} `file` if the folder exists or cannot be written
 */
export async function saveAdapter(
  dir: string,
  model: Pick<HfModel, 'family' | 'transformer'>,
  config: LoraConfig,
  source: WeightSource,
  baseModel: string,
  card?: string,
): Promise<void> {
  await writeFolderAtomic(dir, 'adapter', async (folder) => {
    await writeFileAtomic(join(folder, configFile), [
      `${JSON.stringify(adapterConfig(model, config, baseModel), null, 2)}\n`,
    ]);
    const layouts = source.names().map((name) => ({ name, dtype: 'F32' as const, shape: source.shape(name) }));
    await streamSafetensors(join(folder, weightsFile), layouts, ({ name }) => source.read(name), { format: 'pt' });
    if (card !== undefined) await writeFileAtomic(join(folder, 'README.md'), [card]);
  });
}
