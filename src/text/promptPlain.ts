/**
 * The plain prompt, for small policies with a word vocabulary. No filler: each part is its text behind one marker
 * token, and the policy goes on from the last marker with the action and the end token.
 *
 *   <task> put a mug in desk 1 <observation> On the desk 1 , you see nothing . <action> go to desk 2 <observation> ... <option> go to
 *   desk 1 <option> look <action>
 *
 * Past actions stand behind the same marker that the policy writes behind, and the actions on offer behind their own,
 * so that a small transformer can learn to copy one of the latter.
 */
import type { PromptInput } from './promptTypes.ts';
import type { PromptMarker, Tokenizer } from './tokenizer.ts';
import { type Look, textWriting, type Writing } from './writing.ts';

/** The markers in words, for a vocabulary that has no ids for them. */
const markerTexts: Readonly<Record<PromptMarker, string>> = {
  task: 'Task: ',
  observation: '\nObservation: ',
  action: '\nAction: ',
  option: '\n- ',
};

/** How a plain prompt is laid out. */
export interface PlainLayout {
  /** Ids behind each past action; none by default. A transcript has there what ends a reply. */
  readonly pastEnd?: readonly number[];
  /** The task stands before the action to take once more, so that it is near. */
  readonly repeatTask?: boolean;
  /** How texts are written; as they stand by default. */
  readonly writing?: Writing;
}

/** Token ids of a plain prompt. */
export function plainPrompt(tokenizer: Tokenizer, input: PromptInput, layout: PlainLayout = {}): number[] {
  const { writing = textWriting(tokenizer), pastEnd = [] } = layout;
  const { instruction, history } = input;
  const earlier: Omit<Look, 'instruction'>[] = [];
  const ids = [...marker(tokenizer, 'task'), ...writing.task(instruction)];
  for (const { observation, action, offered = null } of history) {
    ids.push(...marker(tokenizer, 'observation'));
    ids.push(...writing.observation({ instruction, observation, offered }, earlier));
    ids.push(...marker(tokenizer, 'action'), ...writing.action(action, offered), ...pastEnd);
    earlier.push({ observation, offered });
  }
  return [...ids, ...turnBehind(tokenizer, input, earlier, layout)];
}

/**
 * Token ids of one turn, from its observation up to where the action goes: what a transcript goes on with behind the
 * turns of the input's history.
 */
export function plainTurn(tokenizer: Tokenizer, input: PromptInput, layout: PlainLayout = {}): number[] {
  const earlier = input.history.map(({ observation, offered = null }) => ({ observation, offered }));
  return turnBehind(tokenizer, input, earlier, layout);
}

/** @param earlier what stands before it */
function turnBehind(
  tokenizer: Tokenizer,
  { instruction, observation, admissibleActions, offered = admissibleActions }: PromptInput,
  earlier: readonly Omit<Look, 'instruction'>[],
  { repeatTask = false, writing = textWriting(tokenizer) }: PlainLayout,
): number[] {
  return [
    ...marker(tokenizer, 'observation'),
    ...writing.observation({ instruction, observation, offered }, earlier),
    ...(admissibleActions ?? []).flatMap((action) => [
      ...marker(tokenizer, 'option'),
      ...writing.option(action, { instruction, offered }),
    ]),
    ...(repeatTask ? [...marker(tokenizer, 'task'), ...writing.task(instruction)] : []),
    ...marker(tokenizer, 'action'),
  ];
}

function marker(tokenizer: Tokenizer, name: PromptMarker): number[] {
  return tokenizer.markerIds ? [tokenizer.markerIds[name]] : tokenizer.encode(markerTexts[name]);
}
