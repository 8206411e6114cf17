/** Pretrained models in whichever form they lie on disk, and the hash that tells whether one was changed. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOfModel, openPretrained } from '../../src/models/pretrained.node.ts';
import { hfFixture } from '../support/hfFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-pretrained-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gguf = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf');

it.each([
  ['a folder', hfFixture('llama')],
  ['a GGUF file', gguf],
])('%s is opened', async (_, path) => {
  const opened = await openPretrained(path);
  expect(opened.model.family).toBe('llama');
  expect(opened.weights.names()).toContain('model.embed_tokens.weight');
  await opened.close();
});

it('that is not there is refused', async () => {
  await expect(openPretrained(join(folder, 'absent'))).rejects.toThrow(
    'absent cannot be opened: there is no such file or folder (ENOENT)',
  );
});

describe('the hash of a model', () => {
  const dir = join(folder, 'llama');
  cpSync(hfFixture('llama'), dir, { recursive: true });

  it('does not depend on where it lies, nor on files that are not read', async () => {
    const original = await digestOfModel(hfFixture('llama'));
    writeFileSync(join(dir, 'README.md'), 'a model');
    writeFileSync(join(dir, 'notes.json'), '{}');
    expect(await digestOfModel(dir)).toBe(original);
    expect(original).toMatch(/^[0-9a-f]{64}$/);
  });

  it('changes with what is read', async () => {
    const before = await digestOfModel(dir);
    writeFileSync(join(dir, 'chat_template.jinja'), '{{ messages }}');
    expect(await digestOfModel(dir)).not.toBe(before);
  });
});
