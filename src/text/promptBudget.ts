/**
 * Keeps a prompt within its token budget. When it is too long, parts go in this order, each only as far as needed, and
 * all of it is reported:
 *
 * 1. past turns, oldest first;
 * 2. the end of the current observation, down to a quarter of its characters;
 * 3. actions on offer, from the end of the list (the environment still accepts them, and they still count as
 *   admissible);
 * 4. the rest of the observation.
 *
 * The task itself is never cut: a budget too small for it is a mistake in the configuration.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Prompt, PromptDrops, PromptInput } from './promptTypes.ts';

/** How much of each part is shown. */
type Kept = { readonly [part in keyof PromptDrops]: number };

/**
 * Renders a turn within `maxTokens`.
 * @throws {ProxmoError} `config` if the prompt is too long even without past turns, observation and actions.
 */
export function fitPrompt(input: PromptInput, render: (input: PromptInput) => number[], maxTokens: number): Prompt {
  const full: Kept = {
    history: input.history.length,
    observation: input.observation.length,
    actions: input.admissibleActions?.length ?? 0,
  };
  const attempt = (kept: Kept): Prompt | null => {
    const ids = render(shorten(input, kept));
    if (ids.length > maxTokens) return null;
    const dropped = {
      history: full.history - kept.history,
      observation: full.observation - kept.observation,
      actions: full.actions - kept.actions,
    };
    return { ids, truncated: dropped.history + dropped.observation + dropped.actions > 0, dropped };
  };
  const cuts = wordEnds(input.observation);
  const floor = Math.min(cuts.filter((end) => end < full.observation / 4).length, cuts.length - 1);
  const cutTo = (index: number): Kept => ({ ...full, history: 0, observation: cuts[index]! });
  const withoutActions = (count: number): Kept => ({ ...cutTo(floor), actions: count });
  const prompt =
    largest(0, full.history, (history) => attempt({ ...full, history })) ??
    largest(floor, cuts.length - 1, (index) => attempt(cutTo(index))) ??
    largest(0, full.actions, (count) => attempt(withoutActions(count))) ??
    largest(0, floor, (index) => attempt({ ...cutTo(index), actions: 0 }));
  if (prompt) return prompt;
  const needed = render(shorten(input, { history: 0, observation: 0, actions: 0 })).length;
  throw new ProxmoError(
    'config',
    `Prompt: the task alone needs ${needed} tokens but at most ${maxTokens} are allowed; raise maxTokens.`,
  );
}

function shorten(input: PromptInput, kept: Kept): PromptInput {
  return {
    ...input,
    history: kept.history === 0 ? [] : input.history.slice(-kept.history),
    observation: input.observation.slice(0, kept.observation),
    admissibleActions: input.admissibleActions?.slice(0, kept.actions) ?? null,
  };
}

/**
 * Places where a text can be cut without splitting a word: its start, the end of each run without white space, its end.
 */
function wordEnds(text: string): number[] {
  const ends = Array.from(text.matchAll(/\S(?=\s)/g), (match) => match.index + 1);
  return text === '' ? [0] : [0, ...ends, text.length];
}

/**
 * The prompt of the largest count in `[low, high]` that gives one; null if none does. Tries `high` first, then halves
 * the range.
 */
function largest(low: number, high: number, attempt: (count: number) => Prompt | null): Prompt | null {
  let best = attempt(high);
  if (best) return best;
  while (low < high) {
    const middle = (low + high) >> 1;
    const prompt = attempt(middle);
    if (prompt) {
      best = prompt;
      low = middle + 1;
    } else high = middle;
  }
  return best;
}
