/** Saves models, and adapters of them, as GGUF files that llama.cpp loads. */
import { basename } from 'node:path';
import { refuseExisting, writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { float32ToBfloat16, float32ToFloat16 } from '../../base/float16.ts';
import type { HfModel } from '../hf/config.ts';
import { type LoraConfig, type LoraSite, loraShape, loraTensorName } from '../peft.ts';
import type { WeightSource } from '../weightSource.ts';
import { encodeGgufHeader, type GgufEntries, type GgufOutput, paddingAfter, type WritableType } from './encode.ts';
import { architectureOf, ggufSizes } from './exportMetadata.ts';
import { ggufName, inStoredOrder, storedAs } from './weights.ts';

/** Numbers of what most tensors are stored as, under `general.file_type`. */
const fileTypes: Readonly<Record<WritableType, number>> = { float32: 0, float16: 1, bfloat16: 32 };

/** Tensors with two sizes that llama.cpp takes in float32 alone. */
const alwaysWhole = ['position_embd.weight'];

interface Tensor extends GgufOutput {
  readonly read: () => Promise<Float32Array>;
}

/**
 * @param path must not exist yet; the file takes its name when it is whole
 * @param source every tensor of the model, as `pretrainedWeights` gives them; read one at a time
 * @param type of matrices; vectors are in float32
 * @param tokenizer its entries; null for a file without one
 * @throws {ProxmoError} `file` if the file exists or cannot be written, `config` if llama.cpp has no such model
 */
export async function saveGguf(
  path: string,
  model: HfModel,
  source: WeightSource,
  type: WritableType,
  tokenizer: GgufEntries | null,
): Promise<void> {
  await refuseExisting(path, 'model');
  const architecture = architectureOf[model.family];
  const { entries, tables } = ggufSizes(model);
  const { heads, kvHeads } = model.transformer;
  const weights = source.names().map((name): Tensor => {
    const shape = source.shape(name);
    const stored = storedAs(name, shape, architecture, { heads, kvHeads });
    const fileName = ggufName(name, architecture)!;
    return {
      name: fileName,
      shape: stored.order === 'transposed' ? shape.toReversed() : shape,
      type: shape.length < 2 || alwaysWhole.includes(fileName) ? 'float32' : type,
      read: async () => inStoredOrder(stored, await source.read(name)),
    };
  });
  const inConfiguration = [...tables].map(
    ([name, values]): Tensor => ({ name, shape: [values.length], type: 'float32', read: async () => values }),
  );
  await write(
    path,
    new Map([
      ...entries,
      ['general.type', { kind: 'text', value: 'model' }],
      ['general.name', { kind: 'text', value: basename(path, '.gguf') }],
      ['general.file_type', { kind: 'uint32', value: fileTypes[type] }],
      ...(tokenizer ?? [['tokenizer.ggml.model', { kind: 'text', value: 'none' }] as const]),
    ]),
    [...inConfiguration, ...weights],
  );
}

/**
 * Checks that llama.cpp can apply adapters of such a form to their base.
 * @throws {ProxmoError} `config` if it cannot
 */
export function checkGgufAdapter(
  { transformer }: Pick<HfModel, 'transformer'>,
  config: LoraConfig,
  sites: readonly LoraSite[],
): void {
  const [whole] = config.modulesToSave ?? [];
  const unfit = sites.find(
    ({ isEmbedding, parameter }) => isEmbedding || (parameter === 'head' && transformer.tiedHead),
  );
  const what = whole === undefined ? unfit && `an adapter of ${unfit.module}` : `${whole}, trained as a whole`;
  if (what !== undefined)
    throw new ProxmoError(
      'config',
      `A GGUF file of adapters cannot hold ${what}; save the merged model with --merge --gguf, or the adapters as a PEFT folder.`,
    );
}

/**
 * Saves adapters alone. llama.cpp multiplies each by the file's alpha over its rank; where a projection has a factor of
 * its own, B holds the rest of it.
 * @param source the adapters' tensors under PEFT's names
 * @throws {ProxmoError} `file` as `saveGguf`
 */
export async function saveGgufAdapter(
  path: string,
  { family, transformer }: HfModel,
  sites: readonly LoraSite[],
  alpha: number,
  source: WeightSource,
): Promise<void> {
  await refuseExisting(path, 'adapter');
  const architecture = architectureOf[family];
  const { heads, kvHeads } = transformer;
  const tensors = sites.flatMap((site): Tensor[] => {
    const base = `${site.module}.weight`;
    const name = ggufName(base, architecture)!;
    const stored = storedAs(base, loraShape(site, 'B'), architecture, { heads, kvHeads });
    // A transposed base has its adapters as they are: PEFT's are those of [out, in].
    const rows = typeof stored.order === 'object' ? stored : { ...stored, order: 'same' as const };
    const rest = (site.factor * site.rank) / alpha;
    return [
      {
        name: `${name}.lora_a`,
        shape: loraShape(site, 'A'),
        type: 'float32',
        read: () => source.read(loraTensorName(site, 'A')),
      },
      {
        name: `${name}.lora_b`,
        shape: loraShape(site, 'B'),
        type: 'float32',
        read: async () => {
          const values = inStoredOrder(rows, await source.read(loraTensorName(site, 'B')));
          return rest === 1 ? values : values.map((value) => value * rest);
        },
      },
    ];
  });
  await write(
    path,
    new Map([
      ['general.architecture', { kind: 'text', value: architecture }],
      ['general.type', { kind: 'text', value: 'adapter' }],
      ['general.name', { kind: 'text', value: basename(path, '.gguf') }],
      ['adapter.type', { kind: 'text', value: 'lora' }],
      ['adapter.lora.alpha', { kind: 'float32', value: alpha }],
    ]),
    tensors,
  );
}

async function write(path: string, entries: GgufEntries, tensors: readonly Tensor[]): Promise<void> {
  const header = encodeGgufHeader(entries, tensors);
  async function* pieces() {
    yield header;
    for (const { type, read } of tensors) {
      const bytes = bytesOf(await read(), type);
      yield bytes;
      yield new Uint8Array(paddingAfter(bytes.length));
    }
  }
  await writeFileAtomic(path, pieces());
}

function bytesOf(values: Float32Array, type: WritableType): Uint8Array {
  const stored =
    type === 'float32' ? values : type === 'float16' ? float32ToFloat16(values) : float32ToBfloat16(values);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
