/** Episodes of somebody who is not the policy, read and written as the policy would have. */
import type { Turn } from '../envs/environment.ts';
import { type ActionFormat, matchAction } from '../text/actionFormat.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { createMemory, type MemoryForm, type Reading } from './episodeMemory.ts';

/** How a policy reads and writes. */
export interface Scribe {
  readonly tokenizer: Tokenizer;
  readonly prompts: PromptBuilder;
  /** `window` by default. */
  readonly memory?: MemoryForm;
  readonly format: ActionFormat;
}

/** Who acts, and the world that answers. */
export interface Course {
  /** @param taken what was done in the turn before; null in the first */
  act(turn: Turn, taken: string | null): string | Promise<string>;
  /** Whether the one who acts thinks that the task is done, asked after it was shown a turn. */
  isDone(): boolean;
  step(action: string): Promise<Turn>;
  /** The action that is taken in place of the wanted one in a turn, counted from 0; null for none. */
  stray?(turn: number, offered: Turn['admissibleActions']): string | null;
}

/** A turn as the policy would have read and written it. */
export interface ActedTurn {
  readonly reading: Reading;
  readonly offered: Turn['admissibleActions'];
  /** The action that the one who acts wanted, and the one that was taken. */
  readonly wanted: string;
  readonly action: string;
  /** Tokens of the action that was taken. */
  readonly reply: readonly number[];
  /** What the world answered. */
  readonly answer: Turn;
}

/**
 * Acts until the episode is over, has so many turns, or the one who acts thinks so.
 * @param onTurn told of each turn when the world has answered
 * @returns whether the task is accomplished, or thought to be
 */
export async function actThrough(
  scribe: Scribe,
  opening: Turn & { readonly instruction: string },
  maxSteps: number,
  { act, isDone, step, stray }: Course,
  onTurn: (turn: ActedTurn) => void,
): Promise<{ readonly success: boolean; readonly isThoughtDone: boolean }> {
  const memory = createMemory(scribe.memory ?? 'window', scribe.prompts, [scribe.tokenizer.endId]);
  let turn: Turn = opening;
  let taken: string | null = null;
  for (let count = 0; !turn.done && count < maxSteps; count++) {
    const { observation, admissibleActions: offered } = turn;
    const named = await act(turn, taken);
    // The call has shown the one who acts what its last action came to.
    if (isDone()) return { success: turn.success, isThoughtDone: true };
    const wanted = matchAction(named, offered) ?? named;
    const action: string = stray?.(count, offered) ?? wanted;
    const reading = memory.read({ instruction: opening.instruction, observation, admissibleActions: offered });
    const reply = replyOf(scribe, action, offered);
    memory.wrote(reply, action);
    const answer = await step(action);
    onTurn({ reading, offered, wanted, action, reply, answer });
    turn = answer;
    taken = action;
  }
  return { success: turn.success, isThoughtDone: false };
}

/** The tokens of the reply that is an action. */
export function replyOf(
  { tokenizer, format, prompts }: Scribe,
  action: string,
  offered: Turn['admissibleActions'],
): number[] {
  const text =
    format === 'plain' ? prompts.writing.action(action, offered) : tokenizer.encode(thinkActionReply(action));
  return [...text, tokenizer.endId];
}

/** An action as the policy must write it. An expert has no thoughts to show, so its think tags are empty. */
function thinkActionReply(action: string): string {
  return `<think></think><action>${action}</action>`;
}
