/**
 * Prompts: what the policy reads before it acts. `PromptBuilder` turns one turn of an episode into token ids, within a
 * token budget (`promptBudget.ts`): either by itself with the last turns before it (a window) or behind all that was
 * read and written before (a transcript). There are two formats (`promptPlain.ts`, `promptThinkAction.ts`). The reply
 * is read by `actionFormat.ts`.
 */
import { ProxmoError } from '../base/errors.ts';
import type { ActionFormat } from './actionFormat.ts';
import { highlighter } from './highlight.ts';
import { type PointerStyle, PointerWriting } from './pointers.ts';
import { fitPrompt } from './promptBudget.ts';
import { type PlainLayout, plainPrompt, plainTurn } from './promptPlain.ts';
import { followUpMessage, thinkActionMessage } from './promptThinkAction.ts';
import type { Prompt, PromptInput, ThinkActionStyle } from './promptTypes.ts';
import type { Tokenizer } from './tokenizer.ts';
import { textWriting, type Writing } from './writing.ts';

export interface PromptOptions {
  /** Past turns that a window shows; 2 by default, as in the paper. */
  readonly history?: number;
  /** `plain` by default. */
  readonly format?: ActionFormat;
  /** Most tokens of a prompt; unlimited by default. */
  readonly maxTokens?: number;
  /** Whether the actions on offer are shown; true by default. */
  readonly showActions?: boolean;
  /** Actions left out of the list on show; `help` by default, which changes nothing and costs tokens each turn. */
  readonly omitActions?: readonly string[];
  /** For `plain`: the task stands once more before each action to take. False by default. */
  readonly repeatTask?: boolean;
  /** Words of observations and shown actions that the task names stand behind a mark, `*`. False by default. */
  readonly highlight?: boolean;
  /** For `plain`: what pages consist of, to write them with pointers. By default texts are written as they stand. */
  readonly pointers?: PointerStyle;
  /**
   * For `think-action`: ids of a user message as the model expects one, with its chat template and the opening of the
   * answer. By default the ids of the message and the `action` marker where there is one.
   */
  readonly encodeMessage?: (message: string) => number[];
  /**
   * For `think-action`: ids of a user message behind an answer of the model, up to the opening of the next answer.
   * `isEnded` says whether the answer has its end token. By default as `encodeMessage`.
   */
  readonly encodeFollowUp?: (message: string, isEnded: boolean) => number[];
  /** For `think-action`: the environment's own form of a message; the general one by default. */
  readonly thinkAction?: Pick<ThinkActionStyle, 'message' | 'followUp'>;
}

/** How prompts of a format are written. */
interface Form {
  /** A turn by itself, with the past turns given. */
  readonly window: (input: PromptInput) => number[];
  /** The beginning of a transcript: the same, but past replies look as the policy writes them. */
  readonly opening: (input: PromptInput) => number[];
  /** A turn of a transcript, behind a reply. */
  readonly followUp: (input: PromptInput, isEnded: boolean) => number[];
}

/**
 * Makes prompts of what a policy sees of an episode.
 * @example
 * const prompts = new PromptBuilder(tokenizer, { history: 2, maxTokens: 320 });
 */
export class PromptBuilder {
  /** How replies are written. */
  readonly writing: Writing;
  readonly #history: number;
  readonly #maxTokens: number;
  readonly #showActions: boolean;
  readonly #omitActions: ReadonlySet<string>;
  readonly #highlight: boolean;
  readonly #form: Form;

  /** @throws {ProxmoError} `config` if `history` or `maxTokens` is not a count. */
  constructor(tokenizer: Tokenizer, options: PromptOptions = {}) {
    this.#history = options.history ?? 2;
    this.#maxTokens = options.maxTokens ?? Number.POSITIVE_INFINITY;
    this.#showActions = options.showActions ?? true;
    this.#omitActions = new Set(options.omitActions ?? ['help']);
    this.#highlight = options.highlight ?? false;
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
    const { pointers, format, repeatTask = false } = options;
    this.writing = pointers ? new PointerWriting(tokenizer, pointers) : textWriting(tokenizer);
    this.#form =
      format === 'think-action'
        ? messageForm(tokenizer, options)
        : plainForm(tokenizer, { repeatTask, writing: this.writing });
  }

  /** Most tokens of a prompt, or of a transcript before a reply. */
  get maxTokens(): number {
    return this.#maxTokens;
  }

  /**
   * The prompt of a turn in a window of past turns.
   * @throws {ProxmoError} `data` if there are more past turns than steps; `config` if not even the task fits into the
   * budget.
   */
  build(input: PromptInput): Prompt {
    checkHistory(input);
    const history = this.#history === 0 ? [] : input.history.slice(-this.#history);
    return fitPrompt(this.#shown({ ...input, history }), this.#form.window, this.#maxTokens);
  }

  /**
   * The beginning of a transcript: the task, as many of the past turns as fit, and this turn.
   * @param maxTokens for it
   * @throws {ProxmoError} as `build`
   */
  open(input: PromptInput, maxTokens: number = this.#maxTokens): Prompt {
    checkHistory(input);
    return fitPrompt(this.#shown(input), this.#form.opening, maxTokens);
  }

  /**
   * What a transcript goes on with behind a reply; the input's history is what stands there already.
   * @param isEnded whether the reply has its end token
   */
  followUp(input: PromptInput, isEnded: boolean): number[] {
    return this.#form.followUp(this.#shown(input), isEnded);
  }

  #shown(input: PromptInput): PromptInput {
    const offered = this.#showActions ? input.admissibleActions : null;
    const admissibleActions = offered?.filter((action) => !this.#omitActions.has(action)) ?? null;
    const shown = { ...input, admissibleActions, offered: input.admissibleActions };
    if (!this.#highlight) return shown;
    const mark = highlighter(input.instruction);
    return {
      ...shown,
      history: input.history.map((past) => ({ ...past, observation: mark(past.observation) })),
      observation: mark(input.observation),
      admissibleActions: admissibleActions?.map(mark) ?? null,
    };
  }
}

function plainForm(tokenizer: Tokenizer, layout: PlainLayout): Form {
  return {
    window: (input) => plainPrompt(tokenizer, input, layout),
    opening: (input) => plainPrompt(tokenizer, input, { ...layout, pastEnd: [tokenizer.endId] }),
    // A reply that was cut needs no end: the marker of the observation tells.
    followUp: (input) => plainTurn(tokenizer, input, layout),
  };
}

function messageForm(tokenizer: Tokenizer, options: PromptOptions): Form {
  const { encodeMessage = (message: string) => encodeBareMessage(tokenizer, message), thinkAction } = options;
  const { encodeFollowUp = encodeMessage } = options;
  const write = (input: PromptInput) => encodeMessage(thinkAction?.message(input) ?? thinkActionMessage(input));
  return {
    window: write,
    opening: write,
    followUp: (input, isEnded) => encodeFollowUp(thinkAction?.followUp?.(input) ?? followUpMessage(input), isEnded),
  };
}

function checkHistory({ history, step }: PromptInput): void {
  if (history.length <= step) return;
  throw new ProxmoError(
    'data',
    `Prompt: ${history.length} past turns at step ${step}; give at most one for each step taken.`,
  );
}

function encodeBareMessage(tokenizer: Tokenizer, message: string): number[] {
  const ids = tokenizer.encode(message);
  if (tokenizer.markerIds) ids.push(tokenizer.markerIds.action);
  return ids;
}
