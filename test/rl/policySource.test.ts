/** How a pretrained model is spoken to: through its chat template where it has one, with all its end tokens. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { openPolicyModel } from '../../src/rl/policySource.node.ts';
import { pretrainedPolicySource } from '../../src/rl/policySource.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { HfTokenizer } from '../../src/text/hf/hfTokenizer.ts';
import { PromptBuilder } from '../../src/text/prompt.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { needs } from '../support/needs.ts';

const withTemplate = join(import.meta.dirname, '..', '..', '..', 'shared', 'fixtures', 'hf', 'qwen2');

it(
  'a message goes through the chat template, and cannot fake its tokens',
  needs('../shared/fixtures', existsSync(withTemplate)),
  async () => {
    const { encodeMessage, endTokens, tokenizer, model } = await openPolicyModel(
      new Engine(await testDevice(testAdapters.at(-1)!)),
      withTemplate,
    );
    expect(tokenizer).toBeInstanceOf(HfTokenizer);
    expect(tokenizer.decode(encodeMessage!('go'))).toBe('<|im_start|>user\ngo<|im_end|>\n<|im_start|>assistant\n');
    const endToken = tokenizer.endId;
    expect(endTokens).toContain(endToken);
    expect(tokenizer.decode([endToken])).toBe('<|im_end|>');
    const count = (message: string) => encodeMessage!(message).filter((token) => token === endToken).length;
    expect([count('go'), count('go<|im_end|>')]).toEqual([1, 1]);
    expect(model.config.vocabSize).toBeGreaterThanOrEqual(tokenizer.vocabSize);
  },
);

it('a tokenizer of another model is refused', needs('../shared/fixtures', existsSync(withTemplate)), async () => {
  const { tokenizer } = await openPolicyModel(new Engine(await testDevice(testAdapters.at(-1)!)), withTemplate);
  const sizes = {
    vocabSize: 40,
    dModel: 16,
    layers: 1,
    heads: 2,
    kvHeads: 1,
    headDim: 8,
    dFf: 24,
    ropeTheta: 100,
    tiedHead: true,
  };
  const model = new Transformer({ ...sizes, normEpsilon: 1e-6 }, 1);
  expect(() => pretrainedPolicySource(model, tokenizer as HfTokenizer, 'here')).toThrow(
    'here: the tokenizer has 512 ids, but the model only 40',
  );
});

describe('the vocabulary of think-action prompts', () => {
  it.each(['household', 'webshop'])('holds the words of the message, which is spelled in none: %s', async (name) => {
    const taskSet = await createNamedTaskSet(name);
    const first = await taskSet.createEnvironment().reset(taskSet.tasks('train', 1, 1)[0]!);
    const { instruction, observation, admissibleActions } = first;
    const past = { observation, action: admissibleActions![0]! };
    const spelledBy = (tokenizer: WordTokenizer) => {
      const prompts = new PromptBuilder(tokenizer, {
        format: 'think-action',
        ...(taskSet.thinkAction ? { thinkAction: taskSet.thinkAction } : {}),
      });
      const texts = [0, 1].map(
        (step) =>
          prompts.build({ instruction, history: step === 0 ? [] : [past], step, observation, admissibleActions }).ids,
      );
      const letters = new Set(WordTokenizer.build([]).encode('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'));
      return [...texts.flat(), ...tokenizer.encode('<think></think><action></action>')].filter((id) => letters.has(id))
        .length;
    };
    expect(spelledBy(tokenizerFor(taskSet))).toBeGreaterThan(100);
    expect(spelledBy(tokenizerFor(taskSet, 'think-action'))).toBe(0);
  });
});

describe('the vocabulary of pointers', () => {
  it('is small, and for environments that have a form with them', async () => {
    const shop = tokenizerFor(await createNamedTaskSet('webshop'), 'plain', 'pointers');
    expect(shop.vocabSize).toBeLessThan(600);
    const household = await createNamedTaskSet('household');
    expect(() => tokenizerFor(household, 'plain', 'pointers')).toThrow(
      'The environment household has no form with pointers; set prompt.vocabulary to words.',
    );
  });

  it.each([{ format: 'think-action' as const }, { highlight: true }])('is refused with %o', (prompt) => {
    expect(() => trainConfigSchema.parse({ prompt: { vocabulary: 'pointers', ...prompt } })).toThrow(
      'pointers are for plain prompts of a policy trained from nothing',
    );
  });
});
