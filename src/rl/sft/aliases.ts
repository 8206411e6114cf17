/**
 * What settings of supervised fine-tuning are called elsewhere (Hugging Face's Trainer, TRL, axolotl); none is
 * accepted.
 */
export const sftAliases: Readonly<Record<string, string>> = {
  seed: 'manual_seed random_seed data_seed',
  model: 'model_name model_name_or_path model_path base_model pretrained',
  'data.path': 'dataset dataset_name datasets train_file data_path',
  'data.evaluation': 'eval_dataset validation_file eval_file',
  'data.heldOut': 'val_set_size test_size validation_split eval_split',
  'data.maxTokens': 'max_seq_length max_seq_len max_length sequence_len cutoff_len block_size',
  'data.template': 'chat_template_kwargs',
  lora: 'peft peft_config use_peft adapters',
  'lora.rank': 'r lora_r lora_rank',
  'lora.alpha': 'lora_alpha',
  'lora.targets': 'target_modules lora_target_modules',
  'lora.dropout': 'lora_dropout',
  precision: 'dtype torch_dtype fp16 bf16 half mixed_precision load_in_4bit quantization',
  'training.epochs': 'num_train_epochs num_epochs',
  'training.steps': 'max_steps num_steps total_steps iterations',
  'training.batchChats': 'batch_size train_batch_size per_device_train_batch_size micro_batch_size',
  'training.learningRate': 'lr learning_rate',
  'training.schedule': 'scheduler lr_scheduler lr_scheduler_type lr_schedule',
  'training.warmup': 'warmup_ratio warmup_steps lr_warmup_steps',
  'optimiser.maxGradNorm': 'grad_clip clip_grad clip_grad_norm gradient_clip_val max_norm',
  'optimiser.microBatchTokens': 'gradient_accumulation_steps packing sample_packing pad_to_max_length',
  'optimiser.checkpointing': 'gradient_checkpointing activation_checkpointing',
  'evaluation.every': 'eval_steps eval_interval',
  'checkpoints.every': 'save_steps save_interval',
  'checkpoints.keep': 'save_total_limit',
  logging: 'report_to logger tensorboard',
};
