/** Whole files on systems that are slow to let go of a name, or that do not flush folders. */
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { syncFolder, writeFileAtomic, writeFolderAtomic } from '../../src/base/atomicFile.node.ts';

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof fs>();
  return { ...actual, rename: vi.fn(actual.rename), open: vi.fn(actual.open) };
});

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'proxmo-atomic-file-'));
});
afterEach(async () => {
  vi.mocked(fs.rename).mockClear();
  await fs.rm(folder, { recursive: true });
});

const failure = (code: string) => Object.assign(new Error(code), { code });
const failOnce = (code: string) => vi.mocked(fs.rename).mockRejectedValueOnce(failure(code));

it.each(['EPERM', 'EBUSY', 'EACCES'])('a name that is held open for a moment (%s) is waited for', async (code) => {
  const path = join(folder, 'file');
  failOnce(code);
  failOnce(code);
  await writeFileAtomic(path, ['text']);
  expect(await fs.readFile(path, 'utf8')).toBe('text');
  failOnce(code);
  await writeFolderAtomic(join(folder, 'model'), 'model', async (inside) => fs.writeFile(join(inside, 'a'), 'b'));
  expect(await fs.readFile(join(folder, 'model', 'a'), 'utf8')).toBe('b');
});

it('one that stays held is given up after a second or so, and nothing is left', async () => {
  vi.mocked(fs.rename).mockImplementation(() => Promise.reject(failure('EBUSY')));
  const started = performance.now();
  await expect(writeFileAtomic(join(folder, 'file'), ['text'])).rejects.toMatchObject({ code: 'EBUSY' });
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(await fs.readdir(folder)).toEqual([]);
  vi.mocked(fs.rename).mockReset();
  const { rename } = await vi.importActual<typeof fs>('node:fs/promises');
  vi.mocked(fs.rename).mockImplementation(rename);
});

it('what else goes wrong is told at once', async () => {
  failOnce('ENOSPC');
  await expect(writeFileAtomic(join(folder, 'file'), ['text'])).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(vi.mocked(fs.rename)).toHaveBeenCalledTimes(1);
});

it('a folder that the system cannot open or flush is left as it is', async () => {
  vi.mocked(fs.open).mockRejectedValueOnce(failure('EISDIR'));
  await syncFolder(folder);
  const close = vi.fn(async () => {});
  const handle = { sync: () => Promise.reject(failure('EINVAL')), close } as unknown as fs.FileHandle;
  vi.mocked(fs.open).mockResolvedValueOnce(handle);
  await syncFolder(folder);
  expect(close).toHaveBeenCalledOnce();
  vi.mocked(fs.open).mockRejectedValueOnce(failure('EIO'));
  await expect(syncFolder(folder)).rejects.toMatchObject({ code: 'EIO' });
});
