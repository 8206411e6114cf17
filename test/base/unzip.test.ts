import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { unzip } from '../../src/base/unzip.node.ts';
import { type ZipEntry, zipOf } from '../support/zip.ts';

let folder: string;
let archive: string;
let target: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unzip-'));
  archive = join(folder, 'a.zip');
  target = join(folder, 'out');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const limits = { place: (name: string) => name, maxBytes: 1_000_000, maxEntries: 10 };

function unpack(bytes: Buffer, options = limits): Promise<number> {
  writeFileSync(archive, bytes);
  return unzip(archive, target, options);
}

const file = (name: string, rest: Partial<ZipEntry> = {}): ZipEntry => ({ name, content: 'hello '.repeat(9), ...rest });

it('unpacks what has a place, with its folders, and tells how far it is', async () => {
  const told: [number, number][] = [];
  const count = await unpack(
    zipOf([file('a/'), file('a/b/one.txt'), file('two.txt', { content: '' }), file('left/out')]),
    {
      ...limits,
      place: (name: string) => (name.startsWith('left') ? null : `x/${name}`) as string,
      onProgress: (done: number, total: number) => told.push([done, total]),
    } as typeof limits,
  );
  expect(count).toBe(2);
  expect(readFileSync(join(target, 'x/a/b/one.txt'), 'utf8')).toBe('hello '.repeat(9));
  expect(readFileSync(join(target, 'x/two.txt'), 'utf8')).toBe('');
  expect(existsSync(join(target, 'x/left'))).toBe(false);
  expect(told).toEqual([
    [0, 2],
    [1, 2],
    [2, 2],
  ]);
});

it.each([
  ['../up.txt', {}, /is not unpacked: invalid relative path: \.\.\/up\.txt/],
  ['a/../../up.txt', {}, /is not unpacked: invalid relative path/],
  ['/etc/passwd', {}, /is not unpacked: absolute path/],
  ['C:/windows/x', {}, /is not unpacked: absolute path/],
  ['..\\up.txt', {}, /is not unpacked: invalid characters/],
  ['a//b', {}, /has a name that is not safe on every system/],
  ['a/./b', {}, /has a name that is not safe on every system/],
  ['a/con.txt', {}, /has a name that is not safe on every system/],
  ['a/b:stream', {}, /has a name that is not safe on every system/],
  ['a\u001b[2J', {}, /has a name that is not safe on every system/],
  ['link', { mode: 0o120777, content: '/etc/passwd' }, /the entry link is a symbolic link/],
  ['big', { declaredSize: 2_000_000 }, /what it holds is larger than 1000000 bytes/],
  ['liar', { declaredSize: 5 }, /cannot be unpacked: too many bytes in the stream/],
  ['short', { declaredSize: 500 }, /cannot be unpacked: not enough bytes in the stream/],
  ['wrong', { declaredSum: 7 }, /cannot be unpacked: the checksum of wrong is wrong/],
])('refuses an entry %j', async (name, rest, message) => {
  await expect(unpack(zipOf([file('first.txt'), file(name, rest)]))).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(message),
  });
  // A wrong name or size is seen before anything is written.
  if (!['liar', 'short', 'wrong'].includes(name)) expect(readdirSync(folder)).toEqual(['a.zip']);
  expect(existsSync(join(folder, 'up.txt'))).toBe(false);
});

it('refuses two names that are one file where case does not count', async () => {
  await expect(unpack(zipOf([file('a/B'), file('A/b')]))).rejects.toThrow(/the entry A\/b is there twice/);
  expect(existsSync(target)).toBe(false);
});

it.each([[['a', 'a/b']], [['a/b/c', 'A/B']]])('refuses %j, of which one is a file and a folder', async (names) => {
  await expect(unpack(zipOf(names.map((name) => file(name))))).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(/is not unpacked: the entry .* is a file and a folder/),
  });
  expect(existsSync(target)).toBe(false);
});

it('refuses more entries than there may be', async () => {
  const many = Array.from({ length: 11 }, (_, i) => file(`f${i}`));
  await expect(unpack(zipOf(many))).rejects.toThrow(/it holds 11 entries, more than 10/);
});

it('refuses an archive that is cut short anywhere, or is none', async () => {
  const whole = zipOf([file('a', { content: Buffer.alloc(5000, 'abcdefg') }), file('b')]);
  for (const length of [0, 1, 21, 40, Math.floor(whole.length / 2), whole.length - 23, whole.length - 1])
    await expect(unpack(whole.subarray(0, length))).rejects.toThrow(/it is cut short, or no zip archive/);
  await expect(unpack(Buffer.from('<html>not found</html>'))).rejects.toThrow(/cut short, or no zip archive/);
});

it('refuses content that is damaged', async () => {
  const bytes = zipOf([file('a', { content: 'abcdefghijklmnopqrstuvwxyz0123456789' })]);
  bytes[40] = bytes[40]! ^ 0xff;
  await expect(unpack(bytes)).rejects.toMatchObject({ code: 'file' });
});
