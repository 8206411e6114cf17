/**
 * The tensors of a GGUF file under Hugging Face's names, in its shapes and orders. A GGUF lists sizes the other way
 * round. For the Llama family it has the rows of queries and keys in another order, so that the two halves of a
 * rotation adjoin; for GPT-2 it has matrices as `[out, in]`, where Hugging Face has `[in, out]`.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { GgufFamily } from './config.ts';
import type { GgufTensor } from './layout.ts';

/** A tensor and how to put its values in Hugging Face's order. */
export interface GgufWeight {
  readonly name: string;
  readonly tensor: GgufTensor;
  /** As Hugging Face has it. */
  readonly shape: readonly number[];
  readonly order: 'same' | 'transposed' | { readonly headsOfRows: number };
}

/** Heads of queries, and of keys and values. */
export interface HeadCounts {
  readonly heads: number;
  readonly kvHeads: number;
}

const llamaParts: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

const gpt2Parts: Readonly<Record<string, string>> = {
  attn_norm: 'ln_1',
  attn_qkv: 'attn.c_attn',
  attn_output: 'attn.c_proj',
  ffn_norm: 'ln_2',
  ffn_up: 'mlp.c_fc',
  ffn_down: 'mlp.c_proj',
};

const llamaOutside = { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head' };
const gpt2Outside = {
  token_embd: 'transformer.wte',
  position_embd: 'transformer.wpe',
  output_norm: 'transformer.ln_f',
  output: 'lm_head',
};

/** The table of rotary factors, which is part of the configuration and no weight. */
export const ropeFactorsName = 'rope_freqs.weight';

/**
 * @throws {ProxmoError} `file` if a tensor has no place in a model of the family, or its sizes do not fit the heads.
 */
export function ggufWeights(
  tensors: Iterable<GgufTensor>,
  family: GgufFamily,
  counts: HeadCounts,
  where: string,
): Map<string, GgufWeight> {
  const weights = new Map<string, GgufWeight>();
  for (const tensor of tensors) {
    if (tensor.name === ropeFactorsName) continue;
    const name = hfName(tensor.name, family);
    if (name === undefined) {
      throw new ProxmoError(
        'file',
        `${where} has a tensor "${tensor.name}" that a ${family} model has no place for; use another model.`,
      );
    }
    weights.set(name, weightOf(name, tensor, family, counts, where));
  }
  return weights;
}

/** Hugging Face's name of a tensor. */
function hfName(name: string, family: GgufFamily): string | undefined {
  const [, block, part, kind] = /^(?:blk\.(0|[1-9]\d{0,3})\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined || kind === undefined) return undefined;
  const isGpt2 = family === 'gpt2';
  const table: Readonly<Record<string, string>> =
    block === undefined ? (isGpt2 ? gpt2Outside : llamaOutside) : isGpt2 ? gpt2Parts : llamaParts;
  if (!Object.hasOwn(table, part)) return undefined;
  const layer = block === undefined ? '' : `${isGpt2 ? 'transformer.h' : 'model.layers'}.${block}.`;
  return `${layer}${table[part]}.${kind}`;
}

function weightOf(
  name: string,
  tensor: GgufTensor,
  family: GgufFamily,
  { heads, kvHeads }: HeadCounts,
  where: string,
): GgufWeight {
  const shape = tensor.dimensions.toReversed();
  const isMatrix = shape.length === 2 && name.endsWith('.weight');
  if (family === 'gpt2' && isMatrix && /^transformer\.h\./.test(name)) {
    return { name, tensor, shape: shape.toReversed(), order: 'transposed' };
  }
  const [, projection] = /\.self_attn\.([qk])_proj\./.exec(name) ?? [];
  if (family !== 'llama' || projection === undefined) return { name, tensor, shape, order: 'same' };
  const headsOfRows = projection === 'q' ? heads : kvHeads;
  if (shape[0]! % (2 * headsOfRows) !== 0) {
    throw new ProxmoError(
      'file',
      `${where} has a tensor "${tensor.name}" of ${shape[0]} rows, which are not ${headsOfRows} heads; convert the model again.`,
    );
  }
  return { name, tensor, shape, order: { headsOfRows } };
}

/** Values in Hugging Face's order. */
export function reorder(weight: GgufWeight, values: Float32Array): Float32Array {
  const { order, shape } = weight;
  if (order !== 'transposed') return reorderRows(weight, values);
  const result = new Float32Array(values.length);
  const [rows, columns] = shape as [number, number];
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[row * columns + column] = values[column * rows + row]!;
  return result;
}

/** Rows of the file in the order in which Hugging Face has them, or has them as columns. */
export function reorderRows<T extends Float32Array | Uint8Array>({ order, shape }: GgufWeight, values: T): T {
  if (order === 'same' || order === 'transposed') return values;
  const result = values.slice() as T;
  const headRows = shape[0]! / order.headsOfRows;
  const width = values.length / shape[0]!;
  for (let row = 0; row < shape[0]!; row++) {
    // Row 2i + j of a head in the file is row i of the head's half j.
    const inHead = row % headRows;
    const from = row - inHead + (inHead % (headRows / 2)) * 2 + Math.floor(inHead / (headRows / 2));
    result.set(values.subarray(from * width, (from + 1) * width), row * width);
  }
  return result;
}
