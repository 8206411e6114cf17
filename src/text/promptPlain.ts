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

/** Token ids of a plain prompt. */
export function plainPrompt(tokenizer: Tokenizer, input: PromptInput): number[] {
  const ids: number[] = [];
  const append = (marker: PromptMarker, text: string) => {
    if (tokenizer.markerIds) ids.push(tokenizer.markerIds[marker]);
    else for (const id of tokenizer.encode(markerTexts[marker])) ids.push(id);
    for (const id of tokenizer.encode(text)) ids.push(id);
  };
  append('task', input.instruction);
  for (const { observation, action } of input.history) {
    append('observation', observation);
    append('action', action);
  }
  append('observation', input.observation);
  for (const action of input.admissibleActions ?? []) append('option', action);
  append('action', '');
  return ids;
}
