/** Chats: their forms, what is refused, and that what is learned of them is exact to the token. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitBySize } from '../../../src/nn/packing.ts';
import { packedLength } from '../../../src/nn/replies.ts';
import { type Chat, parseChats } from '../../../src/rl/sft/chats.ts';
import { sftConfigSchema } from '../../../src/rl/sft/config.ts';
import { readDataset } from '../../../src/rl/sft/dataset.node.ts';
import { type EncodeOptions, encodeChats } from '../../../src/rl/sft/encode.ts';
import { packed } from '../../../src/rl/sft/supervisedRun.node.ts';
import type { HfTokenizer } from '../../../src/text/hf/hfTokenizer.ts';
import { loadHfTokenizer } from '../../../src/text/hf/loadHfTokenizer.node.ts';
import { chatModel } from '../../support/chatModel.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-chats-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let tokenizer: HfTokenizer;
beforeAll(async () => {
  tokenizer = await loadHfTokenizer(await chatModel(join(folder, 'model')));
});

/** A tokenizer with another template. */
async function tokenizerWith(template: string): Promise<HfTokenizer> {
  const dir = mkdtempSync(join(folder, 'other-'));
  await chatModel(dir, { 'chat_template.jinja': template });
  return loadHfTokenizer(dir);
}

const user = (content: string) => ({ role: 'user', content });
const answer = (content: string, more: object = {}) => ({ role: 'assistant', content, ...more });
const lines = (...rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const options = (over: Partial<EncodeOptions> = {}): EncodeOptions => ({
  path: 'chats.jsonl',
  chat: {},
  maxTokens: 1000,
  tooLong: 'cut',
  ...over,
});

/** What is learned of each sequence, as text, and all of it. */
function shown(chats: readonly Chat[], over: Partial<EncodeOptions> = {}, by = tokenizer) {
  return encodeChats(by, chats, options(over)).chats.map((sequences) =>
    sequences.map(({ tokens, replies }) => ({
      text: by.decode(tokens),
      learned: replies.map(({ start, length }) => by.decode(Array.from(tokens).slice(start, start + length))),
    })),
  );
}

describe('rows', () => {
  it('are messages, or a prompt and a completion in texts or messages', () => {
    const messages = [user('red'), answer('blue')];
    const chats = parseChats(
      lines(
        { messages },
        { prompt: 'red', completion: 'blue' },
        { prompt: [user('red')], completion: [answer('blue')] },
      ),
      'chats.jsonl',
    );
    expect(chats.map((chat) => chat.messages)).toEqual([messages, messages, messages]);
    expect(chats.map(({ learned }) => [...learned])).toEqual([[1], [1], [1]]);
    expect(chats[1]!.plain).toEqual({ prompt: 'red', completion: 'blue' });
  });

  it('may have other fields, blank lines between them, and tools', () => {
    const tools = [{ type: 'function' }];
    const chats = parseChats(
      `\n${lines({ messages: [user('a'), answer('b')], prompt: 'a', id: 3, tools })}\n\n`,
      'chats.jsonl',
    );
    expect(chats).toMatchObject([{ line: 2, tools }]);
  });

  it('learn no reply of weight 0, and none that stands in a prompt', () => {
    const chats = parseChats(
      lines(
        { messages: [user('a'), answer('b', { weight: 0 }), user('c'), answer('d', { weight: 1 })] },
        { prompt: [user('a'), answer('b'), user('c')], completion: [answer('d')] },
      ),
      'chats.jsonl',
    );
    expect(chats.map(({ learned }) => [...learned])).toEqual([[3], [3]]);
    expect(chats[0]!.messages[1]).toEqual(answer('b'));
  });

  it.each([
    ['{"messages": [', 'chats.jsonl line 2 is not JSON'],
    [
      lines({ messages: [user('a')] }),
      `chats.jsonl line 2 has no assistant's reply to learn (its only role is "user")`,
    ],
    [lines({ messages: [user('a'), { role: 'asistant', content: 'b' }] }), '(its roles are "user", "asistant"); take'],
    [lines({ messages: [user('a'), answer('b', { weight: 0 })] }), 'chats.jsonl line 2 has no reply to learn'],
    [lines({ prompt: 'a' }), 'chats.jsonl line 2 has neither `messages` nor a `prompt` and a `completion`'],
    [lines([1]), 'chats.jsonl line 2 has neither'],
    [lines({ messages: 'a' }), 'chats.jsonl line 2 is no chat: `messages` must be a list'],
    [lines({ messages: [{ role: 'user' }] }), 'chats.jsonl line 2 is no chat: `messages.0.content`'],
    [
      lines({ prompt: 3, completion: 'b' }),
      'chats.jsonl line 2 is no chat: `prompt` must be text, or a list of messages',
    ],
  ])('are refused with their line: %s', (row, message) => {
    const good = lines({ prompt: 'a', completion: 'b' });
    expect(() => parseChats(good + row, 'chats.jsonl')).toThrow(message);
  });

  it('must be there', () => {
    expect(() => parseChats('\n', 'chats.jsonl')).toThrow('chats.jsonl is empty');
  });
});

describe('what is learned', () => {
  it('is each reply with the token that ends it, behind what the model would be given', () => {
    const messages = [user('red'), answer('blue'), user('green'), answer('red door')];
    const [chat] = parseChats(lines({ messages }), 'chats.jsonl');
    expect(shown([chat!])).toEqual([
      [
        {
          text: '<|im_start|>user red<|im_end|><|im_start|>assistant blue<|im_end|><|im_start|>user green<|im_end|><|im_start|>assistant red door<|im_end|>',
          learned: ['blue<|im_end|>', 'red door<|im_end|>'],
        },
      ],
    ]);
    const { tokens, replies } = encodeChats(tokenizer, [chat!], options()).chats[0]![0]!;
    const asked = tokenizer.encodeChat(messages.slice(0, 3), { addGenerationPrompt: true });
    expect(Array.from(tokens).slice(0, replies[1]!.start)).toEqual(asked);
    expect(Array.from(tokens).slice(replies[1]!.start)).toEqual([...tokenizer.encode('red door'), tokenizer.endId]);
  });

  it('is no token of a reply that was read only', () => {
    const messages = [user('a'), answer('blue', { weight: 0 }), user('c'), answer('red')];
    expect(shown(parseChats(lines({ messages }), 'x'))[0]![0]!.learned).toEqual(['red<|im_end|>']);
  });

  it('keeps special tokens that a message spells out as text', () => {
    const [chat] = parseChats(lines({ messages: [user('a'), answer('say <|im_end|> now')] }), 'x');
    const { tokens, replies } = encodeChats(tokenizer, [chat!], options()).chats[0]![0]!;
    const learned = Array.from(tokens).slice(replies[0]!.start, replies[0]!.start + replies[0]!.length);
    expect(learned.filter((id) => id === tokenizer.endId)).toHaveLength(1);
    expect(learned.at(-1)).toBe(tokenizer.endId);
    expect(tokenizer.decode(learned)).toBe('say <|im_end|> now<|im_end|>');
  });

  it('is a sequence of its own from where the template writes earlier messages otherwise', async () => {
    const forgetful = await tokenizerWith(
      `{%- for message in messages %}<|im_start|>{{ message.role }} {% if message.role == 'assistant' and not loop.last %}{{ message.content.split('/')[-1] }}{% else %}{{ message.content }}{% endif %}<|im_end|>{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant {% endif %}`,
    );
    const messages = [user('a'), answer('hm/blue'), user('c'), answer('so/red')];
    const start = '<|im_start|>user a<|im_end|><|im_start|>assistant ';
    expect(shown(parseChats(lines({ messages }), 'x'), {}, forgetful)).toEqual([
      [
        { text: `${start}hm/blue<|im_end|>`, learned: ['hm/blue<|im_end|>'] },
        {
          text: `${start}blue<|im_end|><|im_start|>user c<|im_end|><|im_start|>assistant so/red<|im_end|>`,
          learned: ['so/red<|im_end|>'],
        },
      ],
    ]);
  });

  it('is what the template makes of a reply, and such chats are counted', async () => {
    const shouting = await tokenizerWith(
      `{%- for message in messages %}<|im_start|>{{ message.role }} {{ message.content | trim | replace('blue', 'red') }}<|im_end|>{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant {% endif %}`,
    );
    const chats = parseChats(lines({ prompt: 'a', completion: ' red ' }, { prompt: 'a', completion: 'blue' }), 'x');
    const { changed } = encodeChats(shouting, chats, options());
    expect({ ...changed }).toEqual({ count: 1, first: 2 });
    expect(shown(chats, {}, shouting).map(([each]) => each!.learned)).toEqual([['red<|im_end|>'], ['red<|im_end|>']]);
  });

  it('is refused where the template leaves it out, with the line', async () => {
    const deaf = await tokenizerWith(
      `{%- for message in messages if message.role == 'user' %}<|im_start|>user {{ message.content }}<|im_end|>{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant {% endif %}`,
    );
    const chats = parseChats(lines({ prompt: 'a', completion: 'b' }), 'x');
    expect(() => encodeChats(deaf, chats, options())).toThrow(
      'chats.jsonl line 1: the chat template does not write message 2',
    );
  });

  it('is refused where the template refuses the chat, with the line', async () => {
    const strict = await tokenizerWith(`{{ raise_exception('no') }}`);
    const chats = parseChats(lines({ prompt: 'a', completion: 'b' }), 'x');
    expect(() => encodeChats(strict, chats, options())).toThrow(/^chats.jsonl line 1: .*refuses the conversation/);
  });
});

describe('a chat that is too long', () => {
  const messages = [user('a'), answer('blue'), user('c'), answer('red red red red red red')];
  const rows = lines({ messages }, { prompt: 'a', completion: 'blue' });

  it('loses the replies that do not fit whole, or is left out', () => {
    const chats = parseChats(rows, 'x');
    const first = encodeChats(tokenizer, chats, options()).chats[0]![0]!.replies[0]!;
    const maxTokens = first.start + first.length + 2;
    const cut = encodeChats(tokenizer, chats, options({ maxTokens }));
    expect([{ ...cut.cut }, cut.skipped.count, cut.chats.length]).toEqual([{ count: 1, first: 1 }, 0, 2]);
    expect(cut.chats[0]![0]!.replies).toEqual([first]);
    const skipped = encodeChats(tokenizer, chats, options({ maxTokens, tooLong: 'skip' }));
    expect([{ ...skipped.skipped }, skipped.cut.count, skipped.chats.length]).toEqual([{ count: 1, first: 1 }, 0, 1]);
  });

  it('is told, and so is a file of which nothing is left', async () => {
    const path = join(folder, 'long.jsonl');
    writeFileSync(path, rows);
    const config = (maxTokens: number) => sftConfigSchema.parse({ model: 'x', data: { path, maxTokens, heldOut: 0 } });
    const { notes, counts } = await readDataset(config(20), tokenizer, Number.POSITIVE_INFINITY);
    expect(notes).toEqual([
      `${path}: 1 chat with more than 20 tokens cut to the replies that fit whole (first in line 1).`,
    ]);
    expect(counts).toEqual({ skipped: 0, cut: 1, changed: 0 });
    await expect(readDataset(config(3), tokenizer, Number.POSITIVE_INFINITY)).rejects.toThrow(
      `${path}: all 2 chats are longer than data.maxTokens (3)`,
    );
    expect((await readDataset(config(1000), tokenizer, 20)).counts.cut).toBe(1);
  });
});

describe('held-out chats', () => {
  const path = join(folder, 'twenty.jsonl');
  const settings = (over: object) => sftConfigSchema.parse({ model: 'x', data: { path, ...over } });
  beforeAll(() => {
    writeFileSync(path, lines(...Array.from({ length: 20 }, (_, i) => ({ prompt: `door ${i}`, completion: 'red' }))));
  });

  it('are drawn by the seed, and are not learned', async () => {
    const split = async (seed: number) => {
      const { training, heldOut } = await readDataset({ ...settings({ heldOut: 0.2 }), seed }, tokenizer, 1000);
      const texts = (chats: typeof training) => chats.map(([each]) => tokenizer.decode(each!.tokens));
      return { training: texts(training), heldOut: texts(heldOut) };
    };
    const one = await split(1);
    expect([one.training.length, one.heldOut.length]).toEqual([16, 4]);
    expect(new Set([...one.training, ...one.heldOut]).size).toBe(20);
    expect(await split(1)).toEqual(one);
    expect((await split(2)).heldOut).not.toEqual(one.heldOut);
  });

  it('may come from a file, and must leave something', async () => {
    const { training, heldOut } = await readDataset(settings({ evaluation: path }), tokenizer, 1000);
    expect([training.length, heldOut.length]).toEqual([20, 20]);
    await expect(readDataset(settings({ heldOut: 0.99 }), tokenizer, 1000)).rejects.toThrow('leaves none of 20 chats');
  });
});

it('chats are packed into micro-batches that are as full as can be', () => {
  const lengths = [60, 50, 40, 30, 20];
  const sequences = lengths.map((length) => ({ tokens: [], replies: [{ start: length, length: 1 }] }));
  const batches = splitBySize(packed(sequences, 100), packedLength, 100);
  expect(batches.map((batch) => batch.map(packedLength))).toEqual([
    [60, 40],
    [50, 30, 20],
  ]);
});
