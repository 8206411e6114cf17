/**
 * The families of models that are known, by `model_type`: which fields of config.json they have, and what these make of
 * a transformer.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import type { MlpKind, TransformerConfig } from '../transformerConfig.ts';
import { checkedFields } from './issues.ts';
import { parseRope, ropeFields } from './rope.ts';

export const hfFamilies = ['gpt2', 'llama', 'qwen2', 'qwen3'] as const;
export type HfFamily = (typeof hfFamilies)[number];

/** Sizes of configurations come from files; no model has more layers than this. */
const maxLayers = 1000;

const count = z
  .int()
  .min(1)
  .max(2 ** 31);
const layerCount = z.int().min(1).max(maxLayers);
const token = z.int();
const epsilon = z.number().positive();

/** A field that may only have this value. */
const only = <T extends z.util.Literal>(value: T, otherwise: string) => z.literal(value, otherwise).optional();

/** Fields of every family. */
const common = {
  model_type: z.string(),
  architectures: z.array(z.string()).optional(),
  vocab_size: count,
  eos_token_id: z.union([token, z.array(token)]).optional(),
  tie_word_embeddings: z.boolean().optional(),
  is_encoder_decoder: only(false, 'encoders are not supported'),
  add_cross_attention: only(false, 'cross-attention is not supported'),
  quantization_config: z
    .never('quantised weights are not supported; use the checkpoint that was not quantised')
    .optional(),
  per_layer_config: z.never('layers that differ are not supported').optional(),
  use_mrope: only(false, 'positions of several axes are not supported'),
  rope_interleaved: only(false, 'pairs of neighbouring elements are not supported'),
  pruned_heads: z.strictObject({}, 'pruned heads are not supported').optional(),
};

const siluNames = ['silu', 'swish'] as const;
const geluNames: Readonly<Record<string, MlpKind>> = {
  gelu: 'geluErf',
  gelu_python: 'geluErf',
  gelu_new: 'gelu',
  gelu_fast: 'gelu',
  gelu_accurate: 'gelu',
  gelu_pytorch_tanh: 'gelu',
  gelu_python_tanh: 'gelu',
};

const known = (names: readonly string[]) => `not known; known are ${names.join(', ')}`;

/** Fields of Llama and of the families that follow it. */
const llamaLike = {
  ...common,
  ...ropeFields,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: layerCount,
  num_attention_heads: count,
  hidden_act: z.enum(siluNames, known(siluNames)),
  rms_norm_eps: epsilon,
};

/** Qwen's sliding windows, which must be off: their sizes then mean nothing. */
const windows = {
  use_sliding_window: only(false, 'sliding windows are not supported'),
  sliding_window: z.number().optional(),
  max_window_layers: z.number().optional(),
  layer_types: z.array(z.literal('full_attention', 'only full attention is supported')).optional(),
};

const qwen2Schema = z.strictObject({
  ...llamaLike,
  ...windows,
  num_key_value_heads: count.optional(),
  head_dim: count.optional(),
});
const qwen3Schema = z.strictObject({
  ...llamaLike,
  ...windows,
  num_key_value_heads: count.optional(),
  head_dim: count,
  attention_bias: z.boolean().default(false),
});
const llamaSchema = z.strictObject({
  ...llamaLike,
  layer_types: windows.layer_types,
  num_key_value_heads: count.optional(),
  head_dim: count.optional(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});
const gpt2Schema = z.strictObject({
  ...common,
  n_embd: count,
  n_layer: layerCount,
  n_head: count,
  n_positions: count,
  /** An old name of n_positions. */
  n_ctx: count.optional(),
  n_inner: count.optional(),
  activation_function: z.string().refine((name) => Object.hasOwn(geluNames, name), known(Object.keys(geluNames))),
  layer_norm_epsilon: epsilon,
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
});

/** What a configuration's fields come to. */
export interface ParsedFields {
  readonly transformer: TransformerConfig;
  /** Tokens that end a text, as far as any are named. */
  readonly endTokens: readonly number[];
}

interface Family {
  /** Names under `architectures` for the model with its head, or without. */
  readonly architectures: readonly string[];
  /**
   * @throws {ProxmoError} `config` for a field that is not known, missing or not valid, or fields that contradict each
   * other
   */
  readonly parse: (fields: Readonly<Record<string, unknown>>, where: string) => ParsedFields;
}

function familyOf<Fields extends { readonly eos_token_id?: number | number[] | undefined }>({
  schema,
  architectures,
  aliases = {},
  transformer,
}: {
  readonly schema: z.ZodType<Fields>;
  readonly architectures: readonly string[];
  /** Names of fields by others that transformers takes for the same. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly transformer: (fields: Fields, where: string) => TransformerConfig;
}): Family {
  return {
    architectures,
    parse: (named, where) => {
      const given = withoutAliases(named, aliases, where);
      const fields = checkedFields(schema, given, (problem) => new ProxmoError('config', `${where}: ${problem}.`));
      return { transformer: transformer(fields, where), endTokens: [fields.eos_token_id ?? []].flat() };
    },
  };
}

/** @throws {ProxmoError} `config` if a field has two values */
function withoutAliases(
  fields: Readonly<Record<string, unknown>>,
  aliases: Readonly<Record<string, string>>,
  where: string,
): Readonly<Record<string, unknown>> {
  const given = { ...fields };
  for (const [alias, name] of Object.entries(aliases)) {
    if (given[alias] === undefined) continue;
    if (given[name] !== undefined && given[name] !== given[alias]) {
      const [one, other] = [given[alias], given[name]].map((value) => JSON.stringify(value));
      throw new ProxmoError(
        'config',
        `${where} has ${alias} ${one} and ${name} ${other}, which are the same setting; leave one of them out.`,
      );
    }
    given[name] = given[alias];
    delete given[alias];
  }
  return given;
}

type LlamaLikeFields = z.output<typeof qwen2Schema>;

function llamaLikeSizes(fields: LlamaLikeFields, where: string): TransformerConfig {
  const {
    hidden_size: dModel,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads = heads,
    layer_types: types,
  } = fields;
  const headDim = fields.head_dim ?? share(dModel, heads, where, 'hidden_size', 'num_attention_heads');
  share(heads, kvHeads, where, 'num_attention_heads', 'num_key_value_heads');
  if (types && types.length !== fields.num_hidden_layers) {
    throw new ProxmoError(
      'config',
      `${where}: layer_types names ${types.length} layers, num_hidden_layers is ${fields.num_hidden_layers}.`,
    );
  }
  return {
    vocabSize: fields.vocab_size,
    dModel,
    layers: fields.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    dFf: fields.intermediate_size,
    tiedHead: fields.tie_word_embeddings ?? false,
    normEpsilon: fields.rms_norm_eps,
    maxPositions: fields.max_position_embeddings,
    ...parseRope(fields, where),
  };
}

const qwen2 = familyOf({
  schema: qwen2Schema,
  architectures: ['Qwen2ForCausalLM', 'Qwen2Model'],
  transformer: (fields, where) => ({ ...llamaLikeSizes(fields, where), qkvBias: true }),
});

const qwen3 = familyOf({
  schema: qwen3Schema,
  architectures: ['Qwen3ForCausalLM', 'Qwen3Model'],
  transformer: ({ attention_bias: bias, ...fields }, where) => ({
    ...llamaLikeSizes(fields, where),
    qkvBias: bias,
    outputBias: bias,
    headNorm: true,
  }),
});

const llama = familyOf({
  schema: llamaSchema,
  architectures: ['LlamaForCausalLM', 'LlamaModel'],
  transformer: ({ attention_bias: bias, mlp_bias: mlpBias, ...fields }, where) => ({
    ...llamaLikeSizes(fields, where),
    qkvBias: bias,
    outputBias: bias,
    mlpBias,
  }),
});

const gpt2 = familyOf({
  schema: gpt2Schema,
  architectures: ['GPT2LMHeadModel', 'GPT2Model'],
  aliases: {
    hidden_size: 'n_embd',
    num_hidden_layers: 'n_layer',
    num_attention_heads: 'n_head',
    max_position_embeddings: 'n_positions',
  },
  transformer: (fields, where) => ({
    vocabSize: fields.vocab_size,
    dModel: fields.n_embd,
    layers: fields.n_layer,
    heads: fields.n_head,
    kvHeads: fields.n_head,
    headDim: share(fields.n_embd, fields.n_head, where, 'n_embd', 'n_head'),
    dFf: fields.n_inner ?? 4 * fields.n_embd,
    ropeTheta: 0,
    tiedHead: fields.tie_word_embeddings ?? true,
    normEpsilon: fields.layer_norm_epsilon,
    norm: 'layer',
    mlp: geluNames[fields.activation_function] ?? 'gelu',
    qkvBias: true,
    outputBias: true,
    mlpBias: true,
    positions: 'learned',
    maxPositions: fields.n_positions,
    scaledScores: fields.scale_attn_weights,
    layerScaledScores: fields.scale_attn_by_inverse_layer_idx,
  }),
});

export const families: Readonly<Record<HfFamily, Family>> = { gpt2, llama, qwen2, qwen3 };

/** `whole / parts`, which must come out even. */
function share(whole: number, parts: number, where: string, wholeName: string, partsName: string): number {
  if (whole % parts === 0) return whole / parts;
  throw new ProxmoError('config', `${where}: ${wholeName} (${whole}) must be a multiple of ${partsName} (${parts}).`);
}
