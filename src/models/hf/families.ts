/** The families of models that are known, by `model_type`. Those whose fields need more are in files of their own. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import type { LayerForm, MlpKind, TransformerConfig } from '../transformerConfig.ts';
import { common, count, epsilon, type Family, familyOf, known, layerCount, share } from './family.ts';
import { gemma3 } from './gemma3.ts';
import { fullLayers, type LayerType, optionalWindows, typesOf, windowForms } from './layerTypes.ts';
import { decoderSizes, headDimOf, llamaLike } from './llamaLike.ts';
import { phi3 } from './phi3.ts';
import { parseRope } from './rope.ts';

export const hfFamilies = ['gpt2', 'llama', 'qwen2', 'qwen3', 'mistral', 'smollm3', 'phi3', 'gemma3_text'] as const;
export type HfFamily = (typeof hfFamilies)[number];

const geluNames: Readonly<Record<string, MlpKind>> = {
  gelu: 'geluErf',
  gelu_python: 'geluErf',
  gelu_new: 'gelu',
  gelu_fast: 'gelu',
  gelu_accurate: 'gelu',
  gelu_pytorch_tanh: 'gelu',
  gelu_python_tanh: 'gelu',
};

const qwenFields = { ...llamaLike, ...optionalWindows, max_window_layers: z.int().min(0).default(28) };
const qwen2Schema = z.strictObject(qwenFields);
const qwen3Schema = z.strictObject({ ...qwenFields, head_dim: count, attention_bias: z.boolean().default(false) });
const mistralSchema = z.strictObject({ ...llamaLike, sliding_window: count.optional() });
const llamaSchema = z.strictObject({
  ...llamaLike,
  layer_types: fullLayers,
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});
const smollm3Schema = z.strictObject({
  ...llamaLike,
  ...optionalWindows,
  no_rope_layers: z.array(z.union([z.literal(0), z.literal(1)])).optional(),
  no_rope_layer_interval: count.default(4),
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

type LlamaLikeFields = z.output<typeof mistralSchema>;

function llamaLikeSizes(fields: LlamaLikeFields, where: string, defaultTheta?: number): TransformerConfig {
  const headDim = headDimOf(fields, where);
  const rope = parseRope(fields, where, { headDim, ...(defaultTheta === undefined ? {} : { defaultTheta }) });
  return decoderSizes(fields, rope, where);
}

/** The sizes of a Qwen, whose upper layers may have windows. */
function qwenSizes(fields: z.output<typeof qwen2Schema>, where: string): TransformerConfig {
  const { use_sliding_window: isUsed, max_window_layers: first, num_hidden_layers: layers } = fields;
  const window = isUsed ? fields.sliding_window : undefined;
  const pattern = (layer: number): LayerType =>
    window !== undefined && layer >= first ? 'sliding_attention' : 'full_attention';
  return withForms(
    llamaLikeSizes(fields, where),
    windowForms(typesOf(fields.layer_types, layers, pattern, where), window, where),
  );
}

function withForms(sizes: TransformerConfig, layerForms: readonly LayerForm[] | null): TransformerConfig {
  return layerForms ? { ...sizes, layerForms } : sizes;
}

const qwen2 = familyOf({
  schema: qwen2Schema,
  architectures: ['Qwen2ForCausalLM', 'Qwen2Model'],
  transformer: (fields, where) => ({ ...qwenSizes(fields, where), qkvBias: true }),
});

const qwen3 = familyOf({
  schema: qwen3Schema,
  architectures: ['Qwen3ForCausalLM', 'Qwen3Model'],
  transformer: ({ attention_bias: bias, ...fields }, where) => ({
    ...qwenSizes(fields, where),
    qkvBias: bias,
    outputBias: bias,
    headNorm: true,
  }),
});

const llama = familyOf({
  schema: llamaSchema,
  architectures: ['LlamaForCausalLM', 'LlamaModel'],
  transformer: ({ attention_bias: bias, mlp_bias: mlpBias, layer_types: types, ...fields }, where) => {
    typesOf(types, fields.num_hidden_layers, () => 'full_attention', where);
    return { ...llamaLikeSizes(fields, where), qkvBias: bias, outputBias: bias, mlpBias };
  },
});

/** Mistral: a Llama, all of whose layers may have a window. */
const mistral = familyOf({
  schema: mistralSchema,
  architectures: ['MistralForCausalLM', 'MistralModel'],
  absent: { sliding_window: 4096, num_key_value_heads: 8 },
  transformer: ({ sliding_window: window, ...fields }, where) => {
    const types = new Array<LayerType>(fields.num_hidden_layers).fill('sliding_attention');
    return withForms(llamaLikeSizes(fields, where), window === undefined ? null : windowForms(types, window, where));
  },
});

/** SmolLM3: a Llama some of whose layers know nothing of positions (NoPE, Kazemnejad et al., arXiv 2305.19466). */
const smollm3 = familyOf({
  schema: smollm3Schema,
  architectures: ['SmolLM3ForCausalLM', 'SmolLM3Model'],
  absent: { num_key_value_heads: 4, tie_word_embeddings: true },
  transformer: ({ attention_bias: bias, mlp_bias: mlpBias, ...fields }, where) => {
    const { no_rope_layers: given, no_rope_layer_interval: interval, num_hidden_layers: layers } = fields;
    if (given && given.length !== layers)
      throw new ProxmoError(
        'config',
        `${where}: no_rope_layers names ${given.length} layers, num_hidden_layers is ${layers}.`,
      );
    const isTurned = (layer: number) => (given ? given[layer] === 1 : (layer + 1) % interval !== 0);
    const window = fields.use_sliding_window ? fields.sliding_window : undefined;
    const pattern = (layer: number): LayerType =>
      window !== undefined && !isTurned(layer) ? 'sliding_attention' : 'full_attention';
    const forms = windowForms(typesOf(fields.layer_types, layers, pattern, where), window, where);
    const layerForms = Array.from({ length: layers }, (_, layer) => ({
      ...forms?.[layer],
      ...(isTurned(layer) ? {} : { ropeTheta: 0 }),
    }));
    return { ...llamaLikeSizes(fields, where, 2_000_000), qkvBias: bias, outputBias: bias, mlpBias, layerForms };
  },
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
    ...(fields.scale_attn_weights ? {} : { scoreScale: 1 }),
    layerScaledScores: fields.scale_attn_by_inverse_layer_idx,
  }),
});

export const families: Readonly<Record<HfFamily, Family>> = {
  gpt2,
  llama,
  qwen2,
  qwen3,
  mistral,
  smollm3,
  phi3,
  gemma3_text: gemma3,
};
