/**
 * Gemma 3's text models (arXiv 2503.19786): norms before and after attention and MLP, whose weights are kept less 1,
 * layers with a sliding window and angles of their own between layers that attend all, and scaled embeddings.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { common, count, familyOf, only } from './family.ts';
import { type LayerType, layerTypes, typesOf, windowForms } from './layerTypes.ts';
import { decoderFields, decoderSizes, headDimOf } from './llamaLike.ts';
import { parseRope } from './rope.ts';

const ropeGroup = z.record(z.string(), z.unknown());
const positive = z.number().positive();

const schema = z.strictObject({
  ...decoderFields,
  hidden_activation: z.literal('gelu_pytorch_tanh', 'not known; known is gelu_pytorch_tanh'),
  attention_bias: z.boolean().default(false),
  query_pre_attn_scalar: positive,
  sliding_window: count.optional(),
  sliding_window_pattern: count.default(6),
  layer_types: layerTypes,
  rope_local_base_freq: positive.optional(),
  rope_parameters: z
    .strictObject({ full_attention: ropeGroup.optional(), sliding_attention: ropeGroup.optional() })
    .optional(),
  attn_logit_softcapping: z.never('capped scores are not supported').optional(),
  final_logit_softcapping: z.never('capped logits are not supported').optional(),
  use_bidirectional_attention: only(false, 'attention to later tokens is not supported'),
  tie_word_embeddings: common.tie_word_embeddings.default(true),
});

/** Bases of rotary angles where a file names none. */
const [fullTheta, slidingTheta] = [1_000_000, 10_000];

export const gemma3 = familyOf({
  schema,
  architectures: ['Gemma3ForCausalLM', 'Gemma3TextModel'],
  absent: {
    head_dim: 256,
    num_key_value_heads: 4,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    rms_norm_eps: 1e-6,
    max_position_embeddings: 131_072,
    hidden_activation: 'gelu_pytorch_tanh',
  },
  transformer: ({ rope_parameters: groups, ...fields }, where) => {
    const full = groups?.full_attention;
    const rope = parseRope({ ...fields, ...(full ? { rope_parameters: full } : {}) }, where, {
      headDim: headDimOf(fields, where),
      defaultTheta: fullTheta,
    });
    const ropeTheta = localTheta(groups?.sliding_attention, fields.rope_local_base_freq, where);
    const pattern = (layer: number): LayerType =>
      (layer + 1) % fields.sliding_window_pattern === 0 ? 'full_attention' : 'sliding_attention';
    const types = typesOf(fields.layer_types, fields.num_hidden_layers, pattern, where);
    const forms = windowForms(types, fields.sliding_window, where);
    const bias = fields.attention_bias;
    return {
      ...decoderSizes(fields, rope, where),
      mlp: 'geglu',
      qkvBias: bias,
      outputBias: bias,
      headNorm: true,
      postNorms: true,
      scoreScale: fields.query_pre_attn_scalar ** -0.5,
      embeddingScale: Math.sqrt(fields.hidden_size),
      ...(forms
        ? { layerForms: forms.map((form) => (form.window === undefined ? form : { ...form, ropeTheta })) }
        : {}),
    };
  },
});

/** The base of layers with a window. @throws {ProxmoError} `config` if their angles are scaled, or it is given twice */
function localTheta(
  group: Readonly<Record<string, unknown>> | undefined,
  older: number | undefined,
  where: string,
): number {
  const name = `${where}: rope_parameters.sliding_attention`;
  const { rope_type: type = 'default', rope_theta: theta = older ?? slidingTheta, ...others } = group ?? {};
  const [odd] = Object.keys(others);
  if (type !== 'default' || odd !== undefined)
    throw new ProxmoError(
      'config',
      `${name} has ${odd ?? `the type ${JSON.stringify(type)}`}; only plain angles with a rope_theta are supported.`,
    );
  if (typeof theta !== 'number' || !(theta > 0) || (older !== undefined && theta !== older))
    throw new ProxmoError(
      'config',
      `${name}.rope_theta is ${JSON.stringify(theta)}; it must be a number above 0, and equal to a rope_local_base_freq.`,
    );
  return theta;
}
