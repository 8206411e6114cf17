/** Hugging Face configurations: those of well-known models, every way to refuse one, and garbage. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { parseHfConfig } from '../../../src/models/hf/config.ts';
import { positionLimit } from '../../../src/models/transformerConfig.ts';

/** Qwen2.5 0.5B. */
const qwen2 = {
  architectures: ['Qwen2ForCausalLM'],
  attention_dropout: 0,
  bos_token_id: 151643,
  eos_token_id: 151643,
  hidden_act: 'silu',
  hidden_size: 896,
  initializer_range: 0.02,
  intermediate_size: 4864,
  max_position_embeddings: 32768,
  max_window_layers: 24,
  model_type: 'qwen2',
  num_attention_heads: 14,
  num_hidden_layers: 24,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  sliding_window: 32768,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  transformers_version: '4.40.1',
  use_cache: true,
  use_mrope: false,
  use_sliding_window: false,
  vocab_size: 151936,
};

/** Llama 3.2 1B. */
const llama = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 128000,
  eos_token_id: [128001, 128008, 128009],
  head_dim: 64,
  hidden_act: 'silu',
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  mlp_bias: false,
  model_type: 'llama',
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: {
    factor: 32,
    high_freq_factor: 4,
    low_freq_factor: 1,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  },
  rope_theta: 500000,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_cache: true,
  vocab_size: 128256,
};

/** Qwen3 0.6B, as newer versions of transformers write it. */
const qwen3 = {
  architectures: ['Qwen3ForCausalLM'],
  attention_bias: false,
  dtype: 'bfloat16',
  eos_token_id: 151645,
  head_dim: 128,
  hidden_act: 'silu',
  hidden_size: 1024,
  intermediate_size: 3072,
  layer_types: new Array(28).fill('full_attention'),
  max_position_embeddings: 40960,
  max_window_layers: 28,
  model_type: 'qwen3',
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_theta: 1000000, rope_type: 'default' },
  sliding_window: null,
  tie_word_embeddings: true,
  use_sliding_window: false,
  vocab_size: 151936,
};

const gpt2 = {
  activation_function: 'gelu_new',
  architectures: ['GPT2LMHeadModel'],
  attn_pdrop: 0.1,
  bos_token_id: 50256,
  embd_pdrop: 0.1,
  eos_token_id: 50256,
  initializer_range: 0.02,
  layer_norm_epsilon: 1e-5,
  model_type: 'gpt2',
  n_ctx: 1024,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  resid_pdrop: 0.1,
  summary_activation: null,
  summary_first_dropout: 0.1,
  summary_proj_to_labels: true,
  summary_type: 'cls_index',
  summary_use_proj: true,
  task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } },
  vocab_size: 50257,
};

/** Mistral 7B v0.1. */
const mistral = {
  architectures: ['MistralForCausalLM'],
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 4096,
  initializer_range: 0.02,
  intermediate_size: 14336,
  max_position_embeddings: 32768,
  model_type: 'mistral',
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  sliding_window: 4096,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
  use_cache: true,
  vocab_size: 32000,
};

/** SmolLM3 3B. */
const smollm3 = {
  architectures: ['SmolLM3ForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: null,
  eos_token_id: 128012,
  hidden_act: 'silu',
  hidden_size: 2048,
  intermediate_size: 11008,
  layer_types: new Array(36).fill('full_attention'),
  max_position_embeddings: 65536,
  max_window_layers: 28,
  mlp_bias: false,
  model_type: 'smollm3',
  no_rope_layer_interval: 4,
  no_rope_layers: Array.from({ length: 36 }, (_, layer) => ((layer + 1) % 4 === 0 ? 0 : 1)),
  num_attention_heads: 16,
  num_hidden_layers: 36,
  num_key_value_heads: 4,
  pretraining_tp: 2,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 5000000,
  sliding_window: null,
  use_sliding_window: false,
  vocab_size: 128256,
};

const phiFactors = (length: number) => Array.from({ length }, (_, pair) => 1 + pair / 16);
/** Phi-4-mini. */
const phi3 = {
  architectures: ['Phi3ForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  auto_map: { AutoConfig: 'configuration_phi3.Phi3Config' },
  bos_token_id: 199999,
  embd_pdrop: 0,
  eos_token_id: 199999,
  full_attn_mod: 1,
  hidden_act: 'silu',
  hidden_size: 3072,
  intermediate_size: 8192,
  interpolate_factor: 1,
  lm_head_bias: false,
  max_position_embeddings: 131072,
  mlp_bias: false,
  model_type: 'phi3',
  num_attention_heads: 24,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  original_max_position_embeddings: 4096,
  partial_rotary_factor: 0.75,
  resid_pdrop: 0,
  rms_norm_eps: 1e-5,
  rope_scaling: { long_factor: phiFactors(48), short_factor: phiFactors(48), type: 'longrope' },
  rope_theta: 10000,
  sliding_window: 262144,
  tie_word_embeddings: true,
  vocab_size: 200064,
};

/** Gemma 3 270M. */
const gemma3 = {
  _sliding_window_pattern: 6,
  architectures: ['Gemma3ForCausalLM'],
  attention_bias: false,
  attn_logit_softcapping: null,
  bos_token_id: 2,
  eos_token_id: [1, 106],
  final_logit_softcapping: null,
  head_dim: 256,
  hidden_activation: 'gelu_pytorch_tanh',
  hidden_size: 640,
  intermediate_size: 2048,
  layer_types: Array.from({ length: 18 }, (_, layer) => (layer % 6 === 5 ? 'full_attention' : 'sliding_attention')),
  max_position_embeddings: 32768,
  model_type: 'gemma3_text',
  num_attention_heads: 4,
  num_hidden_layers: 18,
  num_key_value_heads: 1,
  query_pre_attn_scalar: 256,
  rms_norm_eps: 1e-6,
  rope_local_base_freq: 10000,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: 512,
  torch_dtype: 'bfloat16',
  use_bidirectional_attention: false,
  vocab_size: 262144,
};

const known = { qwen2, llama, qwen3, gpt2, mistral, smollm3, phi3, gemma3 };

describe('well-known models', () => {
  it('Qwen2.5 has biases on its queries, keys and values', () => {
    const { family, transformer, endTokens } = parseHfConfig(qwen2);
    expect(family).toBe('qwen2');
    expect(transformer).toMatchObject({
      dModel: 896,
      heads: 14,
      kvHeads: 2,
      headDim: 64,
      ropeTheta: 1e6,
      tiedHead: true,
      qkvBias: true,
    });
    expect(transformer.outputBias ?? false).toBe(false);
    expect(endTokens).toEqual([151643]);
  });

  it('Llama 3.2 stretches its angles', () => {
    const { transformer, endTokens } = parseHfConfig(llama);
    expect(transformer).toMatchObject({ headDim: 64, ropeTheta: 5e5, qkvBias: false });
    expect(transformer.ropeScaling).toEqual({
      kind: 'llama3',
      factor: 32,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalPositions: 8192,
    });
    expect(endTokens).toEqual([128001, 128008, 128009]);
  });

  it('Qwen3 has heads of a width of their own, and norms on them', () => {
    expect(parseHfConfig(qwen3).transformer).toMatchObject({
      dModel: 1024,
      heads: 16,
      headDim: 128,
      headNorm: true,
      ropeTheta: 1e6,
    });
  });

  it('GPT-2 has learned positions, and a tied head unless it says otherwise', () => {
    expect(parseHfConfig(gpt2).transformer).toMatchObject({
      headDim: 64,
      dFf: 3072,
      norm: 'layer',
      mlp: 'gelu',
      positions: 'learned',
      maxPositions: 1024,
      ropeTheta: 0,
      tiedHead: true,
    });
    expect(parseHfConfig({ ...gpt2, tie_word_embeddings: false }).transformer.tiedHead).toBe(false);
  });
});

describe('models whose layers have forms of their own', () => {
  const without = (config: Record<string, unknown>, ...names: string[]) =>
    Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name)));

  it('Mistral has its window on all layers, unless there is none', () => {
    expect(parseHfConfig(mistral).transformer.layerForms).toEqual(new Array(32).fill({ window: 4096 }));
    // What is not in the file at all is the default of transformers; null says that there is none.
    expect(parseHfConfig(without(mistral, 'sliding_window')).transformer.layerForms?.[0]).toEqual({ window: 4096 });
    expect(parseHfConfig({ ...mistral, sliding_window: null }).transformer.layerForms).toBeUndefined();
  });

  it('SmolLM3 turns nothing in every fourth layer, and may have windows there', () => {
    const { transformer } = parseHfConfig(smollm3);
    expect(transformer).toMatchObject({ ropeTheta: 5e6, tiedHead: true, headDim: 128, kvHeads: 4 });
    expect(transformer.layerForms?.slice(0, 5)).toEqual([{}, {}, {}, { ropeTheta: 0 }, {}]);
    expect(parseHfConfig(without(smollm3, 'no_rope_layers')).transformer).toEqual(transformer);
    const windows = without({ ...smollm3, use_sliding_window: true, sliding_window: 128 }, 'layer_types');
    expect(parseHfConfig(windows).transformer.layerForms?.[3]).toEqual({ window: 128, ropeTheta: 0 });
  });

  it('Qwen2 has a window on its upper layers where it says so', () => {
    const { transformer } = parseHfConfig({ ...qwen2, use_sliding_window: true, max_window_layers: 20 });
    expect(transformer.layerForms?.slice(19, 21)).toEqual([{}, { window: 32768 }]);
  });

  it('Phi-4-mini turns three quarters of a head, up to the length of its short factors', () => {
    const { transformer } = parseHfConfig(phi3);
    expect(transformer).toMatchObject({ headDim: 128, rotaryDim: 96, kvHeads: 8, tiedHead: true });
    expect(transformer.ropeScaling).toEqual({
      kind: 'longrope',
      factors: phiFactors(48),
      longFactors: phiFactors(48),
      originalPositions: 4096,
      attentionFactor: Math.sqrt(1 + Math.log(32) / Math.log(4096)),
    });
    expect(positionLimit(transformer)).toBe(4096);
    const { rope_scaling: scaling } = phi3;
    const older = { ...phi3, rope_scaling: { ...scaling, type: 'su' } };
    expect(parseHfConfig(older).transformer).toEqual(transformer);
    const { rope_theta, partial_rotary_factor, ...others } = phi3;
    const newer = { ...scaling, rope_theta, partial_rotary_factor };
    const { transformer: read } = parseHfConfig({ ...without(others, 'rope_scaling'), rope_parameters: newer });
    expect(read).toEqual(transformer);
  });

  it('Gemma 3 has windows with angles of their own on five of six layers, norms behind each part, scaled embeddings', () => {
    const { transformer, endTokens } = parseHfConfig(gemma3);
    expect(transformer).toMatchObject({
      mlp: 'geglu',
      headNorm: true,
      postNorms: true,
      tiedHead: true,
      scoreScale: 1 / 16,
    });
    expect(transformer.embeddingScale).toBe(Math.sqrt(640));
    expect(transformer.layerForms?.slice(4, 7)).toEqual([
      { window: 512, ropeTheta: 10000 },
      {},
      { window: 512, ropeTheta: 10000 },
    ]);
    expect(endTokens).toEqual([1, 106]);
    expect(parseHfConfig({ ...without(gemma3, 'layer_types'), sliding_window_pattern: 6 }).transformer).toEqual(
      transformer,
    );
    const rope_parameters = {
      full_attention: { rope_type: 'default', rope_theta: 1e6 },
      sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
    };
    const newer = { ...without(gemma3, 'rope_theta', 'rope_local_base_freq', 'rope_scaling'), rope_parameters };
    expect(parseHfConfig(newer).transformer).toEqual(transformer);
  });
});

describe('fields that change no result', () => {
  /** What transformers writes, now or once, and what its models do not look at. */
  it.each([
    ['gpt2', { n_special: 0, predict_special_tokens: true, output_past: true, xla_device: true }],
    ['gpt2', { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, max_position_embeddings: 1024 }],
    ['llama', { layer_types: new Array(16).fill('full_attention'), model_max_length: 4096, hidden_dropout: 0.1 }],
    ['llama', { bad_words_ids: [[1]], forced_decoder_ids: [[0, 1]], min_p: 0.1, cache_implementation: 'static' }],
    ['qwen2', { attention_bias: false, mlp_bias: false, use_flash_attn: true, bf16: true }],
    ['qwen3', { mlp_bias: true, eos_token: '<|im_end|>', embd_dropout: 0.5 }],
  ] as const)('%s with %j', (name, change) => {
    expect(parseHfConfig({ ...known[name], ...change }).transformer).toEqual(parseHfConfig(known[name]).transformer);
  });

  it('may stand under the names of other families in GPT-2, once', () => {
    const { n_embd, n_layer, ...rest } = gpt2;
    const { transformer } = parseHfConfig({ ...rest, hidden_size: n_embd, num_hidden_layers: n_layer });
    expect(transformer).toEqual(parseHfConfig(gpt2).transformer);
    expect(() => parseHfConfig({ ...gpt2, hidden_size: 512 })).toThrow(
      'config.json has hidden_size 512 and n_embd 768, which are the same setting; leave one of them out.',
    );
  });
});

describe('rotary positions', () => {
  const withScaling = (rope_scaling: object) => parseHfConfig({ ...qwen2, rope_scaling }).transformer.ropeScaling;

  it('are scaled as older and as newer files say it', () => {
    expect(withScaling({ type: 'linear', factor: 4 })).toEqual({ kind: 'linear', factor: 4 });
    expect(withScaling({ rope_type: 'dynamic', factor: 2 })).toEqual({ kind: 'dynamic' });
    const { rope_theta, ...others } = qwen2;
    const newer = parseHfConfig({ ...others, rope_parameters: { rope_type: 'linear', factor: 4, rope_theta } });
    expect(newer.transformer).toMatchObject({ ropeTheta: 1e6, ropeScaling: { kind: 'linear', factor: 4 } });
  });

  it('have the factors of YaRN that follow from its other parameters', () => {
    const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 8192 };
    const defaults = { kind: 'yarn', factor: 4, originalPositions: 8192, betaFast: 32, betaSlow: 1, truncate: true };
    expect(withScaling(yarn)).toEqual({ ...defaults, attentionFactor: 0.1 * Math.log(4) + 1 });
    expect(withScaling({ ...yarn, attention_factor: 1.5 })).toEqual({ ...defaults, attentionFactor: 1.5 });
    const equal = withScaling({ ...yarn, mscale: 0.7, mscale_all_dim: 0.7 });
    expect(equal).toEqual({ ...defaults, attentionFactor: 1 });
    expect(withScaling({ ...yarn, factor: null })).toMatchObject({ factor: 32768 / 8192 });
  });
});

describe('refused by name', () => {
  it.each([
    [
      'qwen2',
      { model_type: 'mamba' },
      'config.json has the model_type "mamba", a family that is not known; known are gpt2, llama, qwen2, qwen3, mistral, smollm3, phi3, gemma3_text.',
    ],
    ['qwen2', { architectures: ['Qwen2ForSequenceClassification'] }, 'supported are Qwen2ForCausalLM, Qwen2Model'],
    ['qwen2', { hidden_act: 'relu' }, '`hidden_act` is "relu": not known; known are silu, swish.'],
    ['gpt2', { activation_function: 'tanh' }, '`activation_function` is "tanh": not known; known are gelu,'],
    ['qwen2', { hidden_size: undefined }, '`hidden_size` is not set; it must be a number.'],
    ['qwen2', { hidden_size: '896' }, '`hidden_size` must be a number, not "896".'],
    [
      'qwen3',
      { layer_types: new Array(28).fill('sliding_attention') },
      'layer_types.0 is "sliding_attention", but no sliding_window is set or used; set use_sliding_window',
    ],
    ['qwen3', { layer_types: ['chunked_attention'] }, '`layer_types.0` is "chunked_attention": not supported;'],
    [
      'llama',
      { layer_types: ['sliding_attention'] },
      '`layer_types.0` is "sliding_attention": only full attention is supported.',
    ],
    ['gemma3', { final_logit_softcapping: 30 }, 'capped logits are not supported'],
    ['gemma3', { attn_logit_softcapping: 50 }, 'capped scores are not supported'],
    ['gemma3', { use_bidirectional_attention: true }, 'attention to later tokens is not supported'],
    [
      'gemma3',
      { rope_theta: null, rope_parameters: { sliding_attention: { rope_type: 'linear', factor: 2 } } },
      'rope_parameters.sliding_attention has factor; only plain angles with a rope_theta are supported.',
    ],
    ['smollm3', { no_rope_layers: [1] }, 'no_rope_layers names 1 layers, num_hidden_layers is 36.'],
    [
      'phi3',
      { rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] } },
      'rope_scaling.short_factor has 1 factors; a head has 48 pairs that are turned.',
    ],
    ['phi3', { partial_rotary_factor: 1.5 }, '`partial_rotary_factor` must be at most 1, not 1.5'],
    ['phi3', { lm_head_bias: true }, '`lm_head_bias` is true: a bias of the head is not supported.'],
    ['qwen3', { layer_types: ['full_attention'] }, 'layer_types names 1 layers, num_hidden_layers is 28.'],
    [
      'llama',
      { sliding_window: 4096 },
      '`sliding_window` is not a known key; if it does not change what the model computes, remove it.',
    ],
    ['llama', { attn_logit_softcapping: 50 }, '`attn_logit_softcapping` is not a known key'],
    ['llama', { quantization_config: { bits: 4 } }, 'quantised weights are not supported'],
    ['llama', { num_key_value_heads: 5 }, 'num_attention_heads (32) must be a multiple of num_key_value_heads (5).'],
    ['gpt2', { n_head: 7 }, 'n_embd (768) must be a multiple of n_head (7).'],
    ['gpt2', { add_cross_attention: true }, 'cross-attention is not supported'],
    [
      'llama',
      { partial_rotary_factor: 0.5 },
      '`partial_rotary_factor` is 0.5: heads that are turned in part are not supported.',
    ],
    [
      'qwen3',
      { rope_parameters: { rope_theta: 1e6, partial_rotary_factor: 0.5 } },
      'rope_parameters.partial_rotary_factor is 0.5: heads that are turned in part are not supported.',
    ],
    [
      'llama',
      { rope_scaling: { rope_type: 'proportional' } },
      'rope_scaling: the type "proportional" is not known; known are default, linear, dynamic, llama3, yarn, longrope.',
    ],
    [
      'llama',
      { rope_scaling: { type: 'linear', rope_type: 'yarn' } },
      'the type "linear" and the rope_type "yarn"; leave one out.',
    ],
    ['llama', { rope_scaling: { type: 'linear' } }, 'rope_scaling: `factor` is not set'],
    [
      'llama',
      { rope_scaling: { type: 'linear', factor: 2, short_factor: [1] } },
      'rope_scaling: `short_factor` is not a known key',
    ],
    ['llama', { rope_parameters: { rope_theta: 1 } }, 'has both rope_parameters and rope_scaling'],
    ['qwen3', { rope_theta: 5 }, 'has rope_theta 5 and rope_parameters.rope_theta 1000000; they must be equal.'],
    ['qwen2', { num_hidden_layers: 1e9 }, '`num_hidden_layers` must be at most 1000, not 1000000000.'],
  ] as const)('%s with %j', (name, change, message) => {
    expect(() => parseHfConfig({ ...known[name], ...change })).toThrow(message);
  });

  it('what is no object', () => {
    expect(() => parseHfConfig([])).toThrow('config.json is not a JSON object');
    expect(() => parseHfConfig({})).toThrow('config.json has no model_type');
  });

  it('garbage, always with a typed error', () => {
    const field = fc.constantFrom(...new Set(Object.values(known).flatMap((config) => Object.keys(config))));
    const change = fc.dictionary(field, fc.jsonValue(), { maxKeys: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(known)), change, (config, changes) => {
        try {
          parseHfConfig({ ...config, ...changes });
        } catch (error) {
          expect(error).toBeInstanceOf(ProxmoError);
          expect((error as ProxmoError).code).toBe('config');
        }
      }),
      { numRuns: 500 },
    );
  });
});
