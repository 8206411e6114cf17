/** What was trained, saved from a model that began as a GGUF file: a folder that is whole. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openPolicyModel } from '../../../src/rl/policySource.node.ts';
import { saveTrained } from '../../../src/rl/sft/save.node.ts';
import { tinyEngine } from '../../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-save-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('has the weights and the tokenizer', async () => {
  const engine = await tinyEngine();
  const gguf = join(import.meta.dirname, '..', '..', 'fixtures', 'gguf', 'llama.gguf');
  const dir = join(folder, 'model');
  const before = await openPolicyModel(engine, gguf);
  await saveTrained(engine, before.model, gguf, dir);
  const after = await openPolicyModel(engine, dir);
  const text = 'you open drawer 1. look!';
  expect(after.tokenizer.encode(text)).toEqual(before.tokenizer.encode(text));
  expect(after.endTokens).toEqual(before.endTokens);
  const valuesOf = ({ model }: typeof before) => engine.read(model.slab.variable);
  expect(await valuesOf(after)).toEqual(await valuesOf(before));
});
