/**
 * GGUF files on disk: a model in one file or a few, weights, configuration and tokenizer, read one tensor at a time.
 */
import { ProxmoError } from '../../base/errors.ts';
import { HfTokenizer } from '../../text/hf/hfTokenizer.ts';
import type { PackedBlocks, WeightSource } from '../weightSource.ts';
import { type GgufFamily, ggufConfig, readFamily } from './config.ts';
import { type GgufParts, type LocatedTensor, openGgufParts, readAt } from './ggufParts.node.ts';
import type { GgufMetadata } from './metadata.ts';
import { dequantize, readableTypes } from './quants.ts';
import { ggufTokenizerFiles, ggufTokenizerTexts } from './tokenizer.ts';
import { type GgufWeight, ggufWeights, longFactorsNames, reorder, reorderRows, ropeFactorsName } from './weights.ts';

/** Bytes of a tensor that are widened at once, at most. */
const chunkBytes = 1 << 22;

/**
 * An open model. Close it when done.
 * @example
 * const file = await GgufFile.open('model.gguf');
 */
export class GgufFile implements WeightSource {
  /** The configuration in the fields of Hugging Face's `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly #parts: GgufParts;
  readonly #weights: ReadonlyMap<string, GgufWeight>;

  private constructor(
    readonly family: GgufFamily,
    parts: GgufParts,
    config: Readonly<Record<string, unknown>>,
    weights: ReadonlyMap<string, GgufWeight>,
  ) {
    this.#parts = parts;
    this.config = config;
    this.#weights = weights;
  }

  /**
   * Opens a file, with its other parts where it is one of several, and checks the headers.
   * @throws {ProxmoError} `file` if one is missing, damaged or no GGUF file, or a tensor is of a type that is not
   * supported; `config` if its model is of a family or kind that is not supported.
   */
  static async open(path: string): Promise<GgufFile> {
    const parts = await openGgufParts(path);
    try {
      const { metadata, tensors } = parts;
      const family = readFamily(metadata, path);
      for (const located of tensors.values()) refuseUnreadable(located);
      const embedding = tensors.get('token_embd.weight');
      if (!embedding)
        throw new ProxmoError('file', `${path} has no tensor "token_embd.weight"; it holds no language model.`);
      const table = tensors.get(ropeFactorsName);
      const [short, long] = longFactorsNames.map((name) => tensors.get(name));
      const facts = {
        vocabSize: embedding.tensor.dimensions[1] ?? 1,
        has: (name: string) => tensors.has(name),
        ropeFactors: table ? await readTensor(table) : null,
        longFactors: short && long ? { short: await readTensor(short), long: await readTensor(long) } : null,
      };
      const config = ggufConfig(family, metadata, facts, path);
      const heads = Number(config.num_attention_heads ?? config.n_head);
      const weights = ggufWeights(
        [...tensors.values()].map(({ tensor }) => tensor),
        family,
        { heads, kvHeads: Number(config.num_key_value_heads ?? heads) },
        path,
      );
      return new GgufFile(family, parts, config, weights);
    } catch (error) {
      await parts.close();
      throw error;
    }
  }

  /** The first file. */
  get path(): string {
    return this.paths[0]!;
  }

  /** All files of the model. */
  get paths(): readonly string[] {
    return this.#parts.paths;
  }

  get metadata(): GgufMetadata {
    return this.#parts.metadata;
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

  /** Bytes that a tensor takes in its file. @throws {ProxmoError} as `typeOf`. */
  byteLengthOf(name: string): number {
    return this.#weight(name).tensor.byteLength;
  }

  async read(name: string): Promise<Float32Array> {
    const weight = this.#weight(name);
    return reorder(weight, await readTensor(this.#parts.tensors.get(weight.tensor.name)!));
  }

  blocks(name: string): PackedBlocks | null {
    const weight = this.#weight(name);
    const { name: own, type, dimensions, byteOffset, byteLength } = weight.tensor;
    if (type.blockValues === 1 || dimensions.length !== 2) return null;
    const { handle, path } = this.#parts.tensors.get(own)!;
    const read = async () => reorderRows(weight, await readAt(handle, byteOffset, byteLength, path));
    return { type: type.name, columns: dimensions[0]!, read };
  }

  /** The model's tokenizer. @throws {ProxmoError} `file` if there is none, or it is of a kind that is not supported. */
  tokenizer(): HfTokenizer {
    return new HfTokenizer({ ...ggufTokenizerFiles(this.metadata, this.path), modelConfig: this.config }, this.path);
  }

  /** The tokenizer as the files of a Hugging Face folder, by name. @throws {ProxmoError} as `tokenizer` */
  tokenizerTexts(): Readonly<Record<string, string>> {
    return ggufTokenizerTexts(this.metadata, this.path);
  }

  /** Gives its files back. */
  async close(): Promise<void> {
    await this.#parts.close();
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

/** @throws {ProxmoError} `file` if a tensor is of a type that cannot be widened */
function refuseUnreadable({ tensor: { name, type }, path }: LocatedTensor): void {
  if (readableTypes.includes(type.name)) return;
  throw new ProxmoError(
    'file',
    `${path} has the tensor "${name}" in ${type.name}, which is not supported; use a file with these: ${readableTypes.join(', ')}.`,
  );
}

/**
 * A tensor's values in the order of the file, widened piece by piece, so that it takes little more memory than they do.
 */
async function readTensor({ tensor, handle, path }: LocatedTensor): Promise<Float32Array> {
  const { dimensions, type, byteOffset, byteLength } = tensor;
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
