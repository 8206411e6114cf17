import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isTemporaryName, temporaryPath, writeFileAtomic } from '../../src/base/atomicFile.node.ts';
import { SafetensorsFile, writeSafetensors } from '../../src/base/safetensors.node.ts';
import { parseSafetensors, type SafetensorsTensor } from '../../src/base/safetensors.ts';
import { needs } from '../support/needs.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxmo-models-'));
});
afterEach(() => rm(folder, { recursive: true }));

const weights: SafetensorsTensor = { name: 'w', dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
const half: SafetensorsTensor = { name: 'h', dtype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc000) };

describe('safetensors on disk', () => {
  test('reads back what was written, one tensor at a time', async () => {
    const path = join(folder, 'a.safetensors');
    const digest = await writeSafetensors(path, [half, weights], { step: '3' });
    expect(digest.bytes).toBe((await readFile(path)).length);
    const file = await SafetensorsFile.open(path);
    expect(file.metadata.get('step')).toBe('3');
    expect([...file.entries.keys()]).toEqual(['w', 'h']);
    expect(await file.read('h')).toEqual(half);
    expect(await file.readFloat32('h')).toEqual(Float32Array.of(1, -2));
    expect(await file.readFloat32('w')).toEqual(weights.data);
    await expect(file.read('x')).rejects.toThrow('has no tensor "x"');
    await file.close();
  });

  test('says what is wrong with a path', async () => {
    await expect(SafetensorsFile.open(join(folder, 'none'))).rejects.toMatchObject({
      code: 'file',
      message: /none does not exist/,
    });
    await expect(SafetensorsFile.open(folder)).rejects.toMatchObject({ code: 'file', message: /is not a file/ });
    await writeFile(join(folder, 'text'), 'hello world');
    await expect(SafetensorsFile.open(join(folder, 'text'))).rejects.toMatchObject({
      code: 'file',
      message: /claims a header/,
    });
  });

  test('notices a file that is cut short, before and after it was opened', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, [weights]);
    const file = await SafetensorsFile.open(path);
    await truncate(path, (await readFile(path)).length - 1);
    await expect(file.read('w')).rejects.toMatchObject({ code: 'file', message: /cut short while in use/ });
    await file.close();
    await expect(SafetensorsFile.open(path)).rejects.toMatchObject({ code: 'file', message: /at bytes 0 to 24 of 23/ });
  });

  test('a failed write leaves the old file and nothing else', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, [weights]);
    const before = await readFile(path);
    await expect(writeSafetensors(path, [half, half])).rejects.toThrow('is taken already');
    const failing = function* () {
      yield 'half of it';
      throw new Error('disk full');
    };
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('disk full');
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(['a.safetensors']);
  });
});

test('temporary names can be told from others', () => {
  const name = temporaryPath('/x/weights.safetensors').slice('/x/'.length);
  expect(isTemporaryName(name)).toBe(true);
  expect(temporaryPath('/x/a')).not.toBe(temporaryPath('/x/a'));
  for (const other of ['weights.safetensors', '.hidden', '.a.tmp', 'a.1-2.tmp'])
    expect(isTemporaryName(other)).toBe(false);
});

describe.each(['gpt2', 'llama', 'qwen2', 'qwen3'])('the %s model of the Hugging Face library', (family) => {
  const path = `../shared/fixtures/hf/${family}/model.safetensors`;

  test(
    'reads the same one tensor at a time as whole, and writes back unchanged',
    needs('../shared/fixtures', existsSync(path)),
    async () => {
      const whole = parseSafetensors(new Uint8Array(await readFile(path)));
      const file = await SafetensorsFile.open(path);
      const tensors = await Promise.all(Array.from(file.entries.keys(), (name) => file.read(name)));
      await file.close();
      expect(file.entries.size).toBeGreaterThan(10);
      expect(tensors).toEqual(whole.tensors);
      const copy = join(folder, 'copy.safetensors');
      await writeSafetensors(copy, tensors, Object.fromEntries(file.metadata));
      expect(parseSafetensors(new Uint8Array(await readFile(copy)))).toEqual(whole);
    },
  );
});
