/**
 * GGUF files on disk: a model in one file, weights, configuration and tokenizer, read one tensor at a time. The header
 * is checked by `layout.ts` first; `@huggingface/gguf` then reads the metadata's values.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { ProxmoError } from '../../base/errors.ts';
import { refuseLfsPointer } from '../../base/lfsPointer.ts';
import { HfTokenizer } from '../../text/hf/hfTokenizer.ts';
import type { WeightSource } from '../weightSource.ts';
import { type GgufFamily, ggufConfig, readFamily } from './config.ts';
import { type GgufLayout, type GgufTensor, maxHeaderBytes, scanGguf } from './layout.ts';
import { GgufMetadata } from './metadata.ts';
import { dequantize, readableTypes } from './quants.ts';
import { ggufTokenizerFiles } from './tokenizer.ts';
import { type GgufWeight, ggufWeights, reorder, ropeFactorsName } from './weights.ts';

/** Bytes of the header that are read at first; twice as many while it goes on. */
const firstHeaderBytes = 1 << 20;

/** Bytes of a tensor that are widened at once, at most. */
const chunkBytes = 1 << 22;

/** An open file. Close it when done. */
export class GgufFile implements WeightSource {
  /** The configuration in the fields of Hugging Face's `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: GgufMetadata;
  readonly #weights: ReadonlyMap<string, GgufWeight>;

  private constructor(
    readonly path: string,
    readonly family: GgufFamily,
    private readonly handle: FileHandle,
    parts: {
      readonly config: Readonly<Record<string, unknown>>;
      readonly metadata: GgufMetadata;
      readonly weights: ReadonlyMap<string, GgufWeight>;
    },
  ) {
    this.config = parts.config;
    this.metadata = parts.metadata;
    this.#weights = parts.weights;
  }

  /**
   * Opens a file and checks its header.
   * @throws {ProxmoError} `file` if it is missing, damaged or no GGUF file; `config` if its model is of a family or
   * kind that is not supported.
   */
  static async open(path: string): Promise<GgufFile> {
    const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be opened (${cause.code})`;
      throw new ProxmoError('file', `${path} ${reason}; give the path of a GGUF file.`, { cause });
    });
    try {
      const { bytes, layout } = await readLayout(handle, path);
      const metadata = await readMetadata(path, bytes, layout);
      const family = readFamily(metadata, path);
      const { tensors } = layout;
      const embedding = tensors.get('token_embd.weight');
      if (!embedding)
        throw new ProxmoError('file', `${path} has no tensor "token_embd.weight"; it holds no language model.`);
      const table = tensors.get(ropeFactorsName);
      const ropeFactors = table ? await readTensor(handle, table, path) : null;
      const facts = { vocabSize: embedding.dimensions[1] ?? 1, has: (name: string) => tensors.has(name), ropeFactors };
      const config = ggufConfig(family, metadata, facts, path);
      const heads = Number(config.num_attention_heads ?? config.n_head);
      const weights = ggufWeights(
        tensors.values(),
        family,
        { heads, kvHeads: Number(config.num_key_value_heads ?? heads) },
        path,
      );
      return new GgufFile(path, family, handle, { config, metadata, weights });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  names(): readonly string[] {
    return [...this.#weights.keys()];
  }

  shape(name: string): readonly number[] {
    return this.#weight(name).shape;
  }

  /** How a tensor is stored, such as `Q4_K`. @throws {ProxmoError} `file` if there is none of that name. */
  typeOf(name: string): string {
    return this.#weight(name).tensor.type.name;
  }

  async read(name: string): Promise<Float32Array> {
    const weight = this.#weight(name);
    return reorder(weight, await readTensor(this.handle, weight.tensor, this.path));
  }

  /** The model's tokenizer. @throws {ProxmoError} `file` if there is none, or it is of a kind that is not supported. */
  tokenizer(): HfTokenizer {
    return new HfTokenizer({ ...ggufTokenizerFiles(this.metadata, this.path), modelConfig: this.config }, this.path);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  #weight(name: string): GgufWeight {
    const weight = this.#weights.get(name);
    if (!weight)
      throw new ProxmoError('file', `${this.path} has no tensor "${name}"; it holds ${this.#weights.size} others.`);
    return weight;
  }
}

/** Opens a GGUF file. @throws {ProxmoError} as `GgufFile.open`. */
export function openGguf(path: string): Promise<GgufFile> {
  return GgufFile.open(path);
}

/** The header's bytes, as many as it took, and its layout. */
async function readLayout(handle: FileHandle, path: string): Promise<{ bytes: Uint8Array; layout: GgufLayout }> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new ProxmoError('file', `${path} is not a file; give the path of a GGUF file.`);
  for (let length = firstHeaderBytes; ; length *= 2) {
    const bytes = await readAt(handle, 0, Math.min(length, stat.size, 2 * maxHeaderBytes), path);
    refuseLfsPointer(bytes, path);
    const layout = scanGguf(bytes, stat.size, path);
    if (layout) return { bytes, layout };
  }
}

/**
 * The metadata's values. The library reads a file in windows of 2 MB and cuts the last text of a value short where a
 * window ends within it; so these are taken from the header's bytes.
 */
async function readMetadata(path: string, bytes: Uint8Array, { lastTexts }: GgufLayout): Promise<GgufMetadata> {
  // A path like `https://…` would be fetched; a resolved path is always of this machine.
  const { metadata } = await gguf(resolve(path), { allowLocalFile: true }).catch((cause: Error) => {
    throw new ProxmoError(
      'file',
      `${path} has metadata that cannot be read (${cause.message}); convert the model again.`,
      { cause },
    );
  });
  const values = new Map<string, unknown>(Object.entries(metadata));
  for (const [key, { offset, length }] of lastTexts) {
    const text = new TextDecoder().decode(bytes.subarray(offset, offset + length));
    const value = values.get(key);
    values.set(key, Array.isArray(value) ? [...value.slice(0, -1), text] : text);
  }
  return new GgufMetadata(values, path);
}

/**
 * A tensor's values in the order of the file, widened piece by piece, so that it takes little more memory than they do.
 */
async function readTensor(
  handle: FileHandle,
  { name, dimensions, type, byteOffset, byteLength }: GgufTensor,
  path: string,
): Promise<Float32Array> {
  if (!readableTypes.includes(type.name)) {
    throw new ProxmoError(
      'file',
      `${path} has the tensor "${name}" in ${type.name}, which is not supported; use a file with these: ${readableTypes.join(', ')}.`,
    );
  }
  const values = allocate(
    dimensions.reduce((product, size) => product * size, 1),
    path,
  );
  const step = Math.floor(chunkBytes / type.blockBytes) * type.blockBytes;
  const valuesOf = (bytes: number) => (bytes / type.blockBytes) * type.blockValues;
  for (let done = 0; done < byteLength; done += step) {
    const bytes = await readAt(handle, byteOffset + done, Math.min(step, byteLength - done), path);
    dequantize(type, bytes, values.subarray(valuesOf(done), valuesOf(done + bytes.length)));
  }
  return values;
}

function allocate(length: number, path: string): Float32Array {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new ProxmoError(
      'file',
      `${path}: no memory for a tensor of ${length} values; use a machine with more, or a smaller model.`,
      {
        cause,
      },
    );
  }
}

/** `length` bytes from `position`, in a buffer of their own. */
async function readAt(handle: FileHandle, position: number, length: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0)
      throw new ProxmoError('file', `${path} ends at byte ${position + done}; it was cut short while in use.`);
    done += bytesRead;
  }
  return bytes;
}
