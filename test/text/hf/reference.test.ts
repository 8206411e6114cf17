/**
 * Small tokenizers of every supported kind against what the reference implementation makes of the same texts; written
 * by test/oracle/hf_tokenizers.py.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ChatMessage } from '../../../src/text/hf/chatTemplate.ts';
import type { HfTokenizerFiles } from '../../../src/text/hf/files.ts';
import { HfTokenizer } from '../../../src/text/hf/hfTokenizer.ts';

interface Expected {
  readonly files: HfTokenizerFiles;
  readonly encode: readonly { text: string; full: number[]; plain: number[] }[];
  readonly decode: readonly { ids: number[]; text: string }[];
  readonly chat: readonly { messages: ChatMessage[]; options: Record<string, unknown>; text: string }[];
}

const kinds = ['qwen_like', 'gpt2_like', 'byte_fallback', 'metaspace', 'splitters', 'words'];

describe.each(kinds)('%s', (kind) => {
  const url = new URL(`../../fixtures/tokenizers/${kind}.json`, import.meta.url);
  const { files, encode, decode, chat } = JSON.parse(readFileSync(url, 'utf8')) as Expected;
  const tokenizer = new HfTokenizer(files, kind);

  test('gives the same ids, with special tokens and without', () => {
    expect(encode.length).toBeGreaterThan(90);
    for (const { text, full, plain } of encode) {
      expect([text, tokenizer.encode(text, { parseSpecials: true, addSpecials: true })]).toEqual([text, full]);
      expect([text, tokenizer.encode(text)]).toEqual([text, plain]);
    }
  });

  test('gives the same text', () => {
    expect(decode.length).toBeGreaterThan(15);
    for (const { ids, text } of decode) expect([ids, tokenizer.decode(ids)]).toEqual([ids, text]);
  });

  if (chat.length === 0) return;
  test('writes the same conversations', () => {
    for (const { messages, options, text } of chat) {
      const { add_generation_prompt, tools, ...variables } = options;
      const ours = {
        addGenerationPrompt: add_generation_prompt === true,
        ...(tools ? { tools: tools as unknown[] } : {}),
        variables,
      };
      expect(tokenizer.applyChatTemplate(messages, ours)).toBe(text);
    }
  });
});
