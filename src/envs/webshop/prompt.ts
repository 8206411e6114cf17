/**
 * The `think-action` message of the shop, in the structure that verl-agent and ProxMO use for WebShop (arXiv
 * 2602.19225): role, task, past turns, the page, the actions, and how to answer. Pages begin after the instruction,
 * with each string in quotes; a message that grows too long goes without past turns.
 */
import type { PromptInput, ThinkActionStyle } from '../../text/promptTypes.ts';
import { SEPARATOR } from './session.ts';

/** Characters of a message beyond which it shows no past turns. */
const LONGEST_WITH_HISTORY = 13_000;

/** Characters at the end of a reply without tags that are taken as the action. */
const TAIL_LENGTH = 20;

/** How a page with a search bar offers to search: a form to fill in, with the button beside it. */
const SEARCH_FORM: readonly string[] = ['search[<your query>]', 'click[search]'];

export const webshopThinkAction: ThinkActionStyle = {
  message: webshopMessage,
  rareTexts: SEARCH_FORM,
  verlTailLength: TAIL_LENGTH,
};

const ROLE = 'You are an expert customer who shops step by step in the WebShop online store.';

const ANSWER = [
  'Now it is your turn to act. First reason step by step about the page and the task; write your reasoning between <think> and </think>.',
  'Then choose one action for this step and write it between <action> and </action>.',
].join('\n');

function webshopMessage(input: PromptInput): string {
  if (input.step > 0) {
    const message = compose(input, pastTurns(input));
    if (message.length <= LONGEST_WITH_HISTORY) return message;
  }
  return compose(input, []);
}

function compose(input: PromptInput, past: readonly string[]): string {
  const { instruction, observation, step } = input;
  const page = quotePage(observation, instruction);
  return [
    `${ROLE} Your task is to: ${instruction}.`,
    ...past,
    past.length === 0
      ? `What you see now is: ${page}.`
      : `You are now at step ${step + 1} and what you see is: ${page}.`,
    `The actions you can take now are:\n[\n${listActions(input.admissibleActions ?? []).join('\n')}\n].`,
    '',
    ANSWER,
  ].join('\n');
}

function pastTurns({ history, step, instruction }: PromptInput): string[] {
  const lines = history.map(({ observation, action }, i) => {
    const number = step - history.length + i + 1;
    return `[Observation ${number}: '${quotePage(observation, instruction)}', Action ${number}: '${action}']`;
  });
  return [
    `Steps taken so far: ${step}.`,
    ...(lines.length === 0 ? [] : ['Your last observations, and the actions you took on them:', ...lines]),
  ];
}

/**
 * What a page says after the instruction: `'Back to Search' [SEP] 'Page 1 (Total results: 50)'`. A page without the
 * instruction is quoted whole.
 */
function quotePage(observation: string, instruction: string): string {
  const parts = observation.split(SEPARATOR);
  return parts
    .slice(parts.indexOf(instruction) + 1)
    .map((part) => `'${part}'`)
    .join(SEPARATOR);
}

/** One action a line. */
function listActions(actions: readonly string[]): string[] {
  const clicks = actions.filter((action) => !action.startsWith('search['));
  const searches = clicks.length < actions.length ? SEARCH_FORM : [];
  return [...searches, ...clicks].map((action) => `'${action}',`);
}
