/**
 * Files of a model's folder that are read beside its weights: they decide what it computes, and how text becomes
 * tokens.
 */
export const describingFiles: readonly string[] = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
];
