/** What is no model in the form that is read is called what it is. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/base/safetensors.node.ts';
import { locateWeights } from '../../src/models/hf/locate.ts';
import { AdapterFolder } from '../../src/models/peft.node.ts';
import { openPretrained } from '../../src/models/pretrained.node.ts';
import { loadHfTokenizer } from '../../src/text/hf/loadHfTokenizer.node.ts';
import { hfFixture, sourceOf, tensorsOf } from '../support/hfFixtures.ts';
import { peftFixture } from '../support/peftFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-other-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let copies = 0;
/** A copy of a model's folder with only its configuration. */
function withoutWeights(): string {
  const dir = join(folder, `${copies++}`);
  cpSync(hfFixture('qwen3'), dir, { recursive: true });
  for (const name of readdirSync(dir)) if (/safetensors/.test(name)) unlinkSync(join(dir, name));
  return dir;
}

const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 123\n';

describe('a pointer of Git LFS', () => {
  it.each(['model.safetensors', 'config.json', 'model.safetensors.index.json'])('as %s', async (name) => {
    const dir = withoutWeights();
    writeFileSync(join(dir, name), pointer);
    await expect(openPretrained(dir)).rejects.toMatchObject({
      code: 'file',
      message: `${join(dir, name)} is a pointer of Git LFS, not the file itself; run \`git lfs pull\` in its folder, or fetch the file anew.`,
    });
  });

  it('as a GGUF file', async () => {
    const path = join(folder, 'pointer.gguf');
    writeFileSync(path, pointer);
    await expect(openPretrained(path)).rejects.toThrow('is a pointer of Git LFS');
  });

  it('as a tokenizer', async () => {
    const dir = withoutWeights();
    writeFileSync(join(dir, 'tokenizer.json'), pointer);
    await expect(loadHfTokenizer(dir)).rejects.toThrow('is a pointer of Git LFS');
  });

  it('as adapters', async () => {
    const dir = join(folder, 'adapters');
    cpSync(peftFixture('llama'), dir, { recursive: true });
    writeFileSync(join(dir, 'adapter_model.safetensors'), pointer);
    await expect(AdapterFolder.open(dir)).rejects.toThrow('is a pointer of Git LFS');
  });
});

describe('weights in another form', () => {
  it.each([
    ['pytorch_model.bin', "has its weights in pytorch_model.bin, PyTorch's pickle form"],
    ['pytorch_model-00001-of-00002.bin', 'has its weights in pytorch_model-00001-of-00002.bin'],
    ['model.pt', 'has its weights in model.pt'],
    ['tf_model.h5', 'a form for TensorFlow or Flax; save them as safetensors, in Python with'],
    ['small.gguf', 'is a folder; give the file small.gguf in it.'],
  ])('as %s', async (name, message) => {
    const dir = withoutWeights();
    writeFileSync(join(dir, name), 'weights');
    await expect(openPretrained(dir)).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining(message),
    });
  });

  it('of adapters', async () => {
    const dir = join(folder, 'older-adapters');
    cpSync(peftFixture('llama'), dir, { recursive: true });
    unlinkSync(join(dir, 'adapter_model.safetensors'));
    writeFileSync(join(dir, 'adapter_model.bin'), 'weights');
    await expect(AdapterFolder.open(dir)).rejects.toThrow(
      "has its weights in adapter_model.bin, PyTorch's pickle form",
    );
  });
});

describe('a folder without config.json', () => {
  it('of adapters', async () => {
    await expect(openPretrained(peftFixture('llama'))).rejects.toThrow('holds adapters, not a model; give their base');
  });

  it('of GGUF files', async () => {
    const dir = join(folder, 'ggufs');
    mkdirSync(dir);
    writeFileSync(join(dir, 'small.gguf'), 'weights');
    await expect(openPretrained(dir)).rejects.toThrow('is a folder; give the file small.gguf in it.');
  });
});

it.each([
  ['_orig_mod.', 'comes from torch.compile; save `model._orig_mod` instead of `model`.'],
  ['module.', 'comes from DataParallel; save `model.module` instead of `model`.'],
  ['base_model.model.', 'comes from PEFT; save `model.merge_and_unload()` instead of `model`.'],
])('names that a wrapper put %s before', async (prefix, message) => {
  const dir = withoutWeights();
  const tensors = await tensorsOf(hfFixture('qwen3'));
  const wrapped = [...tensors].map(([name, { shape, data }]) => ({
    name: prefix + name,
    shape,
    data,
    dtype: 'F32' as const,
  }));
  await writeSafetensors(join(dir, 'model.safetensors'), wrapped);
  const { model, close } = await openPretrained(dir);
  await close();
  const source = sourceOf(new Map(wrapped.map((tensor) => [tensor.name, tensor])));
  expect(() => locateWeights(model, source, 'here')).toThrow(message);
});
