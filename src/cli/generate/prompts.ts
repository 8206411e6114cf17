/**
 * Many prompts in a file, one a line of JSON: a text, `{"prompt": …}` or, with --chat, `{"messages": […]}`, each with
 * an `id` of its own where that is wanted.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { ChatMessage } from '../../text/hf/chatTemplate.ts';

const message = z.looseObject({ role: z.string(), content: z.string() });
const id = z.union([z.string(), z.number()]).optional();
const schema = z.union([
  z.string().transform((prompt) => ({ prompt })),
  z.strictObject({ id, prompt: z.string() }),
  z.strictObject({ id, messages: z.array(message).min(1) }),
]);

/** A line: what is to be continued, or answered. */
export type PromptLine = { readonly line: number; readonly id?: string | number } & (
  | { readonly prompt: string }
  | { readonly messages: readonly ChatMessage[] }
);

/**
 * Reads all lines; blank ones are passed over.
 * @param where names the file in messages
 * @param isChat whether conversations are answered
 * @throws {ProxmoError} `data` if a line is not what it should be, with its number, or there is none
 */
export function parsePrompts(text: string, where: string, isChat: boolean): PromptLine[] {
  const lines = text.split(/\r?\n/).flatMap((content, index) => {
    if (content.trim() === '') return [];
    const line = index + 1;
    return [{ line, ...parseLine(content, `${where}, line ${line}`, isChat) } as PromptLine];
  });
  if (lines.length > 0) return lines;
  throw new ProxmoError('data', `${where} has no prompts; write one a line, as {"prompt": "…"}.`);
}

function parseLine(content: string, place: string, isChat: boolean): z.output<typeof schema> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new ProxmoError('data', `${place} is not JSON; write a prompt a line, as {"prompt": "…"}.`, { cause });
  }
  const refuse = (problem: string) =>
    new ProxmoError('data', `${place}: ${problem}; give a text, {"prompt": "…"} or {"messages": […]}.`);
  const parsed = checked(schema, value, refuse);
  if ('messages' in parsed && !isChat) throw refuse('messages need --chat');
  if ('prompt' in parsed && parsed.prompt === '') throw refuse('the prompt is empty');
  return parsed;
}
