import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DownloadOptions, download } from '../../src/base/download.node.ts';
import { type ServedFile, serve } from '../support/fileServer.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'download-'));
  path = join(folder, 'games.zip');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i + (i >> 3)) & 0xff));
const sha256 = createHash('sha256').update(content).digest('hex');

function get(url: string, rest: Partial<DownloadOptions> = {}) {
  const expected = { bytes: content.length, sha256 };
  return download(url, path, { expected, advice: 'name another with --from', retryMs: 1, ...rest });
}

/** As a process leaves things that was killed in the middle. */
function leavePart(url: string, part: Buffer, validator: string | null): void {
  writeFileSync(`${path}.part`, part);
  writeFileSync(`${path}.part.json`, JSON.stringify({ url, validator }));
}

it('downloads a file, tells how far it is, and leaves nothing else', async () => {
  const { url, ranges } = await serve({ content });
  const told: (number | null)[][] = [];
  await get(url, { onProgress: (...progress) => told.push(progress) });
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(readdirSync(folder)).toEqual(['games.zip']);
  expect(told.at(-1)).toEqual([content.length, content.length]);
  await get(url);
  expect(ranges).toEqual([undefined]);
});

it('goes on after each break of the connection, from where it was', async () => {
  const { url, ranges } = await serve({ content, etag: '"v1"', breakAfter: 100_000 });
  await get(url);
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(ranges.length).toBeGreaterThanOrEqual(3);
  expect(ranges[0]).toBeUndefined();
  expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range!))).toBe(true);
});

it('goes on with what a killed process has left', async () => {
  const { url, ranges } = await serve({ content, etag: '"v1"' });
  leavePart(url, content.subarray(0, 123_456), '"v1"');
  await get(url);
  expect(ranges).toEqual(['bytes=123456-']);
  expect(readFileSync(path).equals(content)).toBe(true);
});

it('asks for nothing where all had arrived, but not yet its name', async () => {
  const { url, ranges } = await serve({ content, etag: '"v1"' });
  leavePart(url, content, '"v1"');
  await get(url);
  expect(ranges).toEqual([]);
  expect(readdirSync(folder)).toEqual(['games.zip']);
});

it.each<[string, Partial<ServedFile>]>([
  ['the file has changed since', { etag: '"v2"' }],
  ['the server knows no ranges', { etag: '"v1"', noRanges: true }],
])('begins anew where %s', async (_, served) => {
  const { url } = await serve({ content, ...served });
  leavePart(url, Buffer.alloc(1000, 7), '"v1"');
  await get(url);
  expect(readFileSync(path).equals(content)).toBe(true);
});

it('begins anew where what was left turns out to be of another file', async () => {
  const { url, ranges } = await serve({ content });
  leavePart(url, Buffer.alloc(1000, 7), null);
  await get(url);
  expect(ranges).toEqual(['bytes=1000-', undefined]);
  expect(readFileSync(path).equals(content)).toBe(true);
});

it('leaves aside what came from another address', async () => {
  const { url, ranges } = await serve({ content });
  leavePart('http://127.0.0.1:1/other', Buffer.alloc(1000, 7), null);
  await get(url);
  expect(ranges).toEqual([undefined]);
});

it('refuses a file that is cut short, longer, or another, and keeps none of it', async () => {
  const other = Buffer.from(content);
  other[5] = other[5]! ^ 1;
  for (const [wrong, message] of [
    [content.subarray(0, 1000), /is not the file that was expected: it has 1000 bytes instead of 300000; name another/],
    [Buffer.concat([content, content]), /it has 600000 bytes instead of 300000/],
    [other, /is not the file that was expected: its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}; name another/],
  ] as const) {
    const { url } = await serve({ content: wrong });
    await expect(get(url)).rejects.toMatchObject({ code: 'network', message: expect.stringMatching(message) });
    expect(existsSync(path)).toBe(false);
    rmSync(`${path}.part`, { force: true });
  }
});

it('refuses a stream without a length that ends too early', async () => {
  const { url } = await serve({
    content,
    instead: (_, response) => {
      response.writeHead(200).end(content.subarray(0, 5000));
      return true;
    },
  });
  await expect(get(url)).rejects.toThrow(/ended after 5000 of 300000 bytes; .*5000 bytes are kept/);
  expect(existsSync(path)).toBe(false);
});

it('tries again while a server is busy, and says in the end what it answered', async () => {
  let busy = 3;
  const { url } = await serve({
    content,
    instead: (_, response) => {
      if (busy-- <= 0) return false;
      response.writeHead(503).end();
      return true;
    },
  });
  await get(url);
  rmSync(path);
  busy = 100;
  await expect(get(url)).rejects.toThrow(/answers with status 503; name another with --from\.$/);
});

it('leaves no connection open to a server that refuses, and goes on talking', async () => {
  let closed = 0;
  const { url } = await serve({
    content,
    instead: (_, response) => {
      response.on('close', () => closed++);
      response.writeHead(404).write('there is no');
      return true;
    },
  });
  await expect(get(url)).rejects.toThrow(/answers with status 404/);
  await expect.poll(() => closed).toBe(1);
});

it('says at once where there is no such file', async () => {
  const { url, ranges } = await serve({
    content,
    instead: (_, response) => {
      response.writeHead(404).end('no');
      return true;
    },
  });
  await expect(get(url)).rejects.toThrow(/answers with status 404; name another/);
  expect(ranges.length).toBe(1);
});

it('gives up on a server that has gone silent, and on one that is not there', async () => {
  const { url } = await serve({ content, instead: () => true });
  await expect(get(url, { stallMs: 30 })).rejects.toThrow(/has gone silent; name another/);
  await expect(get('http://127.0.0.1:1/games.zip')).rejects.toThrow(/cannot be reached \(.*\); name another/);
});

it('says so where it cannot be written', async () => {
  const { url } = await serve({ content });
  writeFileSync(join(folder, 'file'), '');
  path = join(folder, 'file', 'games.zip');
  await expect(get(url)).rejects.toMatchObject({ code: 'file', message: expect.stringMatching(/cannot be written/) });
});
