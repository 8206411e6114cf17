/** Chats as token sequences in which the replies are known token by token. */
import { ProxmoError } from '../../base/errors.ts';
import { packedLength, type ReplySpan, replyTokens, type TokenSequence } from '../../nn/replies.ts';
import type { EncodedConversation } from '../../text/hf/chatReplies.ts';
import type { ChatMessage, ChatOptions } from '../../text/hf/chatTemplate.ts';
import type { Chat } from './chats.ts';

/** What of a tokenizer is needed. */
export interface ChatTokenizer {
  readonly hasChatTemplate: boolean;
  readonly endId: number;
  encode(text: string, options?: { readonly addSpecials?: boolean }): number[];
  encodeReplies(messages: readonly ChatMessage[], options?: ChatOptions): EncodedConversation;
  decode(ids: ArrayLike<number>): string;
}

export interface EncodeOptions {
  readonly path: string;
  /** Variables and tools of the template. */
  readonly chat: Pick<ChatOptions, 'tools' | 'variables'>;
  /** Most tokens of a sequence. */
  readonly maxTokens: number;
  /** What becomes of a longer one. */
  readonly tooLong: 'cut' | 'skip';
}

/** Why replies are not learned as they stand, counted; `first` is the line of the first. */
export interface Count {
  readonly count: number;
  readonly first: number | null;
}

export interface EncodedChats {
  /** The sequences of each chat that has any, in the order of the file. */
  readonly chats: readonly (readonly TokenSequence[])[];
  /** Chats that are too long and of which nothing was left. */
  readonly skipped: Count;
  /** Chats that lost their last replies, being too long. */
  readonly cut: Count;
  /** Chats in which the template writes a reply otherwise than it stands there. */
  readonly changed: Count;
}

/**
 * @throws {ProxmoError} `data`, with the line, if the template refuses a chat or leaves a reply out; `config` if the
 * model has no template for one; `data` if nothing is left to learn
 */
export function encodeChats(tokenizer: ChatTokenizer, chats: readonly Chat[], options: EncodeOptions): EncodedChats {
  const [skipped, cut, changed] = [new Counter(), new Counter(), new Counter()];
  const encoded: (readonly TokenSequence[])[] = [];
  for (const chat of chats) {
    const { sequences, isChanged } = encodeChat(tokenizer, chat, options);
    const kept = sequences.flatMap((sequence) => shortened(sequence, options) ?? []);
    const isShorter = sumOf(kept, replyTokens) < sumOf(sequences, replyTokens);
    if (kept.length === 0) skipped.add(chat.line);
    else encoded.push(kept);
    if (kept.length > 0 && isShorter) cut.add(chat.line);
    if (kept.length > 0 && isChanged) changed.add(chat.line);
  }
  if (encoded.length === 0)
    throw new ProxmoError(
      'data',
      `${options.path}: all ${chats.length} chats are longer than data.maxTokens (${options.maxTokens}), so there is nothing to learn; raise it, or set data.tooLong to cut.`,
    );
  return { chats: encoded, skipped, cut, changed };
}

class Counter implements Count {
  count = 0;
  first: number | null = null;

  add(line: number): void {
    this.count++;
    this.first ??= line;
  }
}

function encodeChat(
  tokenizer: ChatTokenizer,
  { line, messages, learned, tools, plain }: Chat,
  { path, chat }: EncodeOptions,
): { readonly sequences: readonly TokenSequence[]; readonly isChanged: boolean } {
  if (!tokenizer.hasChatTemplate) {
    if (plain === null)
      throw new ProxmoError(
        'config',
        `${path} line ${line} is a conversation, but the model has no chat template; give rows with a prompt and a completion as texts, or a model made for conversations.`,
      );
    return { sequences: [plainSequence(tokenizer, plain)], isChanged: false };
  }
  const { sequences, replies, lost } = encodedAs(
    tokenizer,
    messages,
    { ...chat, ...(tools ? { tools } : {}) },
    path,
    line,
  );
  const missing = lost.find((index) => learned.has(index));
  if (missing !== undefined)
    throw new ProxmoError(
      'data',
      `${path} line ${line}: the chat template does not write message ${missing + 1} as an answer of the model, so it cannot be learned; take it out, or set its weight to 0.`,
    );
  const wanted = replies.filter(({ message }) => learned.has(message));
  const isChanged = wanted.some(({ message, written }) => !isWritten(messages[message]!, written));
  const spans = sequences.map((tokens, index) => ({
    tokens,
    replies: wanted
      .filter(({ sequence }) => sequence === index)
      .map(({ start, length }): ReplySpan => ({ start, length })),
  }));
  return { sequences: spans.filter((each) => each.replies.length > 0), isChanged };
}

/** With the line in what the template refuses. */
function encodedAs(
  tokenizer: ChatTokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions,
  path: string,
  line: number,
): EncodedConversation {
  try {
    return tokenizer.encodeReplies(messages, options);
  } catch (cause) {
    if (!(cause instanceof ProxmoError) || cause.code !== 'data') throw cause;
    throw new ProxmoError('data', `${path} line ${line}: ${cause.message}`, { cause });
  }
}

/** Whether a reply stands as it was given; space around it does not count. Calls of tools have forms of their own. */
function isWritten({ content, tool_calls: calls }: ChatMessage, written: string): boolean {
  return calls !== undefined || written.trim() === content.trim();
}

function plainSequence(tokenizer: ChatTokenizer, { prompt, completion }: NonNullable<Chat['plain']>): TokenSequence {
  const read = tokenizer.encode(prompt, { addSpecials: true });
  // A token is predicted by the one before it.
  const before = read.length > 0 ? read : [tokenizer.endId];
  const reply = [...tokenizer.encode(completion), tokenizer.endId];
  return { tokens: [...before, ...reply], replies: [{ start: before.length, length: reply.length }] };
}

/** A sequence that keeps to the limit, with those of its replies that fit whole; null where none does. */
function shortened(sequence: TokenSequence, { maxTokens, tooLong }: EncodeOptions): TokenSequence | null {
  if (packedLength(sequence) <= maxTokens) return sequence;
  if (tooLong === 'skip') return null;
  const replies = sequence.replies.filter(({ start, length }) => start + length - 1 <= maxTokens);
  return replies.length === 0 ? null : { tokens: sequence.tokens, replies };
}

function sumOf<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + numberOf(item), 0);
}
