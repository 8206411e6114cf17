/**
 * How a plain prompt's parts become tokens, and a plain reply becomes an action again. `textWriting` takes the text as
 * it stands; `pointers.ts` writes it by how it compares with the task.
 */
import type { Tokenizer } from './tokenizer.ts';

export const vocabularies = ['words', 'pointers'] as const;
export type Vocabulary = (typeof vocabularies)[number];

/** One look at the world, as a prompt shows it. */
export interface Look {
  /** The task in words. */
  readonly instruction: string;
  readonly observation: string;
  /** All actions on offer, whether the prompt lists them or not; null where the environment does not say. */
  readonly offered: readonly string[] | null;
}

export interface Writing {
  task(instruction: string): number[];
  /** @param earlier what stands in the same context before this, oldest first */
  observation(look: Look, earlier: readonly Omit<Look, 'instruction'>[]): number[];
  /** An action on the list of those on offer. */
  option(action: string, look: Omit<Look, 'observation'>): number[];
  /** An action as the policy writes it, without the end token. */
  action(action: string, offered: Look['offered']): number[];
  /** The text that a reply, without its end token, stands for. */
  read(reply: readonly number[], offered: Look['offered']): string;
}

/** Everything as it stands. */
export function textWriting(tokenizer: Tokenizer): Writing {
  const encode = (text: string) => tokenizer.encode(text);
  return {
    task: encode,
    observation: ({ observation }) => encode(observation),
    option: encode,
    action: encode,
    read: (reply) => tokenizer.decode(reply),
  };
}
