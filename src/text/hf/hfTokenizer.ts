/**
 * The tokenizer of a pretrained model, from its Hugging Face files. It gives the ids that the reference implementation
 * gives, on top of `@huggingface/tokenizers`, which cuts text into words and merges bytes. Chat templates are rendered
 * by `../jinja`.
 *
 * One thing is deliberately not as in the reference: special tokens in plain text stay text. An observation that spells
 * out `<|im_end|>` cannot end the policy's turn; only a template can. `encode(text, { parseSpecials: true, addSpecials:
 * true })` is the reference's own default.
 */
import { ProxmoError } from '../../base/errors.ts';
import { StreamDecoder, Utf8Decoder } from '../streamDecoder.ts';
import type { StreamingTokenizer } from '../tokenizer.ts';
import { type AddedToken, AddedTokenSplitter } from './addedTokens.ts';
import { createModel, readVocabulary, type TextModel } from './bpe.ts';
import { type EncodedConversation, encodeReplies } from './chatReplies.ts';
import { type ChatMessage, type ChatOptions, ChatTemplate } from './chatTemplate.ts';
import { type HfTokenizerFiles, readSettings, type TokenizerSettings, type tokenRoles } from './files.ts';
import { readNormalizer, readPostProcessor, readPreTokenizer, type Template } from './pipeline.ts';
import { readAddedTokens } from './specialTokens.ts';
import { readDecoder, type Speller } from './spelling.ts';
import { standIn } from './standIns.ts';

export interface EncodeOptions {
  /** Special tokens spelled out in the text become their ids; false by default. */
  readonly parseSpecials?: boolean;
  /** Puts around the text what the model expects there, such as a token for its beginning; false by default. */
  readonly addSpecials?: boolean;
}

/**
 * The tokenizer of a pretrained model, from its `tokenizer.json`.
 * @example
 * const tokenizer = await loadHfTokenizer('models/SmolLM2-135M-Instruct');
 * const ids = tokenizer.encodeChat([{ role: 'user', content: 'hello' }], { addGenerationPrompt: true });
 */
export class HfTokenizer implements StreamingTokenizer {
  readonly vocabSize: number;
  readonly padId: number;
  readonly endId: number;
  /** Ids that end a reply, ascending: `endId`, what the model's makers name, and tokens known for it by their text. */
  readonly stopIds: readonly number[];
  readonly #where: string;
  readonly #settings: TokenizerSettings;
  readonly #model: TextModel;
  readonly #template: Template;
  readonly #startSpelling: () => Speller;
  /** Tokens of the vocabulary and added tokens, by id. */
  readonly #tokens: readonly (string | undefined)[];
  readonly #added: ReadonlyMap<number, AddedToken>;
  /** Texts of the special tokens. */
  readonly #specials: ReadonlySet<string>;
  readonly #rawSplitter: AddedTokenSplitter;
  readonly #normalizedSplitter: AddedTokenSplitter;
  #chatTemplate: ChatTemplate | undefined;

  /**
   * @param files the tokenizer's files
   * @param where name of its folder or file, for messages
   * @throws {ProxmoError} `file` if a file is damaged or contradicts another, or the tokenizer has parts that are not
   * supported.
   */
  constructor(files: HfTokenizerFiles, where: string) {
    const settings = readSettings(files, where);
    const { tokenizer } = settings;
    const vocabulary = readVocabulary(tokenizer, where);
    const { added, endId, padId, stopIds } = readAddedTokens(settings, vocabulary, where);
    const parts = {
      normalizer: readNormalizer(tokenizer.normalizer, where),
      preTokenizer: readPreTokenizer(tokenizer.pre_tokenizer, where),
    };
    const specials = new Set([...added.values()].filter(({ isSpecial }) => isSpecial).map(({ content }) => content));
    this.#where = where;
    this.#specials = specials;
    this.#settings = settings;
    this.#model = createModel(tokenizer, parts, vocabulary, specials, where);
    this.#startSpelling = readDecoder(tokenizer.decoder, where);
    this.#added = added;
    this.#tokens = tokensById(vocabulary, added);
    this.#template = readTemplate(settings, added, this.#tokens.length, where);
    this.vocabSize = vocabSizeOf(this.#tokens, added, endId, settings.modelVocabSize);
    this.endId = endId;
    this.padId = padId;
    this.stopIds = stopIds;
    const byContent = (tokens: AddedToken[], textOf: (token: AddedToken) => string) =>
      new Map(tokens.map((token) => [textOf(token), token]));
    const raw = [...added.values()].filter(({ isNormalized }) => !isNormalized);
    const normalized = [...added.values()].filter(({ isNormalized }) => isNormalized);
    this.#rawSplitter = new AddedTokenSplitter(byContent(raw, ({ content }) => content));
    this.#normalizedSplitter = new AddedTokenSplitter(
      byContent(normalized, ({ content }) => this.#model.normalize(content)),
    );
  }

  /** Whether the model comes with a chat template. */
  get hasChatTemplate(): boolean {
    return this.#settings.chatTemplate !== undefined;
  }

  /**
   * @throws {ProxmoError} `config` if the chat template would not read one of the settings; `file` if there is none, or
   * it cannot be read
   */
  requireChatSettings(settings: Pick<ChatOptions, 'tools' | 'variables'>): void {
    if (settings.tools !== undefined || Object.keys(settings.variables ?? {}).length > 0)
      this.#chat().requireRead(settings);
  }

  /** @throws {ProxmoError} `data` if the text has an added token that the model's embedding has no row for. */
  encode(text: string, { parseSpecials = false, addSpecials = false }: EncodeOptions = {}): number[] {
    const ids = this.#encode(text, parseSpecials, true);
    return this.#checked(addSpecials ? [...this.#template.before, ...ids, ...this.#template.after] : ids);
  }

  /**
   * Text of ids, special tokens by their names. An id that the model has and the tokenizer has no token for adds
   * nothing.
   * @throws {ProxmoError} `data` if an id is not below `vocabSize`.
   */
  decode(ids: ArrayLike<number>): string {
    const stream = this.streamDecoder();
    return stream.push(ids) + stream.flush();
  }

  streamDecoder(): StreamDecoder {
    const spell = this.#startSpelling();
    const bytesOf = (id: number): Uint8Array => {
      if (!(Number.isInteger(id) && id >= 0 && id < this.vocabSize)) {
        throw new ProxmoError(
          'data',
          `${this.#where}: ${id} is not an id of the tokenizer; ids go from 0 to ${this.vocabSize - 1}.`,
        );
      }
      const token = this.#tokens[id];
      return token === undefined ? noBytes : spell(token, this.#added.has(id));
    };
    return new StreamDecoder(bytesOf, new Utf8Decoder());
  }

  /**
   * A conversation as the text that the model was trained to read.
   * @throws {ProxmoError} `file` if there is no chat template or it cannot be read; `data` if it refuses the
   * conversation.
   */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatOptions): string {
    return this.#chat().render(messages, options);
  }

  /**
   * Ids of a conversation. Special tokens come from the template alone: where a message spells one out, it stays text.
   * @throws {ProxmoError} as `applyChatTemplate` and `encode`.
   */
  encodeChat(messages: readonly ChatMessage[], options?: ChatOptions): number[] {
    const { value, restore } = standIn(
      messages,
      [...this.#specials],
      this.#settings.chatTemplate + JSON.stringify(options ?? {}),
    );
    return this.#checked(this.#encode(this.applyChatTemplate(value, options), true, true, restore));
  }

  /**
   * Ids of a conversation in which the replies of the assistant are known token by token (`chatReplies.ts`), to learn
   * them.
   * @throws {ProxmoError} as `applyChatTemplate` and `encode`.
   */
  encodeReplies(messages: readonly ChatMessage[], options: ChatOptions = {}): EncodedConversation {
    const { value, restore } = standIn(
      messages,
      [...this.#specials],
      this.#settings.chatTemplate + JSON.stringify(options),
    );
    const writer = {
      render: (part: readonly ChatMessage[], settings: ChatOptions) => this.applyChatTemplate(part, settings),
      encode: (text: string, isStart: boolean) => this.#checked(this.#encode(text, true, isStart, restore)),
      restore,
      ends: this.stopIds.flatMap((id) => this.#tokens[id] ?? []),
      endId: this.endId,
    };
    return encodeReplies(writer, value, options);
  }

  #checked(ids: number[]): number[] {
    const beyond = ids.find((id) => id >= this.vocabSize);
    if (beyond === undefined) return ids;
    throw new ProxmoError(
      'data',
      `${this.#where}: the text has the token ${JSON.stringify(this.#tokens[beyond])}, whose id ${beyond} is beyond the model's ${this.vocabSize} rows; leave it out.`,
    );
  }

  /**
   * Ids of a user message that follows an answer of the model, up to where its next answer begins: what the template
   * writes between the two, so that a conversation only grows and nothing of it is written twice.
   * @param isEnded whether the answer has the token that ends it; otherwise the ids begin with it
   * @throws {ProxmoError} as `applyChatTemplate`; `file` if the template leaves answers out
   */
  encodeFollowUp(message: string, isEnded: boolean, options: ChatOptions = {}): number[] {
    const answer = 'proxmo-answer';
    const messages = [
      { role: 'user', content: 'proxmo-question' },
      { role: 'assistant', content: answer },
      { role: 'user', content: message },
    ];
    const settings = { ...options, addGenerationPrompt: true };
    const { value, restore } = standIn(
      messages,
      [...this.#specials],
      this.#settings.chatTemplate + JSON.stringify(settings),
    );
    const text = this.applyChatTemplate(value, settings);
    const at = text.indexOf(answer);
    if (at < 0) {
      throw new ProxmoError(
        'file',
        `${this.#where}: the chat template leaves the model's own answers out, so no transcript can be kept with it; set prompt.memory to window.`,
      );
    }
    const rest = text.slice(at + answer.length);
    const ids = this.#encode(rest, true, false, restore);
    // Only what stands before the message can be the answer's end.
    const between = this.#encode(rest.slice(0, rest.indexOf(value.at(-1)!.content)), true, false, restore);
    const end = between.findIndex((id) => this.stopIds.includes(id));
    return isEnded ? ids.slice(end + 1) : ids;
  }

  #chat(): ChatTemplate {
    const { chatTemplate, roles } = this.#settings;
    if (chatTemplate === undefined) {
      throw new ProxmoError(
        'file',
        `${this.#where}: the model has no chat template; use one made for conversations, or add a chat_template.jinja.`,
      );
    }
    this.#chatTemplate ??= new ChatTemplate(chatTemplate, roles, this.#where);
    return this.#chatTemplate;
  }

  /**
   * @param isStart whether this is the beginning of a text
   * @param restore puts special tokens as text into what lies between the special tokens found
   */
  #encode(text: string, withSpecials: boolean, isStart: boolean, restore?: (text: string) => string): number[] {
    return this.#rawSplitter.split(text, withSpecials).flatMap((section, index) => {
      if ('id' in section) return [section.id];
      const isFirst = isStart && index === 0;
      const restored = restore ? restore(section.text) : section.text;
      if (restored !== section.text) return this.#encode(restored, false, isFirst);
      return this.#encodeStretch(section.text, withSpecials, isFirst);
    });
  }

  /** Ids of a stretch without added tokens other than normalised ones. */
  #encodeStretch(text: string, withSpecials: boolean, isStart: boolean): number[] {
    return this.#normalizedSplitter
      .split(this.#model.normalize(text), withSpecials)
      .flatMap((section, index) =>
        'id' in section ? [section.id] : this.#model.encode(section.text, isStart && index === 0),
      );
  }
}

const noBytes = new Uint8Array(0);

/**
 * Ids of the model: its rows, where it says how many, and those of the tokenizer. Added tokens beyond the rows, which
 * the model was never trained on, do not count, but for the one that ends a turn.
 */
function vocabSizeOf(
  tokens: readonly (string | undefined)[],
  added: ReadonlyMap<number, AddedToken>,
  endId: number,
  modelVocabSize: number,
): number {
  const isNeeded = (id: number) => tokens[id] !== undefined && (!added.has(id) || id === endId);
  const beyond = tokens.findLastIndex((_, id) => id >= modelVocabSize && isNeeded(id));
  return modelVocabSize === 0 || beyond >= 0 ? Math.max(tokens.length, modelVocabSize) : modelVocabSize;
}

function tokensById(
  vocabulary: ReadonlyMap<string, number>,
  added: ReadonlyMap<number, AddedToken>,
): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of vocabulary) tokens[id] = token;
  for (const { id, content } of added.values()) tokens[id] = content;
  return tokens;
}

/** What stands around a text. A setting in `tokenizer_config.json` goes before the post-processor. */
function readTemplate(
  { tokenizer, config, roles }: TokenizerSettings,
  added: ReadonlyMap<number, AddedToken>,
  tokenCount: number,
  where: string,
): Template {
  const { before, after } = readPostProcessor(tokenizer.post_processor, where);
  const wrong = [...before, ...after].find((id) => id >= tokenCount);
  if (wrong !== undefined) {
    throw new ProxmoError(
      'file',
      `${where}: the post-processor adds the id ${wrong}, which is no token; fetch it again.`,
    );
  }
  if (config.add_bos_token == null && config.add_eos_token == null) return { before, after };
  const idOf = (role: (typeof tokenRoles)[number]) =>
    [...added.values()].filter(({ content }) => content === roles[role]).map(({ id }) => id);
  return {
    before: config.add_bos_token ? idOf('bos_token') : [],
    after: config.add_eos_token ? idOf('eos_token') : [],
  };
}
