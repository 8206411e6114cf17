/** The chats of a run, read, encoded and shared out: those to learn from, and those held out. */
import { createHash } from 'node:crypto';
import { ProxmoError } from '../../base/errors.ts';
import { textOfInput } from '../../base/wholeFile.node.ts';
import { openPretrained } from '../../models/pretrained.node.ts';
import { positionLimit } from '../../models/transformerConfig.ts';
import { packedLength, replyTokens, type TokenSequence } from '../../nn/replies.ts';
import { Random } from '../../tensor/random.ts';
import { chatSettings } from '../policySource.node.ts';
import { parseChats } from './chats.ts';
import type { SftConfig } from './config.ts';
import { type ChatTokenizer, type Count, type EncodedChats, encodeChats } from './encode.ts';

/** A file that a run must find unchanged when it goes on. */
export interface DataFile {
  readonly path: string;
  readonly sha256: string;
}

/** A chat's sequences: one, unless its template rewrites earlier messages. */
export type EncodedChat = readonly TokenSequence[];

export interface ChatDataset {
  readonly files: readonly DataFile[];
  readonly training: readonly EncodedChat[];
  readonly heldOut: readonly EncodedChat[];
  /** What of the data is not learned as it stands, in sentences. */
  readonly notes: readonly string[];
  readonly counts: { readonly skipped: number; readonly cut: number; readonly changed: number };
  /** Text of ids. */
  readonly decode: (ids: ArrayLike<number>) => string;
}

/**
 * Reads a configuration's data for its model, whose weights it leaves alone.
 * @throws {ProxmoError} `file` if a file cannot be read, `data` if a line is wrong or nothing is left to learn,
 * `config` if too much is held out
 */
export async function openDataset(config: SftConfig): Promise<ChatDataset> {
  const opened = await openPretrained(config.model);
  try {
    const tokenizer = await opened.loadTokenizer();
    tokenizer.requireChatSettings(chatSettings(config.data));
    return await readDataset(config, tokenizer, positionLimit(opened.model.transformer));
  } finally {
    await opened.close();
  }
}

/** @param longest sequence that the model takes, in tokens */
export async function readDataset(
  { data, seed }: Pick<SftConfig, 'data' | 'seed'>,
  tokenizer: ChatTokenizer,
  longest: number,
): Promise<ChatDataset> {
  const read = async (path: string) => {
    const text = await textOfInput(path, 'name the file of chats as data.path (--data FILE)');
    const { maxTokens, tooLong } = data;
    const options = { path, chat: chatSettings(data), maxTokens: Math.min(maxTokens, longest), tooLong };
    const encoded = encodeChats(tokenizer, parseChats(text, path), options);
    const file = { path, sha256: createHash('sha256').update(text).digest('hex') };
    return { file, encoded, notes: notesOn(path, encoded, options.maxTokens) };
  };
  const main = await read(data.path);
  const other = data.evaluation === undefined ? null : await read(data.evaluation);
  const all = [main, ...(other ? [other] : [])];
  const [training, heldOut] = other
    ? [main.encoded.chats, other.encoded.chats]
    : drawHeldOut(main.encoded.chats, data.heldOut, seed);
  const sum = (countOf: (encoded: EncodedChats) => Count) =>
    all.reduce((total, { encoded }) => total + countOf(encoded).count, 0);
  return {
    files: all.map(({ file }) => file),
    training,
    heldOut,
    notes: all.flatMap(({ notes }) => notes),
    counts: {
      skipped: sum((each) => each.skipped),
      cut: sum((each) => each.cut),
      changed: sum((each) => each.changed),
    },
    decode: (ids) => tokenizer.decode(ids),
  };
}

function drawHeldOut(
  chats: readonly EncodedChat[],
  share: number,
  seed: number,
): [training: readonly EncodedChat[], heldOut: readonly EncodedChat[]] {
  const count = share === 0 ? 0 : Math.max(1, Math.round(share * chats.length));
  if (count >= chats.length)
    throw new ProxmoError(
      'config',
      `data.heldOut is ${share}, which leaves none of ${chats.length} chats to learn from; lower it, or give more chats.`,
    );
  const order = new Random(seed, 'held-out chats').shuffle(chats.map((_, index) => index));
  const drawn = new Set(order.slice(0, count));
  return [chats.filter((_, index) => !drawn.has(index)), chats.filter((_, index) => drawn.has(index))];
}

function notesOn(path: string, { skipped, cut, changed }: EncodedChats, maxTokens: number): string[] {
  const tell = ({ count, first }: Count, what: string) =>
    count === 0 ? [] : [`${path}: ${count === 1 ? '1 chat' : `${count} chats`} ${what} (first in line ${first}).`];
  return [
    ...tell(skipped, `with more than ${maxTokens} tokens left out`),
    ...tell(cut, `with more than ${maxTokens} tokens cut to the replies that fit whole`),
    ...tell(
      changed,
      'with a reply that the chat template writes otherwise, which is learned as the template writes it',
    ),
  ];
}

/** Sums over chats: how many there are, and what they consist of. */
export function sizesOf(chats: readonly EncodedChat[]): {
  readonly chats: number;
  readonly tokens: number;
  readonly replyTokens: number;
} {
  const sequences = chats.flat();
  const sum = (numberOf: (sequence: TokenSequence) => number) =>
    sequences.reduce((total, sequence) => total + numberOf(sequence), 0);
  return { chats: chats.length, tokens: sum(packedLength), replyTokens: sum(replyTokens) };
}
