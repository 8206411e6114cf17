/**
 * The think-action prompt, for pretrained models: one user message a turn, in the structure that verl-agent and ProxMO
 * use for household and shopping tasks (arXiv 2602.19225). The first turn shows the observation and the actions; later
 * turns repeat the task, count the steps and list the last turns. The model is asked to reason between think tags and
 * to answer between action tags.
 */
import type { PromptInput, ThinkActionStyle } from './promptTypes.ts';

const role = 'You are an expert at acting step by step in a world described in words.';

const instructions = [
  'Now it is your turn to act. First reason step by step about the situation; write your reasoning between <think> and </think>.',
  'Then choose one action for this step and write it between <action> and </action>.',
].join('\n');

/** The user message of a turn. */
export function thinkActionMessage(input: PromptInput): string {
  const situation = input.step === 0 ? firstTurn(input) : laterTurn(input);
  return [...situation, ...offered(input.admissibleActions), '', instructions].join('\n');
}

/** The user message of a later turn of a transcript: the earlier messages say all but what is new. */
export function followUpMessage({ observation, admissibleActions }: PromptInput): string {
  return [`What you see now is: ${observation}`, ...offered(admissibleActions)].join('\n');
}

/** Texts with every word of a message that is not an environment's own, for a word-level vocabulary. */
export function thinkActionWords(style?: Pick<ThinkActionStyle, 'message' | 'followUp' | 'rareTexts'>): string[] {
  const message = (input: PromptInput) => style?.message(input) ?? thinkActionMessage(input);
  const blank = { instruction: '', observation: '', admissibleActions: [] };
  const turn = { observation: '', action: '' };
  return [
    message({ ...blank, step: 0, history: [] }),
    message({ ...blank, step: 1, history: [turn] }),
    (style?.followUp ?? followUpMessage)({ ...blank, step: 1, history: [turn] }),
    ...(style?.rareTexts ?? []),
  ];
}

/** The first observation usually states the task itself; only where it does not, the message does. */
function firstTurn(input: PromptInput): string[] {
  const opening = input.observation.includes(input.instruction) ? role : withTask(input);
  return [opening, `What you see now is: ${input.observation}`];
}

function laterTurn(input: PromptInput): string[] {
  const { history, step } = input;
  const lines = history.map(({ observation, action }, index) => {
    const number = step - history.length + index + 1;
    return `[Observation ${number}: '${observation}', Action ${number}: '${action}']`;
  });
  return [
    withTask(input),
    `Steps taken so far: ${step}.`,
    ...(lines.length === 0 ? [] : ['Your last observations, and the actions you took on them:', ...lines]),
    `You are now at step ${step + 1} and what you see is: ${input.observation}`,
  ];
}

function withTask(input: PromptInput): string {
  return `${role} Your task is to: ${input.instruction}`;
}

function offered(actions: readonly string[] | null): string[] {
  return actions === null ? [] : [`The actions you can take now are: [${quoted(actions)}].`];
}

function quoted(actions: readonly string[]): string {
  return actions.map((action) => `'${action}'`).join('\n ');
}
