/**
 * The settings that environments come with: with them, no prompt of an expert's episode is cut, and every reply can be
 * written.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TaskSet, Turn } from '../../src/envs/environment.ts';
import { createNamedTaskSet, environmentDefaults, environmentEntries } from '../../src/envs/registry.node.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { PromptBuilder } from '../../src/text/prompt.ts';
import type { PastTurn } from '../../src/text/promptTypes.ts';
import { hasFiles } from '../support/sharedData.ts';

const shared = join(import.meta.dirname, '../../../shared/data');

/** Tokens of the longest prompt and the longest reply, the end token included, of the expert's episodes. */
async function longestOf(set: TaskSet, tasks: number): Promise<{ prompt: number; reply: number }> {
  const tokenizer = tokenizerFor(set);
  const prompts = new PromptBuilder(tokenizer, { history: 2 });
  const [expert, environment] = [set.createExpert!(), set.createEnvironment()];
  const longest = { prompt: 0, reply: 0 };
  for (const task of set.tasks('train', tasks, 1)) {
    const first = await environment.reset(task);
    expert.reset(first.instruction);
    const history: PastTurn[] = [];
    for (let turn: Turn = first; !turn.done; ) {
      const { observation, admissibleActions } = turn;
      const input = { instruction: first.instruction, history, step: history.length, observation, admissibleActions };
      const action = expert.act(turn);
      longest.prompt = Math.max(longest.prompt, prompts.build(input).ids.length);
      longest.reply = Math.max(longest.reply, tokenizer.encode(action).length + 1);
      history.push({ observation, action });
      turn = await environment.step(action);
    }
  }
  return longest;
}

describe('the settings that an environment comes with', () => {
  it.each([
    ['household', {}, []],
    ['household', { receptacles: 25, objects: 30, maxSteps: 50, rooms: 20 }, []],
    ['webshop', {}, []],
    ['webshop', { data: join(shared, 'webshop-1000') }, [join(shared, 'webshop-1000')]],
    ['alfworld', { data: join(shared, 'alfworld-games') }, [join(shared, 'alfworld-games')]],
  ])('fit what its expert reads and writes: %s %j', async (name, options, files) => {
    if (!hasFiles(...files)) return;
    const { prompt, sampling } = environmentDefaults(name, options, 'words');
    const longest = await longestOf(await createNamedTaskSet(name, options), 30);
    expect(longest.prompt).toBeLessThanOrEqual(prompt.maxTokens);
    expect(longest.reply).toBeLessThanOrEqual(sampling.maxNewTokens);
  });

  it('are there for every one, also for one that nothing is known of', () => {
    for (const { name } of [...environmentEntries, { name: './my-env.mjs' }]) {
      const [words, messages] = [environmentDefaults(name, {}, 'words'), environmentDefaults(name, {}, 'messages')];
      expect(words.prompt.maxTokens).toBeLessThan(messages.prompt.maxTokens);
      expect(words.sampling.maxNewTokens).toBeLessThan(messages.sampling.maxNewTokens);
    }
  });
});
