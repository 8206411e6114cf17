/** Phi-3 and Phi-4-mini: projections that are one matrix in the checkpoint, too, and heads that are turned in part. */
import * as z from 'zod';
import { familyOf, only } from './family.ts';
import { windowForms } from './layerTypes.ts';
import { decoderSizes, headDimOf, llamaLike } from './llamaLike.ts';
import { parseRope } from './rope.ts';

const schema = z.strictObject({
  ...llamaLike,
  partial_rotary_factor: z.number().gt(0).max(1).optional(),
  sliding_window: z.int().min(1).optional(),
  lm_head_bias: only(false, 'a bias of the head is not supported'),
  // Of code that comes with Phi-4-mini; they are for longer sequences than its weights were trained on.
  full_attn_mod: only(1, 'other attention than in all layers is not supported'),
  interpolate_factor: only(1, 'interpolated positions are not supported'),
});

/** What early files call LongRoPE. */
const olderNames: readonly unknown[] = ['su', 'yarn'];

export const phi3 = familyOf({
  schema,
  architectures: ['Phi3ForCausalLM', 'Phi3Model'],
  absent: { original_max_position_embeddings: 4096, max_position_embeddings: 4096, rms_norm_eps: 1e-5 },
  transformer: (fields, where) => {
    const rope = parseRope(renamed(fields), where, { headDim: headDimOf(fields, where), isPartial: true });
    const { layers, ...sizes } = decoderSizes(fields, rope, where);
    const window = fields.sliding_window;
    const forms = window === undefined ? null : windowForms(new Array(layers).fill('sliding_attention'), window, where);
    return { layers, ...sizes, ...(forms ? { layerForms: forms } : {}) };
  },
});

function renamed<T extends Pick<z.output<typeof schema>, 'rope_scaling' | 'rope_parameters'>>(fields: T): T {
  const newer = (group: Readonly<Record<string, unknown>>) => {
    const { type, rope_type: ropeType = type, ...others } = group;
    return olderNames.includes(ropeType) ? { ...others, rope_type: 'longrope' } : group;
  };
  const { rope_scaling: scaling, rope_parameters: parameters } = fields;
  return {
    ...fields,
    ...(scaling ? { rope_scaling: newer(scaling) } : {}),
    ...(parameters ? { rope_parameters: newer(parameters) } : {}),
  };
}
