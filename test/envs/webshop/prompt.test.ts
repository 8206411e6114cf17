/** The message that a pretrained model reads. */
import { describe, expect, it } from 'vitest';
import { webshopThinkAction } from '../../../src/envs/webshop/prompt.ts';
import type { PromptInput } from '../../../src/text/promptTypes.ts';

const instruction = 'Find me red mugs';
const start = `WebShop [SEP] Instruction: [SEP] ${instruction} [SEP] Search`;
const results = `Instruction: [SEP] ${instruction} [SEP] Back to Search [SEP] Page 1 (Total results: 0) [SEP] Next >`;

const input: PromptInput = {
  instruction,
  history: [],
  step: 0,
  observation: start,
  admissibleActions: ['search[find me red mugs]', 'search[mugs]'],
};

describe('the think-action message', () => {
  it('shows task, page and actions first, the search as a form', () => {
    expect(webshopThinkAction.message(input)).toMatchInlineSnapshot(`
      "You are an expert customer who shops step by step in the WebShop online store. Your task is to: Find me red mugs.
      What you see now is: 'Search'.
      The actions you can take now are:
      [
      'search[<your query>]',
      'click[search]',
      ].

      Now it is your turn to act. First reason step by step about the page and the task; write your reasoning between <think> and </think>.
      Then choose one action for this step and write it between <action> and </action>."
    `);
  });

  it('shows past turns later, pages without their instruction', () => {
    const later: PromptInput = {
      ...input,
      history: [{ observation: start, action: 'search[mugs]' }],
      step: 3,
      observation: results,
      admissibleActions: ['click[back to search]', 'click[next >]'],
    };
    expect(webshopThinkAction.message(later)).toMatchInlineSnapshot(`
      "You are an expert customer who shops step by step in the WebShop online store. Your task is to: Find me red mugs.
      Steps taken so far: 3.
      Your last observations, and the actions you took on them:
      [Observation 3: ''Search'', Action 3: 'search[mugs]']
      You are now at step 4 and what you see is: 'Back to Search' [SEP] 'Page 1 (Total results: 0)' [SEP] 'Next >'.
      The actions you can take now are:
      [
      'click[back to search]',
      'click[next >]',
      ].

      Now it is your turn to act. First reason step by step about the page and the task; write your reasoning between <think> and </think>.
      Then choose one action for this step and write it between <action> and </action>."
    `);
  });

  it('drops past turns when it grows beyond 13,000 characters', () => {
    const message = (length: number): string =>
      webshopThinkAction.message({
        ...input,
        step: 1,
        history: [{ observation: `Instruction: [SEP] ${instruction} [SEP] ${'x'.repeat(length)}`, action: 'a' }],
      });
    const base = message(0).length;
    expect(message(13_000 - base)).toHaveLength(13_000);
    expect(message(13_001 - base)).toBe(webshopThinkAction.message(input));
  });

  it('takes the last 20 characters of a reply without tags', () => {
    expect(webshopThinkAction.verlTailLength).toBe(20);
  });
});
