/**
 * A GGUF file's model as the `config.json` that Hugging Face would have for it. Every key under the architecture's name
 * is used or refused: one that were passed over could stand for something that the model then does not do.
 */
import { ProxmoError } from '../../base/errors.ts';
import { families, type HfFamily } from '../hf/families.ts';
import type { GgufMetadata } from './metadata.ts';
import { recoverLlama3Scaling } from './ropeFactors.ts';

/** Architectures that can be read, each with the family that it is of. A Mistral without windows is a `llama` here. */
export const ggufFamilies = {
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  smollm3: 'smollm3',
  phi3: 'phi3',
  gemma3: 'gemma3_text',
  gpt2: 'gpt2',
} as const satisfies Record<string, HfFamily>;
export type GgufFamily = keyof typeof ggufFamilies;

/** What the tensors say about the model. */
export interface GgufFacts {
  /** Rows of the embedding table. */
  readonly vocabSize: number;
  /** Names of the tensors, as in the file. */
  readonly has: (tensor: string) => boolean;
  /** By how much each rotary wavelength is stretched, in a file that has the table. */
  readonly ropeFactors: Float32Array | null;
  /** The same of LongRoPE, for short and for long sequences. */
  readonly longFactors: { readonly short: Float32Array; readonly long: Float32Array } | null;
}

/** Keys that other parts read, or that say again what the tensors say. */
const otherKeys = ['vocab_size', 'rope.scaling.finetuned', 'tensor_data_layout'];

/** @throws {ProxmoError} `config` if the architecture is not known. */
export function readFamily(metadata: GgufMetadata, where: string): GgufFamily {
  const architecture = metadata.text('general.architecture');
  if (Object.hasOwn(ggufFamilies, architecture)) return architecture as GgufFamily;
  const known = Object.keys(ggufFamilies).join(', ');
  throw new ProxmoError(
    'config',
    `${where} holds a model of the architecture "${architecture}", which is not known; known are ${known}.`,
  );
}

/**
 * The fields of `config.json`.
 * @throws {ProxmoError} `file` if metadata is missing or of the wrong kind; `config` if it asks for what is not
 * supported.
 */
export function ggufConfig(
  family: GgufFamily,
  metadata: GgufMetadata,
  facts: GgufFacts,
  where: string,
): Record<string, unknown> {
  const fields = new Fields(family, metadata, where);
  const config = {
    model_type: ggufFamilies[family],
    architectures: families[ggufFamilies[family]].architectures.slice(0, 1),
    vocab_size: facts.vocabSize,
    tie_word_embeddings: !facts.has('output.weight'),
    ...tokenIds(metadata),
    ...familyFields(fields, facts),
  };
  fields.refuseOthers();
  return config;
}

function familyFields(fields: Fields, facts: GgufFacts): Record<string, unknown> {
  switch (fields.family) {
    case 'gpt2':
      return gpt2Fields(fields);
    case 'gemma3':
      return gemma3Fields(fields);
    case 'phi3':
      return phi3Fields(fields, facts);
    default:
      return llamaFields(fields, facts);
  }
}

/** The keys under an architecture's name. */
class Fields {
  readonly #used = new Set<string>();

  constructor(
    readonly family: GgufFamily,
    readonly metadata: GgufMetadata,
    readonly where: string,
  ) {
    for (const key of otherKeys) this.key(key);
  }

  key(name: string): string {
    const key = `${this.family}.${name}`;
    this.#used.add(key);
    return key;
  }

  has(name: string): boolean {
    return this.metadata.has(this.key(name));
  }

  count(name: string, otherwise?: number): number {
    return this.metadata.count(this.key(name), otherwise);
  }

  /** A number that was written in decimal and is stored as float32: the shortest decimal that is stored so. */
  decimal(name: string, otherwise?: number): number {
    return shortestDecimal(this.metadata.number(this.key(name), otherwise));
  }

  /** A key that may be there with one value only. */
  only(name: string, allowed: number | boolean): void {
    const key = this.key(name);
    if (!this.metadata.has(key)) return;
    const value = typeof allowed === 'number' ? this.metadata.number(key) : this.metadata.flag(key);
    if (value !== allowed) {
      throw new ProxmoError(
        'config',
        `${this.where}: \`${key}\` is ${value}, and only ${allowed} is supported; use another model.`,
      );
    }
  }

  refuseOthers(): void {
    const other = this.metadata.keys().find((key) => key.startsWith(`${this.family}.`) && !this.#used.has(key));
    if (other !== undefined) {
      throw new ProxmoError(
        'config',
        `${this.where}: the metadata \`${other}\` is not known, so the model may need what is not there; use another.`,
      );
    }
  }
}

function shortestDecimal(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

function tokenIds(metadata: GgufMetadata): Record<string, number> {
  const ids: Record<string, number> = {};
  for (const role of ['bos', 'eos']) {
    const key = `tokenizer.ggml.${role}_token_id`;
    if (metadata.has(key)) ids[`${role}_token_id`] = metadata.number(key);
  }
  return ids;
}

function gpt2Fields(fields: Fields): Record<string, unknown> {
  fields.only('attention.causal', true);
  const heads = fields.count('attention.head_count');
  fields.only('attention.head_count_kv', heads);
  return {
    n_embd: fields.count('embedding_length'),
    n_layer: fields.count('block_count'),
    n_head: heads,
    n_positions: fields.count('context_length'),
    n_inner: fields.count('feed_forward_length'),
    layer_norm_epsilon: fields.decimal('attention.layer_norm_epsilon'),
    activation_function: 'gelu_new',
  };
}

/** What Llama and the families that follow it have in common. */
function sizeFields(fields: Fields) {
  fields.only('attention.causal', true);
  fields.only('expert_count', 0);
  fields.only('expert_used_count', 0);
  const width = fields.count('embedding_length');
  const heads = fields.count('attention.head_count');
  const headDim = fields.count('attention.key_length', width / heads);
  fields.only('attention.value_length', headDim);
  return {
    hidden_size: width,
    intermediate_size: fields.count('feed_forward_length'),
    num_hidden_layers: fields.count('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: fields.count('attention.head_count_kv', heads),
    head_dim: headDim,
    rms_norm_eps: fields.decimal('attention.layer_norm_rms_epsilon'),
    max_position_embeddings: fields.count('context_length'),
  };
}

function llamaFields(fields: Fields, { has, ropeFactors }: GgufFacts): Record<string, unknown> {
  const sizes = sizeFields(fields);
  fields.only('rope.dimension_count', sizes.head_dim);
  const biases = { attention_bias: has('blk.0.attn_q.bias'), mlp_bias: has('blk.0.ffn_up.bias') };
  return {
    ...sizes,
    hidden_act: 'silu',
    ...ropeFields(fields, sizes.head_dim, ropeFactors),
    ...(fields.family === 'llama' || fields.family === 'smollm3'
      ? biases
      : fields.family === 'qwen3'
        ? { attention_bias: biases.attention_bias }
        : {}),
  };
}

function phi3Fields(fields: Fields, { longFactors }: GgufFacts): Record<string, unknown> {
  const { head_dim: headDim, ...sizes } = sizeFields(fields);
  const window = fields.has('attention.sliding_window')
    ? fields.metadata.number(fields.key('attention.sliding_window'))
    : 0;
  const original = 'rope.scaling.original_context_length';
  const factor = 'rope.scaling.attn_factor';
  if (!longFactors) fields.only(factor, 1);
  return {
    ...sizes,
    hidden_act: 'silu',
    sliding_window: window === 0 ? null : window,
    original_max_position_embeddings: fields.count(original, sizes.max_position_embeddings),
    partial_rotary_factor: fields.count('rope.dimension_count', headDim) / headDim,
    rope_theta: fields.decimal('rope.freq_base', 10_000),
    ...(longFactors
      ? {
          rope_scaling: {
            rope_type: 'longrope',
            short_factor: [...longFactors.short].map(shortestDecimal),
            long_factor: [...longFactors.long].map(shortestDecimal),
            ...(fields.has(factor) ? { attention_factor: fields.metadata.number(fields.key(factor)) } : {}),
          },
        }
      : {}),
  };
}

/** Layers of the model of 27 billion parameters, the only one whose scores have a scale of their own. */
const largestGemma = 62;

function gemma3Fields(fields: Fields): Record<string, unknown> {
  const sizes = sizeFields(fields);
  const slidingTheta = 10_000;
  fields.only('rope.freq_base_swa', slidingTheta);
  fields.only('rope.dimension_count', sizes.head_dim);
  const { rope_theta: theta, rope_scaling: scaling } = ropeFields(fields, sizes.head_dim, null, 1_000_000);
  return {
    ...sizes,
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar:
      sizes.num_hidden_layers === largestGemma ? sizes.hidden_size / sizes.num_attention_heads : sizes.head_dim,
    sliding_window: fields.count('attention.sliding_window'),
    sliding_window_pattern: fields.count('attention.sliding_window_pattern', 6),
    rope_theta: theta,
    rope_local_base_freq: slidingTheta,
    ...(scaling ? { rope_scaling: scaling } : {}),
  };
}

function ropeFields(
  fields: Fields,
  headDim: number,
  ropeFactors: Float32Array | null,
  defaultTheta = 10_000,
): { readonly rope_theta: number; readonly rope_scaling?: Record<string, unknown> } {
  const theta = fields.decimal('rope.freq_base', defaultTheta);
  // A factor without a type is that of a linear scaling.
  const kind = fields.metadata.text(
    fields.key('rope.scaling.type'),
    fields.has('rope.scaling.factor') ? 'linear' : 'none',
  );
  const original = fields.has('rope.scaling.original_context_length')
    ? { original_max_position_embeddings: fields.count('rope.scaling.original_context_length') }
    : {};
  const factor = { factor: fields.decimal('rope.scaling.factor', 1) };
  if (kind !== 'yarn') fields.only('rope.scaling.attn_factor', 1);
  if (ropeFactors) {
    if (kind !== 'none') throw unsupportedScaling(fields, `${kind} together with a table of factors`);
    return { rope_theta: theta, rope_scaling: recoverLlama3Scaling(ropeFactors, theta, headDim, fields.where) };
  }
  if (kind === 'none') return { rope_theta: theta };
  if (kind === 'linear') return { rope_theta: theta, rope_scaling: { rope_type: 'linear', ...factor } };
  if (kind === 'yarn')
    return {
      rope_theta: theta,
      rope_scaling: { rope_type: 'yarn', ...factor, ...original, ...yarnFields(fields, factor) },
    };
  throw unsupportedScaling(fields, kind);
}

function yarnFields(fields: Fields, { factor }: { readonly factor: number }): Record<string, number> {
  const names = { yarn_beta_fast: 'beta_fast', yarn_beta_slow: 'beta_slow' };
  const given = Object.entries(names).filter(([name]) => fields.has(`rope.scaling.${name}`));
  const betas = Object.fromEntries(given.map(([name, field]) => [field, fields.decimal(`rope.scaling.${name}`)]));
  if (!fields.has('rope.scaling.attn_factor')) return betas;
  // It multiplies the magnitude that follows from the scaling; Hugging Face's field stands in place of that.
  const implied = factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
  return { ...betas, attention_factor: fields.decimal('rope.scaling.attn_factor') * implied };
}

function unsupportedScaling({ where, family }: Fields, kind: string): ProxmoError {
  return new ProxmoError(
    'config',
    `${where}: \`${family}.rope.scaling.type\` is ${kind}, which is not supported; known are none, linear, yarn.`,
  );
}
