/** GGUF files by hand, also wrong ones: every piece is the bytes that stand in the file. */

export const u16 = (value: number) => new Uint8Array(Uint16Array.of(value).buffer);
export const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
export const u64 = (value: number | bigint) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);

/** Bytes one after the other. */
export const join = (...pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));

/** A text: its length and its bytes. */
export function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return join(u64(bytes.length), bytes);
}

/** Metadata: key, type and value. */
export const keyValue = (key: string, type: number, value: Uint8Array) => join(text(key), u32(type), value);

/** The value of an array. */
export const arrayOf = (type: number, items: readonly Uint8Array[], count: number | bigint = items.length) =>
  join(u32(type), u64(count), ...items);

/** A tensor's entry in the header. */
export const tensorInfo = (
  name: string,
  dimensions: readonly (number | bigint)[],
  type: number,
  offset: number | bigint,
) => join(text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset));

export interface GgufPieces {
  readonly magic?: string;
  readonly version?: number;
  readonly keys?: readonly Uint8Array[];
  readonly keyCount?: number | bigint;
  readonly tensors?: readonly Uint8Array[];
  readonly tensorCount?: number | bigint;
  readonly dataBytes?: number;
}

/** A file: the header padded to 32 bytes, and data. */
export function ggufBytes({
  magic = 'GGUF',
  version = 3,
  keys = [],
  keyCount,
  tensors = [],
  tensorCount,
  dataBytes = 0,
}: GgufPieces): Uint8Array {
  const counts = [u64(tensorCount ?? tensors.length), u64(keyCount ?? keys.length)];
  const header = join(new TextEncoder().encode(magic), u32(version), ...counts, ...keys, ...tensors);
  return join(header, new Uint8Array((32 - (header.length % 32)) % 32), new Uint8Array(dataBytes));
}

/**
 * A Qwen3 in one file: its sizes from a Hugging Face configuration, its tensors in float32.
 * @param tensors by Hugging Face's names
 */
export function ggufOfQwen3(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): Uint8Array {
  const parts: readonly (readonly [RegExp, string])[] = [
    [/^model\.layers\./, 'blk.'],
    [/^model\.embed_tokens/, 'token_embd'],
    [/^model\.norm/, 'output_norm'],
    [/^lm_head/, 'output'],
    [/self_attn\.([qkv])_proj/, 'attn_$1'],
    [/self_attn\.([qk])_norm/, 'attn_$1_norm'],
    [/self_attn\.o_proj/, 'attn_output'],
    [/input_layernorm/, 'attn_norm'],
    [/post_attention_layernorm/, 'ffn_norm'],
    [/mlp\.(gate|up|down)_proj/, 'ffn_$1'],
  ];
  let offset = 0;
  const infos = [...tensors].map(([name, { shape, data }]) => {
    const ggufName = parts.reduce((result, [from, to]) => result.replace(from, to), name);
    const info = tensorInfo(ggufName, shape.toReversed(), 0, offset);
    offset += Math.ceil(data.byteLength / 32) * 32;
    return info;
  });
  const counts = {
    context_length: 'max_position_embeddings',
    embedding_length: 'hidden_size',
    block_count: 'num_hidden_layers',
    feed_forward_length: 'intermediate_size',
    'attention.head_count': 'num_attention_heads',
    'attention.head_count_kv': 'num_key_value_heads',
    'attention.key_length': 'head_dim',
  };
  const float = (value: number) => new Uint8Array(Float32Array.of(value).buffer);
  const rope = config.rope_parameters as { readonly factor: number; readonly rope_theta: number };
  const header = ggufBytes({
    keys: [
      keyValue('general.architecture', 8, text('qwen3')),
      ...Object.entries(counts).map(([key, field]) => keyValue(`qwen3.${key}`, 4, u32(Number(config[field])))),
      keyValue('qwen3.attention.layer_norm_rms_epsilon', 6, float(Number(config.rms_norm_eps))),
      keyValue('qwen3.rope.freq_base', 6, float(rope.rope_theta)),
      keyValue('qwen3.rope.scaling.factor', 6, float(rope.factor)),
    ],
    tensors: infos,
  });
  const data = [...tensors.values()].map(({ data: values }) => {
    const padded = new Uint8Array(Math.ceil(values.byteLength / 32) * 32);
    padded.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return padded;
  });
  return join(header, ...data);
}
