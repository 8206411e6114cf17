/** A conversation on a terminal: a line is a message, and the model's answers become part of what it reads next. */
import type { ChatMessage } from '../../text/hf/chatTemplate.ts';

/**
 * Answers lines until there are no more. Blank lines are skipped.
 * @param reply answers the conversation so far; `turn` counts answers from 0
 */
export async function converse(
  lines: AsyncIterable<string>,
  system: string | undefined,
  reply: (messages: readonly ChatMessage[], turn: number) => Promise<string>,
): Promise<readonly ChatMessage[]> {
  const messages: ChatMessage[] = openingOf(system);
  let turn = 0;
  for await (const line of lines) {
    if (line.trim() === '') continue;
    messages.push({ role: 'user', content: line });
    messages.push({ role: 'assistant', content: await reply(messages, turn++) });
  }
  return messages;
}

/** A conversation with nothing but the system message, if there is one. */
export function openingOf(system: string | undefined): ChatMessage[] {
  return system === undefined ? [] : [{ role: 'system', content: system }];
}
