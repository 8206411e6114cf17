/**
 * Fields of Hugging Face's config.json that change nothing here, for every family: bookkeeping, settings of generation
 * and of training, and options of tasks other than language modelling. Dropout is among them: this engine applies none.
 * Whatever is not in this list and not in a family's schema is refused by name.
 */

import type { HfFamily } from './families.ts';

const bookkeeping = [
  'transformers_version',
  'name_or_path',
  'auto_map',
  'dtype',
  'torch_dtype',
  'use_cache',
  'loss_type',
  'use_bfloat16',
  'torchscript',
  'tf_legacy_loss',
  'attn_implementation',
  'pretraining_tp',
  'bos_token_id',
  'pad_token_id',
  'sep_token_id',
  'cls_token_id',
  'mask_token_id',
  'unk_token_id',
  'decoder_start_token_id',
  'tokenizer_class',
  'transformers.js_config',
  'is_llama_config',
  'max_sequence_length',
  'max_seq_length',
  'max_seq_len',
  'seq_length',
  'model_max_length',
  'prefix',
  'bos_token',
  'eos_token',
  'pad_token',
  'unk_token',
  'add_bos_token',
  'add_eos_token',
  'ignore_index',
  'n_special',
  'predict_special_tokens',
  'vocab_file',
  'use_flash_attn',
  'use_flash_attention',
  'use_flash_attention_2',
  'attn_impl',
  'bf16',
  'fp16',
  'fp32',
  'xla_device',
  'license',
  'language',
  'tags',
  'library_name',
  'pipeline_tag',
];

const training = [
  'initializer_range',
  'attention_dropout',
  'resid_pdrop',
  'embd_pdrop',
  'attn_pdrop',
  'summary_first_dropout',
  'activation_dropout',
  'attn_dropout',
  'attention_probs_dropout_prob',
  'dropout',
  'embedding_dropout',
  'embd_dropout',
  'hidden_dropout',
  'hidden_dropout_prob',
  'layerdrop',
  'mlp_dropout',
  'resid_dropout',
  'residual_dropout',
  'init_std',
  'initializer_factor',
  'gradient_checkpointing',
  'use_reentrant',
  'label_smoothing',
  'chunk_size_feed_forward',
];

/** `reorder_and_upcast_attn` matters in half precision only. */
const precision = ['reorder_and_upcast_attn'];

const otherTasks = [
  'output_attentions',
  'output_hidden_states',
  'output_past',
  'return_dict',
  'return_dict_in_generate',
  'is_decoder',
  'tie_encoder_decoder',
  'cross_attention_hidden_size',
  'finetuning_task',
  'task_specific_params',
  'problem_type',
  'id2label',
  'label2id',
  'num_labels',
  'classifier_dropout',
  'summary_type',
  'summary_use_proj',
  'summary_activation',
  'summary_proj_to_labels',
];

const generation = [
  'max_length',
  'min_length',
  'max_new_tokens',
  'do_sample',
  'early_stopping',
  'num_beams',
  'num_beam_groups',
  'diversity_penalty',
  'temperature',
  'top_k',
  'top_p',
  'typical_p',
  'repetition_penalty',
  'length_penalty',
  'no_repeat_ngram_size',
  'encoder_no_repeat_ngram_size',
  'bad_words_ids',
  'num_return_sequences',
  'output_scores',
  'forced_bos_token_id',
  'forced_eos_token_id',
  'remove_invalid_values',
  'exponential_decay_length_penalty',
  'suppress_tokens',
  'begin_suppress_tokens',
  'forced_decoder_ids',
  'force_words_ids',
  'constraints',
  'sequence_bias',
  'guidance_scale',
  'renormalize_logits',
  'penalty_alpha',
  'epsilon_cutoff',
  'eta_cutoff',
  'min_p',
  'min_new_tokens',
  'max_time',
  'stop_strings',
  'low_memory',
  'token_healing',
  'watermarking_config',
  'cache_implementation',
  'cache_config',
  'return_legacy_cache',
  'prompt_lookup_num_tokens',
  'num_assistant_tokens',
  'num_assistant_tokens_schedule',
  'dola_layers',
];

const irrelevant = new Set([...bookkeeping, ...training, ...precision, ...otherTasks, ...generation]);

/** Fields of other families, which a family's model does not look at: its biases are what they are. */
const ignoredBy: Readonly<Record<HfFamily, readonly string[]>> = {
  gpt2: [],
  llama: [],
  qwen2: ['attention_bias', 'mlp_bias'],
  qwen3: ['mlp_bias'],
  mistral: ['attention_bias', 'mlp_bias', 'layer_types', 'use_sliding_window', 'max_window_layers'],
  smollm3: ['max_window_layers'],
  phi3: ['attention_bias', 'mlp_bias'],
  gemma3_text: ['mlp_bias'],
};

/**
 * Whether a field changes nothing that this engine computes. Names that begin with an underscore are private to the
 * library that wrote the file.
 * @param family where it is one that is known
 */
export function isIrrelevantField(name: string, family: HfFamily | undefined): boolean {
  if (family && ignoredBy[family].includes(name)) return true;
  return name.startsWith('_') || name.startsWith('unsloth_') || irrelevant.has(name);
}
