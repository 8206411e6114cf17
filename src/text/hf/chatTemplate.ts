/**
 * Chat templates: how a model writes a conversation as text, in Jinja, as its makers trained it.
 */
import { errorMessage, ProxmoError } from '../../base/errors.ts';
import { Template } from '../jinja/template.ts';
import { UnsupportedError } from '../jinja/values.ts';
import { escapeRegExp } from './addedTokens.ts';

/** A message of a conversation. Templates may read further fields, such as `tool_calls`. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or another that the template knows. */
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** What a chat template is given besides the messages. */
export interface ChatOptions {
  /**
   * Ends with the opening of the assistant's turn, so that the model continues with its reply; false by default, as in
   * the reference.
   */
  readonly addGenerationPrompt?: boolean;
  /** Descriptions of tools, for templates that show them. */
  readonly tools?: readonly unknown[];
  /** Further variables of the template, such as `enable_thinking` or `date_string`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Names that the template language gives a meaning of its own. */
const reserved = new Set([
  'true',
  'false',
  'none',
  'True',
  'False',
  'None',
  'range',
  'raise_exception',
  'strftime_now',
]);

/** Names of what every template gets. */
const options = new Set(['messages', 'tools', 'add_generation_prompt']);

export class ChatTemplate {
  readonly #template: Template;
  readonly #specialTokens: Readonly<Record<string, string | undefined>>;
  readonly #where: string;
  readonly #text: string;

  /**
   * @param specialTokens the tokens that a template refers to by role, such as `eos_token`
   * @param where name of the tokenizer's folder or file, for messages
   * @throws {ProxmoError} `file` if the text is not a template of the supported kind.
   */
  constructor(text: string, specialTokens: Readonly<Record<string, string | undefined>>, where: string) {
    this.#specialTokens = specialTokens;
    this.#where = where;
    this.#text = text;
    try {
      this.#template = new Template(text);
    } catch (cause) {
      throw (
        this.#unsupported(cause) ??
        this.#fail('file', `cannot be read (${errorMessage(cause)}); give the model another one`, cause)
      );
    }
  }

  /**
   * Refuses settings that would change nothing: a misspelled variable is passed over in silence otherwise.
   * @throws {ProxmoError} `config` if the template reads no variable of a name, or no tools
   */
  requireRead({ tools, variables = {} }: Pick<ChatOptions, 'tools' | 'variables'>): void {
    const names = [...Object.keys(variables), ...(tools === undefined ? [] : ['tools'])];
    const unread = names.find((name) => !new RegExp(`(?<!\\w)${escapeRegExp(name)}(?!\\w)`).test(this.#text));
    if (unread === undefined) return;
    throw new ProxmoError(
      'config',
      `${this.#where}: the chat template reads no \`${unread}\`, so it would change nothing; leave it out, or check its name.`,
    );
  }

  /**
   * The conversation as text, as the reference writes it.
   * @throws {ProxmoError} `config` if a variable's name is taken; `data` if the template refuses the conversation;
   * `file` if it needs a part of Jinja that is not there.
   */
  render(
    messages: readonly ChatMessage[],
    { addGenerationPrompt = false, tools, variables = {} }: ChatOptions = {},
  ): string {
    for (const name of Object.keys(variables)) {
      if (!reserved.has(name) && !options.has(name)) continue;
      const user = reserved.has(name) ? 'the language uses that name' : 'that is an option of its own';
      throw new ProxmoError('config', `Chat template: a variable cannot be called \`${name}\`; ${user}.`);
    }
    const items = {
      ...this.#specialTokens,
      messages,
      tools: tools ?? null,
      documents: null,
      add_generation_prompt: addGenerationPrompt,
      ...variables,
    };
    try {
      return this.#template.render(items);
    } catch (cause) {
      const sentence = `refuses the conversation (${errorMessage(cause)}); give messages that it takes`;
      throw this.#unsupported(cause) ?? this.#fail('data', sentence, cause);
    }
  }

  /** The error for a template that needs what is not there; null for other causes. */
  #unsupported(cause: unknown): ProxmoError | null {
    if (!(cause instanceof UnsupportedError)) return null;
    return this.#fail('file', `uses ${cause.message}, which is not supported; give the model another one`, cause);
  }

  #fail(code: 'file' | 'data', what: string, cause: unknown): ProxmoError {
    return new ProxmoError(code, `${this.#where}: the chat template ${what}.`, { cause });
  }
}
