/**
 * Prompts: what the policy reads before it acts. `PromptBuilder` turns one turn of an episode into token ids, in one of
 * two formats (`promptPlain.ts`, `promptThinkAction.ts`), within a token budget (`promptBudget.ts`). The reply is read
 * by `actionFormat.ts`.
 */
import { ProxmoError } from '../base/errors.ts';
import type { ActionFormat } from './actionFormat.ts';
import { fitPrompt } from './promptBudget.ts';
import { plainPrompt } from './promptPlain.ts';
import { thinkActionMessage } from './promptThinkAction.ts';
import type { Prompt, PromptInput, ThinkActionStyle } from './promptTypes.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface PromptOptions {
  /** Past turns shown; 2 by default, as in the paper. */
  readonly history?: number;
  /** `plain` by default. */
  readonly format?: ActionFormat;
  /** Most tokens of a prompt; unlimited by default. */
  readonly maxTokens?: number;
  /** Actions left out of the list on show; `help` by default, which changes nothing and costs tokens each turn. */
  readonly omitActions?: readonly string[];
  /**
   * For `think-action`: ids of a user message as the model expects one, with its chat template and the opening of the
   * answer. By default the ids of the message and the `action` marker where there is one.
   */
  readonly encodeMessage?: (message: string) => number[];
  /** For `think-action`: the environment's own form of a message; the general one by default. */
  readonly thinkAction?: Pick<ThinkActionStyle, 'message'>;
}

export class PromptBuilder {
  readonly #history: number;
  readonly #maxTokens: number;
  readonly #omitActions: ReadonlySet<string>;
  readonly #render: (input: PromptInput) => number[];

  /** @throws {ProxmoError} `config` if `history` or `maxTokens` is not a count. */
  constructor(tokenizer: Tokenizer, options: PromptOptions = {}) {
    this.#history = options.history ?? 2;
    this.#maxTokens = options.maxTokens ?? Number.POSITIVE_INFINITY;
    this.#omitActions = new Set(options.omitActions ?? ['help']);
    if (!Number.isInteger(this.#history) || this.#history < 0) {
      throw new ProxmoError(
        'config',
        `Prompt: history is ${this.#history}; give the number of past turns to show, 0 or more.`,
      );
    }
    if (!(this.#maxTokens >= 1)) {
      throw new ProxmoError(
        'config',
        `Prompt: maxTokens is ${this.#maxTokens}; give the most tokens of a prompt, 1 or more.`,
      );
    }
    const encodeMessage = options.encodeMessage ?? ((message: string) => encodeBareMessage(tokenizer, message));
    const message = options.thinkAction
      ? (input: PromptInput) => options.thinkAction!.message(input)
      : thinkActionMessage;
    this.#render =
      options.format === 'think-action'
        ? (input) => encodeMessage(message(input))
        : (input) => plainPrompt(tokenizer, input);
  }

  /**
   * The prompt of a turn.
   * @throws {ProxmoError} `data` if there are more past turns than steps; `config` if not even the task fits into the
   * budget.
   */
  build(input: PromptInput): Prompt {
    if (input.history.length > input.step) {
      const { history, step } = input;
      throw new ProxmoError(
        'data',
        `Prompt: ${history.length} past turns at step ${step}; give at most one for each step taken.`,
      );
    }
    const shown: PromptInput = {
      ...input,
      history: this.#history === 0 ? [] : input.history.slice(-this.#history),
      admissibleActions: input.admissibleActions?.filter((action) => !this.#omitActions.has(action)) ?? null,
    };
    return fitPrompt(shown, this.#render, this.#maxTokens);
  }
}

function encodeBareMessage(tokenizer: Tokenizer, message: string): number[] {
  const ids = tokenizer.encode(message);
  if (tokenizer.markerIds) ids.push(tokenizer.markerIds.action);
  return ids;
}
