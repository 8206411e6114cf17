/** Fields of Llama and of the families that follow it, and the sizes that they give. */
import * as z from 'zod';
import type { TransformerConfig } from '../transformerConfig.ts';
import { common, count, epsilon, known, layerCount, share } from './family.ts';
import { type ParsedRope, ropeFields } from './rope.ts';

const siluNames = ['silu', 'swish'] as const;

/** Fields of all of them but the activation of the MLP. */
export const decoderFields = {
  ...common,
  ...ropeFields,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: layerCount,
  num_attention_heads: count,
  num_key_value_heads: count.optional(),
  head_dim: count.optional(),
  rms_norm_eps: epsilon,
};

export const llamaLike = { ...decoderFields, hidden_act: z.enum(siluNames, known(siluNames)) };

const fieldsSchema = z.object(decoderFields);
type DecoderFields = Omit<z.output<typeof fieldsSchema>, 'partial_rotary_factor' | 'rope_parameters'>;

/**
 * @param rope what `parseRope` makes of the fields
 * @throws {ProxmoError} `config` if sizes do not divide each other
 */
export function decoderSizes(fields: DecoderFields, rope: ParsedRope, where: string): TransformerConfig {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads = heads } = fields;
  share(heads, kvHeads, where, 'num_attention_heads', 'num_key_value_heads');
  return {
    vocabSize: fields.vocab_size,
    dModel: fields.hidden_size,
    layers: fields.num_hidden_layers,
    heads,
    kvHeads,
    headDim: headDimOf(fields, where),
    dFf: fields.intermediate_size,
    tiedHead: fields.tie_word_embeddings ?? false,
    normEpsilon: fields.rms_norm_eps,
    maxPositions: fields.max_position_embeddings,
    ...rope,
  };
}

/** Elements of a head. @throws {ProxmoError} `config` if nothing says so and the heads do not share the width evenly */
export function headDimOf(
  fields: Pick<DecoderFields, 'head_dim' | 'hidden_size' | 'num_attention_heads'>,
  where: string,
): number {
  return (
    fields.head_dim ??
    share(fields.hidden_size, fields.num_attention_heads, where, 'hidden_size', 'num_attention_heads')
  );
}
