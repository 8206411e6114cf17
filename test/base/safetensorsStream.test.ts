/** Safetensors files that are written and read without holding them whole. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { float32ToFloat16 } from '../../src/base/float16.ts';
import { SafetensorsFile, streamSafetensors, writeSafetensors } from '../../src/base/safetensors.node.ts';
import type { SafetensorsTensor } from '../../src/base/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-stream-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('gives the same file as writing it whole, and asks for one tensor after the other', async () => {
  const tensors: SafetensorsTensor[] = [
    { name: 'b', dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'a', dtype: 'F16', shape: [3], data: Uint16Array.of(7, 8, 9) },
    { name: 'c', dtype: 'F32', shape: [0], data: new Float32Array() },
  ];
  const [whole, streamed] = [join(folder, 'whole'), join(folder, 'streamed')];
  const digest = await writeSafetensors(whole, tensors, { format: 'pt' });
  const asked: string[] = [];
  const read = async ({ name, data }: SafetensorsTensor) => {
    asked.push(name);
    return data;
  };
  expect(await streamSafetensors(streamed, tensors, read, { format: 'pt' })).toEqual(digest);
  expect(readFileSync(streamed)).toEqual(readFileSync(whole));
  expect(asked).toEqual(['b', 'c', 'a']);
});

it('takes a tensor in pieces, which must come to its size', async () => {
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);
  const [whole, pieces] = [join(folder, 'in one'), join(folder, 'in pieces')];
  const layout = { name: 'x', dtype: 'F32', shape: [2, 3] } as const;
  await writeSafetensors(whole, [{ ...layout, data }]);
  async function* cut(end: number) {
    for (let start = 0; start < end; start += 4) yield data.subarray(start, Math.min(end, start + 4));
  }
  await streamSafetensors(pieces, [layout], () => cut(6));
  expect(readFileSync(pieces)).toEqual(readFileSync(whole));
  await expect(streamSafetensors(join(folder, 'cut'), [layout], () => cut(5))).rejects.toThrow(
    'of shape [2,3] cannot hold 5 values',
  );
  expect(() => readFileSync(join(folder, 'cut'))).toThrow('ENOENT');
});

it('refuses data that does not fit what the header says, and leaves no file', async () => {
  const path = join(folder, 'short');
  const layout = { name: 'x', dtype: 'F32', shape: [4] } as const;
  await expect(streamSafetensors(path, [layout], async () => new Float32Array(3))).rejects.toThrow(
    'tensor "x" of shape [4] and dtype F32 cannot hold 3 values in a Float32Array',
  );
  expect(() => readFileSync(path)).toThrow('ENOENT');
});

it('widens a tensor of several pieces as if it were one', async () => {
  const count = 2 ** 22 + 2 ** 21 + 5;
  const values = Float32Array.from({ length: count }, (_, index) => (index % 2048) - 1024);
  const path = join(folder, 'wide');
  await writeSafetensors(path, [{ name: 'x', dtype: 'F16', shape: [count], data: float32ToFloat16(values) }]);
  const file = await SafetensorsFile.open(path);
  const read = await file.readFloat32('x');
  await file.close();
  expect(Buffer.compare(Buffer.from(read.buffer), Buffer.from(values.buffer))).toBe(0);
});
