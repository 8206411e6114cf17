/** A pretrained model on disk, in whichever form: a folder as Hugging Face keeps it, or a GGUF file. */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ProxmoError } from '../base/errors.ts';
import { parseFetchedJson } from '../base/fetchedJson.ts';
import { systemReason } from '../base/systemErrors.node.ts';
import { digestOfFile, readTextOrNull } from '../base/wholeFile.node.ts';
import type { HfTokenizer } from '../text/hf/hfTokenizer.ts';
import { loadHfTokenizer, readTokenizerFiles } from '../text/hf/loadHfTokenizer.node.ts';
import type { GgufEntries } from './gguf/encode.ts';
import { copiedTokenizerEntries, tokenizerEntries } from './gguf/exportTokenizer.ts';
import { openGguf } from './gguf/ggufFile.node.ts';
import { openGgufParts } from './gguf/ggufParts.node.ts';
import { ggufSampling } from './gguf/sampling.ts';
import { HfCheckpoint } from './hf/checkpoint.node.ts';
import { type HfModel, parseHfConfig } from './hf/config.ts';
import type { Companions } from './hf/save.node.ts';
import { describingFiles } from './modelFiles.ts';
import { type ModelSampling, samplingOfConfig } from './sampling.ts';
import type { WeightSource } from './weightSource.ts';

/** An open model. Close it when its weights are read. */
export interface PretrainedModel {
  readonly path: string;
  /** The folder that it is, or that its files lie in. */
  readonly folder: string;
  readonly isGguf: boolean;
  readonly model: HfModel;
  readonly weights: WeightSource;
  /**
   * How a tensor is stored: the name of its type, and the bytes it takes.
   * @throws {ProxmoError} `file` if there is none of that name
   */
  storage(name: string): { readonly type: string; readonly bytes: number };
  /** @throws {ProxmoError} `file` if there is no tokenizer, or it is of a kind that is not supported */
  loadTokenizer(): Promise<HfTokenizer>;
  /**
   * The tokenizer as the metadata of a GGUF file.
   * @throws {ProxmoError} as `loadTokenizer`; `config` if it is of a kind that has no GGUF form
   */
  ggufTokenizer(): Promise<GgufEntries>;
  /** How its makers sample. @throws {ProxmoError} `file` if their settings are not what they should be */
  loadSampling(): Promise<ModelSampling>;
  /** What a copy of it needs besides configuration and weights. @throws {ProxmoError} as `loadTokenizer` */
  companions(): Companions;
  /** Gives its files back. */
  close(): Promise<void>;
}

/** @throws {ProxmoError} `file` if there is no model or it is damaged, `config` if it is of a kind that is not known */
export async function openPretrained(path: string): Promise<PretrainedModel> {
  if (await isFolder(path)) {
    const checkpoint = await HfCheckpoint.open(path);
    return {
      path,
      folder: path,
      isGguf: false,
      model: checkpoint.model,
      weights: checkpoint,
      storage: (name) => {
        const { dtype, byteLength } = checkpoint.entry(name);
        return { type: dtype, bytes: byteLength };
      },
      loadTokenizer: () => loadHfTokenizer(path),
      ggufTokenizer: async () =>
        tokenizerEntries(await readTokenizerFiles(path), checkpoint.model.transformer.vocabSize, path),
      loadSampling: () => folderSampling(path),
      companions: () => ({ folder: path }),
      close: () => checkpoint.close(),
    };
  }
  const file = await openGguf(path);
  return {
    path,
    folder: dirname(path),
    isGguf: true,
    model: parseHfConfig(file.config, path),
    weights: file,
    storage: (name) => ({ type: file.typeOf(name), bytes: file.byteLengthOf(name) }),
    loadTokenizer: async () => file.tokenizer(),
    ggufTokenizer: async () => copiedTokenizerEntries(file.metadata),
    loadSampling: async () => ggufSampling(file.metadata),
    companions: () => ({ texts: file.tokenizerTexts() }),
    close: () => file.close(),
  };
}

async function folderSampling(folder: string): Promise<ModelSampling> {
  const path = join(folder, 'generation_config.json');
  const text = await readTextOrNull(path);
  return samplingOfConfig(text === null ? undefined : parseFetchedJson(text, path), path);
}

const isModelFile = (name: string) => describingFiles.includes(name) || /\.safetensors(\.index\.json)?$/.test(name);

/**
 * A SHA-256 of a model's files and their names, as hexadecimal digits. Reads all of them.
 * @throws {ProxmoError} `file` if one cannot be read
 */
export async function digestOfModel(path: string): Promise<string> {
  if (await isFolder(path)) return digestOfFiles(path, (await readdir(path)).filter(isModelFile));
  const { paths, close } = await openGgufParts(path);
  await close();
  return paths.length === 1
    ? (await digestOfFile(path)).sha256
    : digestOfFiles(
        dirname(path),
        paths.map((part) => basename(part)),
      );
}

/**
 * A SHA-256 of some files of a folder and their names, as hexadecimal digits.
 * @throws {ProxmoError} `file` if one cannot be read
 */
export async function digestOfFiles(folder: string, names: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [...names].sort()) hash.update(`${name} ${(await digestOfFile(join(folder, name))).sha256}\n`);
  return hash.digest('hex');
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ProxmoError(
      'file',
      `${path} cannot be opened: ${systemReason(cause)}; give the folder of a Hugging Face model, or a GGUF file.`,
      {
        cause,
      },
    );
  });
  return found.isDirectory();
}
