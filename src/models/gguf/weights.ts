/**
 * The tensors of a GGUF file under Hugging Face's names, in its shapes and orders. A GGUF lists sizes the other way
 * round. For the Llama family it has the rows of queries and keys in another order, so that the two halves of a
 * rotation adjoin. For GPT-2 it has matrices as `[out, in]`, where Hugging Face has `[in, out]`; for Gemma it has the
 * weights of norms as they multiply, where Hugging Face has them less 1.
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
  /** The file's values are Hugging Face's plus this. */
  readonly plus: number;
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

const phi3Parts: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_qkv: 'self_attn.qkv_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_up: 'mlp.gate_up_proj',
  ffn_down: 'mlp.down_proj',
};

const gemma3Parts: Readonly<Record<string, string>> = {
  ...llamaParts,
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
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

/** Parts of a layer by Hugging Face's names; those that are not here are a Llama's. */
const partsOf: Readonly<Partial<Record<GgufFamily, Readonly<Record<string, string>>>>> = {
  gpt2: gpt2Parts,
  phi3: phi3Parts,
  gemma3: gemma3Parts,
};

/** The families whose rows of queries and keys are in another order. */
const hasReorderedRows = (family: GgufFamily) => family === 'llama' || family === 'smollm3';

/** The table of rotary factors, which is part of the configuration and no weight. */
export const ropeFactorsName = 'rope_freqs.weight';

/** Those of LongRoPE, for short and for long sequences. */
export const longFactorsNames = ['rope_factors_short.weight', 'rope_factors_long.weight'] as const;

const configurationTensors: readonly string[] = [ropeFactorsName, ...longFactorsNames];

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
    if (configurationTensors.includes(tensor.name)) continue;
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

/** A tensor's name in a file, by Hugging Face's. */
export function ggufName(name: string, family: GgufFamily): string | undefined {
  const isGpt2 = family === 'gpt2';
  const [, layer, part, kind] = /^(?:model\.layers|transformer\.h)\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const [, outside, outsideKind] = /^(.+)\.(weight|bias)$/.exec(name) ?? [];
  const table = layer === undefined ? (isGpt2 ? gpt2Outside : llamaOutside) : (partsOf[family] ?? llamaParts);
  const found = Object.entries(table).find(([, theirs]) => theirs === (layer === undefined ? outside : part));
  if (!found) return undefined;
  return layer === undefined ? `${found[0]}.${outsideKind}` : `blk.${layer}.${found[0]}.${kind}`;
}

/** Hugging Face's name of a tensor. */
function hfName(name: string, family: GgufFamily): string | undefined {
  const [, block, part, kind] = /^(?:blk\.(0|[1-9]\d{0,3})\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined || kind === undefined) return undefined;
  const isGpt2 = family === 'gpt2';
  const table: Readonly<Record<string, string>> =
    block === undefined ? (isGpt2 ? gpt2Outside : llamaOutside) : (partsOf[family] ?? llamaParts);
  if (!Object.hasOwn(table, part)) return undefined;
  const layer = block === undefined ? '' : `${isGpt2 ? 'transformer.h' : 'model.layers'}.${block}.`;
  return `${layer}${table[part]}.${kind}`;
}

function weightOf(name: string, tensor: GgufTensor, family: GgufFamily, counts: HeadCounts, where: string): GgufWeight {
  const sizes = tensor.dimensions.toReversed();
  const isTransposed = storedAs(name, sizes, family, counts).order === 'transposed';
  const stored = storedAs(name, isTransposed ? sizes.toReversed() : sizes, family, counts);
  const { order, shape } = stored;
  if (typeof order === 'object' && shape[0]! % (2 * order.headsOfRows) !== 0) {
    throw new ProxmoError(
      'file',
      `${where} has a tensor "${tensor.name}" of ${shape[0]} rows, which are not ${order.headsOfRows} heads; convert the model again.`,
    );
  }
  return { name, tensor, ...stored };
}

/** How a tensor of Hugging Face's lies in a file: as `GgufWeight` says, but without the file's tensor. */
type Stored = Pick<GgufWeight, 'shape' | 'order' | 'plus'>;

/**
 * @param shape as Hugging Face has it
 */
export function storedAs(
  name: string,
  shape: readonly number[],
  family: GgufFamily,
  { heads, kvHeads }: HeadCounts,
): Stored {
  const plus = family === 'gemma3' && name.endsWith('norm.weight') ? 1 : 0;
  if (family === 'gpt2' && shape.length === 2 && /^transformer\.h\..*\.weight$/.test(name))
    return { shape, order: 'transposed', plus };
  const [, projection] = /\.self_attn\.([qk])_proj\./.exec(name) ?? [];
  if (!hasReorderedRows(family) || projection === undefined) return { shape, order: 'same', plus };
  return { shape, order: { headsOfRows: projection === 'q' ? heads : kvHeads }, plus };
}

/** Values of Hugging Face in a file's order: `reorder` the other way round. */
export function inStoredOrder({ order, shape, plus }: Stored, values: Float32Array): Float32Array {
  if (order === 'same') return plus === 0 ? values : values.map((value) => value + plus);
  const result = new Float32Array(values.length);
  const [rows = 1] = shape;
  const columns = values.length / rows;
  if (order === 'transposed') {
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
    return result;
  }
  const headRows = rows / order.headsOfRows;
  for (let row = 0; row < rows; row++) {
    const to = storedRow(row, headRows);
    result.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return result;
}

/** Where a row of a head lies in a file: row 2i + j of a head there is row i of the head's half j. */
function storedRow(row: number, headRows: number): number {
  const inHead = row % headRows;
  return row - inHead + (inHead % (headRows / 2)) * 2 + Math.floor(inHead / (headRows / 2));
}

/** Values as Hugging Face has them. */
export function reorder(weight: GgufWeight, values: Float32Array): Float32Array {
  const { order, shape, plus } = weight;
  if (order !== 'transposed') {
    const rows = reorderRows(weight, values);
    return plus === 0 ? rows : rows.map((value) => value - plus);
  }
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
    const from = storedRow(row, headRows);
    result.set(values.subarray(from * width, (from + 1) * width), row * width);
  }
  return result;
}
