/**
 * Where the tensors of a Hugging Face checkpoint lie among a transformer's parameters. The transformer keeps
 * projections that read the same input as one matrix: queries, keys and values, and gate and up projection, are its
 * parts in that order. GPT-2 stores matrices transposed, `[in, out]`; Gemma 3 stores the weights of its norms less 1.
 */
import type { TransformerConfig } from '../transformerConfig.ts';
import type { HfModel } from './config.ts';
import type { HfFamily } from './families.ts';

export interface WeightPlacement {
  /** Name in the checkpoint, as `model.norm.weight`. */
  readonly name: string;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /** Name of the transformer's parameter. */
  readonly parameter: string;
  /** First element within the parameter. */
  readonly offset: number;
  /** The checkpoint has `[in, out]`, the parameter `[out, in]`. */
  readonly transposed: boolean;
  /** The parameter's values are those of the checkpoint plus this. */
  readonly plus: number;
}

/** Every tensor of a model's checkpoint, in the order in which transformers lists a model's parameters. */
export function weightPlacements({ family, transformer }: Pick<HfModel, 'family' | 'transformer'>): WeightPlacement[] {
  const placements = family === 'gpt2' ? gpt2Placements(transformer) : llamaPlacements(transformer, family);
  const { tiedHead, vocabSize, dModel } = transformer;
  return tiedHead ? placements : [...placements, place(headName, [vocabSize, dModel], 'head')];
}

/** Name of the output head. Checkpoints of models with a tied head may have it, as a copy of the embedding table. */
export const headName = 'lm_head.weight';

/** What precedes the names of all tensors but the head's. Checkpoints that were saved without a head leave it out. */
export function basePrefix(family: HfFamily): string {
  return family === 'gpt2' ? 'transformer.' : 'model.';
}

/** Whether a tensor holds a table that follows from the configuration, as older versions of transformers saved them. */
export function isDerivedTensor(family: HfFamily, name: string): boolean {
  return family === 'gpt2'
    ? /(^|\.)h\.\d+\.attn\.(masked_)?bias$/.test(name)
    : /(^|\.)rotary_emb\.inv_freq$/.test(name);
}

function place(
  name: string,
  shape: readonly number[],
  parameter: string,
  offset = 0,
  transposed = false,
  plus = 0,
): WeightPlacement {
  return { name, shape, parameter, offset, transposed, plus };
}

function llamaPlacements(config: TransformerConfig, family: HfFamily): WeightPlacement[] {
  const { vocabSize, dModel, layers, heads, kvHeads, headDim, dFf } = config;
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  /** Projections of `outputs` each that are one matrix in the transformer. */
  const fused = (
    prefix: string,
    parameter: string,
    parts: readonly (readonly [name: string, outputs: number])[],
    hasBias = false,
  ) => {
    let before = 0;
    return parts.flatMap(([name, outputs]) => {
      const start = before;
      before += outputs;
      const weight = place(`${prefix}.${name}.weight`, [outputs, dModel], parameter, start * dModel);
      return hasBias ? [weight, place(`${prefix}.${name}.bias`, [outputs], `${parameter}.bias`, start)] : [weight];
    });
  };
  const linear = (name: string, parameter: string, shape: readonly [number, number], hasBias = false) => {
    const weight = place(`${name}.weight`, shape, parameter);
    return hasBias ? [weight, place(`${name}.bias`, [shape[0]], `${parameter}.bias`)] : [weight];
  };
  const isFused = family === 'phi3';
  const projections = isFused
    ? ([['qkv_proj', queries + 2 * keys]] as const)
    : ([
        ['q_proj', queries],
        ['k_proj', keys],
        ['v_proj', keys],
      ] as const);
  const gates = isFused
    ? ([['gate_up_proj', 2 * dFf]] as const)
    : ([
        ['gate_proj', dFf],
        ['up_proj', dFf],
      ] as const);
  const norm = (name: string, parameter: string, width = dModel) =>
    place(`${name}.weight`, [width], parameter, 0, false, family === 'gemma3_text' ? 1 : 0);
  const layer = (index: number) => {
    const [from, to] = [`model.layers.${index}`, `layers.${index}`];
    const attention = `${from}.self_attn`;
    const headNorms = [
      norm(`${attention}.q_norm`, `${to}.attention.queryNorm`, headDim),
      norm(`${attention}.k_norm`, `${to}.attention.keyNorm`, headDim),
    ];
    return [
      ...fused(attention, `${to}.attention.qkv`, projections, config.qkvBias),
      ...linear(`${attention}.o_proj`, `${to}.attention.output`, [dModel, queries], config.outputBias),
      ...(config.headNorm ? headNorms : []),
      ...fused(`${from}.mlp`, `${to}.mlp.gateUp`, gates, config.mlpBias),
      ...linear(`${from}.mlp.down_proj`, `${to}.mlp.down`, [dModel, dFf], config.mlpBias),
      norm(`${from}.input_layernorm`, `${to}.attention.norm`),
      ...(config.postNorms
        ? [
            norm(`${from}.post_attention_layernorm`, `${to}.attention.postNorm`),
            norm(`${from}.pre_feedforward_layernorm`, `${to}.mlp.norm`),
            norm(`${from}.post_feedforward_layernorm`, `${to}.mlp.postNorm`),
          ]
        : [norm(`${from}.post_attention_layernorm`, `${to}.mlp.norm`)]),
    ];
  };
  return [
    place('model.embed_tokens.weight', [vocabSize, dModel], 'embedding'),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    norm('model.norm', 'finalNorm'),
  ];
}

function gpt2Placements({ vocabSize, dModel, layers, dFf, maxPositions = 0 }: TransformerConfig): WeightPlacement[] {
  const norm = (name: string, parameter: string) => [
    place(`${name}.weight`, [dModel], parameter),
    place(`${name}.bias`, [dModel], `${parameter}.bias`),
  ];
  const linear = (name: string, parameter: string, inputs: number, outputs: number) => [
    place(`${name}.weight`, [inputs, outputs], parameter, 0, true),
    place(`${name}.bias`, [outputs], `${parameter}.bias`),
  ];
  const layer = (index: number) => {
    const [from, to] = [`transformer.h.${index}`, `layers.${index}`];
    return [
      ...norm(`${from}.ln_1`, `${to}.attention.norm`),
      ...linear(`${from}.attn.c_attn`, `${to}.attention.qkv`, dModel, 3 * dModel),
      ...linear(`${from}.attn.c_proj`, `${to}.attention.output`, dModel, dModel),
      ...norm(`${from}.ln_2`, `${to}.mlp.norm`),
      ...linear(`${from}.mlp.c_fc`, `${to}.mlp.up`, dModel, dFf),
      ...linear(`${from}.mlp.c_proj`, `${to}.mlp.down`, dFf, dModel),
    ];
  };
  return [
    place('transformer.wte.weight', [vocabSize, dModel], 'embedding'),
    place('transformer.wpe.weight', [maxPositions, dModel], 'positions'),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    ...norm('transformer.ln_f', 'finalNorm'),
  ];
}
