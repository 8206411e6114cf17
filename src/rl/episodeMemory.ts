/**
 * What the policy of an episode reads before each of its actions. A window is written anew for every turn: the task,
 * the last turns, this one. A transcript only grows: the task and what was seen, done, seen, done, in that order, so
 * that a turn adds what is new behind what was read before, and a whole episode is one sequence to learn from.
 */
import type { ReplySpan, TokenSequence } from '../nn/replies.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { PastTurn, Prompt, PromptInput } from '../text/promptTypes.ts';

export const memoryForms = ['window', 'transcript'] as const;
export type MemoryForm = (typeof memoryForms)[number];

/** What is to be read before a reply. */
export interface Reading {
  /** New tokens: all of the context for its first turn, else those behind the last reply. */
  readonly tokens: readonly number[];
  /** Number of the context within its episode. What is read and written in one context is one sequence. */
  readonly context: number;
  /** Something was left out to keep to the budget. */
  readonly truncated: boolean;
}

export interface EpisodeMemory {
  /** @throws {ProxmoError} `config` if not even the task fits */
  read(turn: Omit<PromptInput, 'history' | 'step'>): Reading;
  /** Told of the reply to what was read, and of the action that it was. */
  wrote(reply: readonly number[], action: string): void;
}

/** @param endTokens that end a reply */
export function createMemory(form: MemoryForm, prompts: PromptBuilder, endTokens: readonly number[]): EpisodeMemory {
  return form === 'window' ? new WindowMemory(prompts) : new TranscriptMemory(prompts, new Set(endTokens));
}

class WindowMemory implements EpisodeMemory {
  private readonly history: PastTurn[] = [];
  private seen: Omit<PastTurn, 'action'> = { observation: '' };

  constructor(private readonly prompts: PromptBuilder) {}

  read(turn: Omit<PromptInput, 'history' | 'step'>): Reading {
    const { history } = this;
    this.seen = { observation: turn.observation, offered: turn.admissibleActions };
    const { ids, truncated } = this.prompts.build({ ...turn, history, step: history.length });
    return { tokens: ids, context: history.length, truncated };
  }

  wrote(_: readonly number[], action: string): void {
    this.history.push({ ...this.seen, action });
  }
}

class TranscriptMemory implements EpisodeMemory {
  private readonly history: PastTurn[] = [];
  private seen: Omit<PastTurn, 'action'> = { observation: '' };
  private context = -1;
  /** Past turns that do not stand in the context. */
  private left = 0;
  /** Tokens of the context. */
  private length = 0;
  private isEnded = true;

  constructor(
    private readonly prompts: PromptBuilder,
    private readonly endTokens: ReadonlySet<number>,
  ) {}

  read(turn: Omit<PromptInput, 'history' | 'step'>): Reading {
    this.seen = { observation: turn.observation, offered: turn.admissibleActions };
    const input = { ...turn, history: this.history, step: this.history.length };
    const { maxTokens } = this.prompts;
    if (this.context >= 0) {
      const shown = { ...input, history: this.history.slice(this.left) };
      const tokens = this.prompts.followUp(shown, this.isEnded);
      if (this.length + tokens.length <= maxTokens) {
        this.length += tokens.length;
        return { tokens, context: this.context, truncated: false };
      }
    }
    const { prompt, left } = this.context < 0 ? { prompt: this.prompts.open(input), left: 0 } : this.reopen(input);
    this.context++;
    this.left = left;
    this.length = prompt.ids.length;
    return { tokens: prompt.ids, context: this.context, truncated: prompt.truncated };
  }

  wrote(reply: readonly number[], action: string): void {
    this.history.push({ ...this.seen, action });
    this.length += reply.length;
    this.isEnded = this.endTokens.has(reply.at(-1) ?? -1);
  }

  /** A context that is full goes on in a new one, with the last turns that fit into half of it. */
  private reopen(input: PromptInput): { readonly prompt: Prompt; readonly left: number } {
    const half = Math.floor(this.prompts.maxTokens / 2);
    const alone = this.prompts.open({ ...input, history: [] });
    if (alone.ids.length > half) return { prompt: alone, left: input.history.length };
    const prompt = this.prompts.open(input, half);
    return { prompt, left: prompt.dropped.history };
  }
}

/** One turn of an episode, as it was read and written. */
export interface TurnTokens {
  readonly prompt: readonly number[];
  readonly context: number;
  readonly reply: readonly number[];
  readonly bound?: ReplySpan['bound'];
  /** The reply is context alone, and nothing to learn from. False by default. */
  readonly untaught?: boolean;
}

/** Turns that were read and written in one context, as one sequence with a reply for each turn. */
export interface ContextSequence<T extends TurnTokens> extends TokenSequence {
  readonly turns: readonly T[];
}

/** The sequences of an episode's turns, in their order, with those replies that are to be learned from. */
export function contextSequences<T extends TurnTokens>(turns: readonly T[]): ContextSequence<T>[] {
  const contexts: T[][] = [];
  for (const turn of turns) {
    const last = contexts.at(-1);
    if (last?.[0]?.context === turn.context) last.push(turn);
    else contexts.push([turn]);
  }
  return contexts.map(sequenceOf).filter(({ replies }) => replies.length > 0);
}

function sequenceOf<T extends TurnTokens>(turns: readonly T[]): ContextSequence<T> {
  const tokens: number[] = [];
  const replies: ReplySpan[] = [];
  for (const { prompt, reply, bound, untaught } of turns) {
    for (const token of prompt) tokens.push(token);
    if (!untaught) replies.push({ start: tokens.length, length: reply.length, ...(bound ? { bound } : {}) });
    for (const token of reply) tokens.push(token);
  }
  return { tokens, replies, turns };
}
