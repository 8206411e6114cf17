/**
 * Chats to learn from, as JSON Lines in the forms of Hugging Face's TRL and OpenAI: a row has `messages`, or a `prompt`
 * and its `completion`, as texts or as messages. `tools` of a row are shown to the chat template. An assistant's
 * message with `weight: 0` is read and not learned.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { ChatMessage } from '../../text/hf/chatTemplate.ts';

/** A chat, or a text and what follows it. */
export interface Chat {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly messages: readonly ChatMessage[];
  /** Indices of the messages that are learned; assistant's, in rising order. */
  readonly learned: ReadonlySet<number>;
  readonly tools?: readonly unknown[];
  /** For models without a chat template: the chat is a text and its continuation. Null for chats that are more. */
  readonly plain: { readonly prompt: string; readonly completion: string } | null;
}

const message = z
  .looseObject({
    role: z.string(),
    content: z.string().nullish(),
    weight: z.union([z.literal(0), z.literal(1)]).optional(),
  })
  .refine(({ content, role, tool_calls: calls }) => typeof content === 'string' || (role === 'assistant' && calls), {
    path: ['content'],
    error: 'must be text',
  });
type Message = z.infer<typeof message>;

const messages = z.array(message).min(1);
const part = z.union([z.string(), messages], { error: 'must be text, or a list of messages' });
const tools = z.array(z.unknown()).min(1).nullish();
const conversation = z.looseObject({ messages, tools });
const pair = z.looseObject({ prompt: part, completion: part, tools });

/**
 * The chats of a file's text; blank lines are left out.
 * @param path names it in errors
 * @throws {ProxmoError} `data`, with the line, if one is not JSON, has another form, or has no reply to learn; or if
 * there is no chat
 */
export function parseChats(text: string, path: string): Chat[] {
  const chats: Chat[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue;
    chats.push(chatOf(parseLine(line, path, index + 1), path, index + 1));
  }
  if (chats.length === 0)
    throw new ProxmoError('data', `${path} is empty; give a file with one chat a line, as JSON with \`messages\`.`);
  return chats;
}

function parseLine(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ProxmoError('data', `${path} line ${number} is not JSON; write one chat a line, as a JSON object.`, {
      cause,
    });
  }
}

function chatOf(value: unknown, path: string, line: number): Chat {
  const refuse = (what: string) => new ProxmoError('data', `${path} line ${line} ${what}.`);
  const row = rowOf(value, refuse);
  const given = [asMessages(row.prompt, 'user'), asMessages(row.completion, 'assistant')];
  const all = row.messages ?? given.flat();
  // A prompt may have an assistant's messages too.
  const first = row.messages ? 0 : given[0]!.length;
  const isLearned = ({ role, weight }: Message, index: number) =>
    index >= first && role === 'assistant' && weight !== 0;
  const learned = new Set(all.flatMap((each, index) => (isLearned(each, index) ? [index] : [])));
  if (learned.size === 0)
    throw refuse(
      all.some(({ role }, index) => role === 'assistant' && index >= first)
        ? "has no reply to learn: every assistant's message has weight 0"
        : `has no assistant's reply to learn${rolesOf(all.slice(first))}; take the line out, or add the reply`,
    );
  const { prompt, completion } = row;
  return {
    line,
    messages: all.map(({ weight: _, content, ...rest }) => ({ ...rest, content: content ?? '' })),
    learned,
    ...(row.tools ? { tools: row.tools } : {}),
    plain: typeof prompt === 'string' && typeof completion === 'string' ? { prompt, completion } : null,
  };
}

/** The roles that there are, as ` (its roles are user and tool)`: one may be misspelt. */
function rolesOf(messages: readonly Message[]): string {
  const roles = [...new Set(messages.map(({ role }) => `"${role}"`))];
  if (roles.length === 0) return '';
  return ` (${roles.length === 1 ? 'its only role is' : 'its roles are'} ${roles.join(', ')})`;
}

interface Row {
  readonly messages?: readonly Message[];
  readonly prompt?: string | readonly Message[];
  readonly completion?: string | readonly Message[];
  readonly tools?: readonly unknown[] | null | undefined;
}

/** A row in one of its two forms. Where it has `messages`, other fields are its maker's own. */
function rowOf(value: unknown, refuse: (what: string) => ProxmoError): Row {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const wrong = (problem: string) => refuse(`is no chat: ${problem}`);
  if (keys.includes('messages')) {
    const { messages, tools } = checked(conversation, value, wrong);
    return { messages, tools };
  }
  if (keys.includes('prompt') && keys.includes('completion')) return checked(pair, value, wrong);
  throw refuse('has neither `messages` nor a `prompt` and a `completion`; write one of the two');
}

function asMessages(given: string | readonly Message[] | undefined, role: string): readonly Message[] {
  return typeof given === 'string' ? [{ role, content: given }] : (given ?? []);
}
