/** Pages of the shop with pointers, and demonstrations in them. */
import { describe, expect, it } from 'vitest';
import { FaultLog } from '../../../src/envs/faults.ts';
import { readCatalogue } from '../../../src/envs/webshop/catalogue.ts';
import { createWebshopTaskSet, WebshopTaskSet } from '../../../src/envs/webshop/index.ts';
import { resolveOptions } from '../../../src/envs/webshop/options.ts';
import { demonstrate } from '../../../src/rl/demonstrations.ts';
import { tokenizerFor } from '../../../src/rl/policy.ts';
import { PromptBuilder } from '../../../src/text/prompt.ts';
import { tinyFiles } from './tinyShop.ts';

const tiny = new WebshopTaskSet(readCatalogue(tinyFiles()), resolveOptions({}));
const tokenizer = tokenizerFor(tiny, 'plain', 'pointers');
const { writing } = new PromptBuilder(tokenizer, { pointers: tiny.pointers });
const lamp = [...tiny.allTasks('train'), ...tiny.allTasks('unseen')].find(({ id }) => id.includes('B0LAMP0001'))!;

it('each page says its kind, what it holds, and where its actions stand on the list', () => {
  const environment = tiny.createEnvironment();
  const opening = environment.reset(lamp);
  const { instruction } = opening;
  const show = ({ observation, admissibleActions: offered }: ReturnType<typeof environment.step>) =>
    tokenizer.decode(writing.observation({ instruction, observation, offered }, []));
  expect(instruction).toMatch(/^Find me easy assemble desk lamps with warm light with color: .*, and size: /);
  expect(show(opening)).toBe('start search <action0> search <action1>');
  expect(show(environment.step('search[lamp]'))).toBe(
    'results <task3> <task4> <names2> <within> <action2> back search <action0> next <action1>',
  );
  const item = show(environment.step('click[b0lamp0001]'));
  expect(item).toMatch(/^item <task3> <task4> <names2> <within> <task7> /);
  expect(item.match(/<named\d+>/g)).toHaveLength(2);
  expect(show(environment.step('click[features]'))).toBe('details <task5> <task6> <names2>');
});

describe('demonstrations', () => {
  it('are short, and each reply is a pointer to what the expert did', async () => {
    const shop = await createWebshopTaskSet();
    const prompts = new PromptBuilder(tokenizer, { pointers: shop.pointers, showActions: false, maxTokens: 1000 });
    const scribe = { tokenizer, prompts, memory: 'transcript', format: 'plain' } as const;
    const sequences = await demonstrate(scribe, shop, shop.tasks('train', 20, 1), {
      teacher: 'expert',
      noise: 0,
      seed: 1,
      faults: new FaultLog(),
    });
    expect(sequences.length).toBeGreaterThan(10);
    for (const { tokens, replies } of sequences) {
      expect(tokens.length).toBeLessThan(400);
      for (const { start } of replies)
        expect(tokenizer.decode([tokens[start]!, tokens[start + 1]!])).toMatch(/^<action\d+> <end>$/);
    }
  });
});
