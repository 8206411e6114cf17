/**
 * Fields of Hugging Face's config.json that change nothing here, for every family: bookkeeping, settings of generation
 * and of training, and options of tasks other than language modelling. Dropout is among them: this engine applies none.
 * Whatever is not in this list and not in a family's schema is refused by name.
 */

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
  'prefix',
];

const training = [
  'initializer_range',
  'attention_dropout',
  'resid_pdrop',
  'embd_pdrop',
  'attn_pdrop',
  'summary_first_dropout',
  'gradient_checkpointing',
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
];

const irrelevant = new Set([...bookkeeping, ...training, ...precision, ...otherTasks, ...generation]);

/**
 * Whether a field changes nothing that this engine computes. Names that begin with an underscore are private to the
 * library that wrote the file.
 */
export function isIrrelevantField(name: string): boolean {
  return name.startsWith('_') || name.startsWith('unsloth_') || irrelevant.has(name);
}
