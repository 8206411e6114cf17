/** A tiny model that holds conversations: the Qwen2 fixture with a tokenizer, a chat template, and room for its ids. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from '../../src/base/safetensors.node.ts';
import { hfFixture, tensorsOf } from './hfFixtures.ts';

const vocabSize = 406;

const template = `{%- if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }} {{ message.content }}<|im_end|>{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant {% if enable_thinking %}<think>{% endif %}{% endif %}`;

/**
 * @param others further files, by name, as texts
 * @returns its folder
 */
export async function chatModel(dir: string, others: Readonly<Record<string, string>> = {}): Promise<string> {
  const source = hfFixture('qwen2');
  mkdirSync(dir, { recursive: true });
  cpSync(source, dir, { recursive: true });
  rmSync(join(dir, 'expected.json'), { force: true });
  const config = { ...JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')), vocab_size: vocabSize };
  const tensors = await tensorsOf(source);
  await writeSafetensors(
    join(dir, 'model.safetensors'),
    [...tensors].map(([name, { shape, data }]) => {
      if (!name.endsWith('embed_tokens.weight')) return { name, shape, data, dtype: 'F32' };
      const width = shape[1]!;
      // As large as those of the fixture, and different from token to token.
      const rows = Float32Array.from({ length: vocabSize * width }, (_, i) => Math.sin(i * 12.9898) * 0.5);
      return { name, shape: [vocabSize, width], data: rows, dtype: 'F32' };
    }),
  );
  const tokenizers = join(import.meta.dirname, '..', 'fixtures', 'tokenizers', 'qwen_like.json');
  const { tokenizer, tokenizerConfig } = JSON.parse(readFileSync(tokenizers, 'utf8')).files;
  const files = {
    'config.json': JSON.stringify(config),
    'tokenizer.json': JSON.stringify(tokenizer),
    'tokenizer_config.json': JSON.stringify({ ...tokenizerConfig, chat_template: template }),
    ...others,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}
