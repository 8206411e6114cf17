/**
 * A conversation as token sequences in which the assistant's replies are known: what supervised training learns from.
 * Each reply stands behind exactly the tokens that the model would be given to write it, and has the tokens that it
 * would write, the end of its turn included.
 */
import type { ChatMessage, ChatOptions } from './chatTemplate.ts';

/** How a tokenizer takes part. */
export interface ReplyWriter {
  /** The template's text of messages. */
  render(messages: readonly ChatMessage[], options: ChatOptions): string;
  /**
   * Ids of a stretch of such text.
   * @param isStart whether it is the beginning
   */
  encode(text: string, isStart: boolean): number[];
  /** The text as the messages have it: what stood in for special tokens is put back. */
  restore(text: string): string;
  /** Texts of the tokens that end a reply. */
  readonly ends: readonly string[];
  readonly endId: number;
}

/** A reply within a sequence. */
export interface EncodedReply {
  /** Index of its message in the conversation. */
  readonly message: number;
  /** Index of its sequence. */
  readonly sequence: number;
  /** Index of its first token in the sequence. */
  readonly start: number;
  readonly length: number;
  /** Its text as the template writes it, without what ends it. */
  readonly written: string;
}

export interface EncodedConversation {
  /**
   * One, where the template only ever adds to what it wrote; a further one from each reply on before which it writes
   * earlier messages otherwise, as templates do that leave out old thoughts.
   */
  readonly sequences: readonly (readonly number[])[];
  readonly replies: readonly EncodedReply[];
  /** Indices of assistant's messages that the template does not write behind its own opening of a turn. */
  readonly lost: readonly number[];
}

/** @param messages with stand-ins for special tokens */
export function encodeReplies(
  writer: ReplyWriter,
  messages: readonly ChatMessage[],
  options: ChatOptions,
): EncodedConversation {
  const sequences: number[][] = [];
  const replies: EncodedReply[] = [];
  const lost: number[] = [];
  /** What the last sequence says. */
  let known: string | null = null;
  for (const [message, { role }] of messages.entries()) {
    if (role !== 'assistant') continue;
    const asked = writer.render(messages.slice(0, message), { ...options, addGenerationPrompt: true });
    const answered = writer.render(messages.slice(0, message + 1), { ...options, addGenerationPrompt: false });
    if (!answered.startsWith(asked)) {
      lost.push(message);
      continue;
    }
    const reply = upToEnd(answered.slice(asked.length), writer.ends);
    if (known !== null && asked.startsWith(known))
      append(sequences.at(-1)!, writer.encode(asked.slice(known.length), false));
    else sequences.push(writer.encode(asked, true));
    const sequence = sequences.at(-1)!;
    const ids = writer.encode(reply.text + reply.end, false);
    if (reply.end === '') ids.push(writer.endId);
    replies.push({
      message,
      sequence: sequences.length - 1,
      start: sequence.length,
      length: ids.length,
      written: writer.restore(reply.text),
    });
    append(sequence, ids);
    known = asked + reply.text + reply.end;
  }
  return { sequences, replies, lost };
}

function append(list: number[], more: readonly number[]): void {
  for (const id of more) list.push(id);
}

/** A text up to the first of the tokens that end a reply, and that token; all of it and '' where there is none. */
function upToEnd(text: string, ends: readonly string[]): { readonly text: string; readonly end: string } {
  const first = ends
    .map((end) => ({ end, at: text.indexOf(end) }))
    .filter(({ at }) => at >= 0)
    .reduce<{ end: string; at: number } | null>((best, each) => (best && best.at <= each.at ? best : each), null);
  return first ? { text: text.slice(0, first.at), end: first.end } : { text, end: '' };
}
