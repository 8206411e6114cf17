/**
 * A real model, where there is one: that it has the tokens, the chat template and the words that transformers 5.24 has
 * with the same file. test/fixtures/smollm2.json is these parts of what the program of `proxmo model reference` wrote.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Expected } from '../../src/cli/model/expected.ts';
import { measureGreedy } from '../../src/cli/model/measure.ts';
import { verifyTokenizer } from '../../src/cli/model/verifyTokenizer.ts';
import { openPretrained } from '../../src/models/pretrained.node.ts';
import { openPolicyModel } from '../../src/rl/policySource.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { needsSmollm2, smollm2 } from '../support/smollm2.ts';

const fixture = new URL('../fixtures/smollm2.json', import.meta.url);
const expected = JSON.parse(readFileSync(fixture, 'utf8')) as Pick<Expected, 'tokenizer' | 'chat' | 'greedy'>;

describe('SmolLM2-135M-Instruct', needsSmollm2, () => {
  it('is read as transformers reads it', async () => {
    const opened = await openPretrained(smollm2!);
    try {
      const checks = await verifyTokenizer(opened, expected);
      expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
        ['tokenizer', true],
        ['chat template', true],
      ]);
    } finally {
      await opened.close();
    }
  });

  it('writes in 4 bits what transformers writes with its weights widened', async () => {
    const engine = new Engine(await testDevice(testAdapters.at(-1)!)).part();
    try {
      const { model } = await openPolicyModel(engine, smollm2!, undefined, 'packed');
      const { prompt, tokens } = expected.greedy!;
      expect(await measureGreedy(engine, model, prompt, tokens.length)).toEqual(tokens);
    } finally {
      engine.destroy();
    }
  }, 120_000);
});
