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
}

/** Token ids of a plain prompt. */
export function plainPrompt(tokenizer: Tokenizer, input: PromptInput, layout: PlainLayout = {}): number[] {
  return [
    ...part(tokenizer, 'task', input.instruction),
    ...input.history.flatMap(({ observation, action }) => [
      ...part(tokenizer, 'observation', observation),
      ...part(tokenizer, 'action', action),
      ...(layout.pastEnd ?? []),
    ]),
    ...plainTurn(tokenizer, input, layout),
  ];
}

/** Token ids of one turn, from its observation up to where the action goes: what a transcript goes on with. */
export function plainTurn(
  tokenizer: Tokenizer,
  input: PromptInput,
  { repeatTask = false }: PlainLayout = {},
): number[] {
  return [
    ...part(tokenizer, 'observation', input.observation),
    ...(input.admissibleActions ?? []).flatMap((action) => part(tokenizer, 'option', action)),
    ...(repeatTask ? part(tokenizer, 'task', input.instruction) : []),
    ...part(tokenizer, 'action', ''),
  ];
}

/** A marker and the text behind it. */
function part(tokenizer: Tokenizer, marker: PromptMarker, text: string): number[] {
  const { markerIds } = tokenizer;
  return [...(markerIds ? [markerIds[marker]] : tokenizer.encode(markerTexts[marker])), ...tokenizer.encode(text)];
}
