/**
 * A model's folder as Hugging Face keeps it: config.json, and weights in model.safetensors, or else in shards that
 * model.safetensors.index.json lists. Opening reads the configuration and the headers; a tensor is read when it is
 * asked for.
 */
import { join } from 'node:path';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { parseFetchedJson } from '../../base/fetchedJson.ts';
import { SafetensorsFile } from '../../base/safetensors.node.ts';
import type { SafetensorsEntry } from '../../base/safetensors.ts';
import { readTextOrNull } from '../../base/wholeFile.node.ts';
import { parseShardIndex } from '../shardIndex.ts';
import type { WeightSource } from '../weightSource.ts';
import { type HfModel, parseHfConfig } from './config.ts';
import { refuseOtherFolder, refuseOtherWeights } from './otherFiles.node.ts';

const weightsFile = 'model.safetensors';
const indexFile = `${weightsFile}.index.json`;

/**
 * An open checkpoint. Close it when done.
 * @example
 * const checkpoint = await HfCheckpoint.open('models/Qwen2.5-0.5B-Instruct');
 */
export class HfCheckpoint implements WeightSource {
  private constructor(
    readonly dir: string,
    readonly model: HfModel,
    private readonly files: ReadonlyMap<string, SafetensorsFile>,
    /** The file of each tensor. */
    private readonly fileOf: ReadonlyMap<string, SafetensorsFile>,
  ) {}

  /**
   * @throws {ProxmoError} `file` if a file is missing or damaged, `config` if the configuration is not one that is
   * known
   */
  static async open(dir: string): Promise<HfCheckpoint> {
    const model = await readHfModel(dir);
    // A whole file goes before an index, as in transformers: the index may be left from an older, sharded save.
    const index = (await exists(join(dir, weightsFile))) ? null : await readTextOrNull(join(dir, indexFile));
    const files = new Map<string, SafetensorsFile>();
    try {
      if (index === null) {
        await refuseOtherWeights(dir);
        const file = await SafetensorsFile.open(join(dir, weightsFile));
        files.set(weightsFile, file);
        return new HfCheckpoint(dir, model, files, new Map([...file.entries.keys()].map((name) => [name, file])));
      }
      return new HfCheckpoint(dir, model, files, await openShards(dir, index, files));
    } catch (error) {
      for (const file of files.values()) await file.close();
      throw error;
    }
  }

  names(): readonly string[] {
    return [...this.fileOf.keys()];
  }

  shape(name: string): readonly number[] {
    return this.entry(name).shape;
  }

  /** Where and how a tensor is stored. */
  entry(name: string): SafetensorsEntry {
    const entry = this.fileOf.get(name)?.entries.get(name);
    if (!entry)
      throw new ProxmoError('file', `${this.dir} has no tensor "${name}"; it holds ${this.fileOf.size} others.`);
    return entry;
  }

  async read(name: string): Promise<Float32Array> {
    this.entry(name);
    return this.fileOf.get(name)!.readFloat32(name);
  }

  /** Gives its files back. */
  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close();
  }
}

/**
 * The model that a folder's config.json describes.
 * @throws {ProxmoError} `file` if it cannot be read, `config` if it is not one that is known
 */
export async function readHfModel(dir: string): Promise<HfModel> {
  const path = join(dir, 'config.json');
  const text = await readTextOrNull(path);
  if (text === null) {
    await refuseOtherFolder(dir);
    throw new ProxmoError('file', `${path} does not exist; give the folder of a Hugging Face model.`);
  }
  return parseHfConfig(parseFetchedJson(text, path), path);
}

/** Opens each shard once, into `files`, and finds every tensor of the index in its shard. */
async function openShards(
  dir: string,
  index: string,
  files: Map<string, SafetensorsFile>,
): Promise<Map<string, SafetensorsFile>> {
  const fileOf = new Map<string, SafetensorsFile>();
  for (const [name, shard] of parseShardIndex(index, join(dir, indexFile))) {
    const file = files.get(shard) ?? (await SafetensorsFile.open(join(dir, shard)));
    files.set(shard, file);
    if (!file.entries.has(name)) {
      throw new ProxmoError(
        'file',
        `${join(dir, indexFile)} has the tensor "${name}" in ${shard}, which does not hold it; fetch both again.`,
      );
    }
    fileOf.set(name, file);
  }
  for (const [shard, file] of files) {
    const unlisted = [...file.entries.keys()].find((name) => fileOf.get(name) !== file);
    if (unlisted === undefined) continue;
    throw new ProxmoError(
      'file',
      `${join(dir, shard)} holds the tensor "${unlisted}", which the index does not list there; fetch both again.`,
    );
  }
  return fileOf;
}
