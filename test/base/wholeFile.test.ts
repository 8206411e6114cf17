/** Files that are read whole: what is there, what is not, and what cannot be read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOfFile, readTextOrNull, textOfFile } from '../../src/base/wholeFile.node.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-whole-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [file, absent] = [join(folder, 'abc.txt'), join(folder, 'absent')];
writeFileSync(file, 'abc');

it('are read, and hashed', async () => {
  expect(await textOfFile(file, 'give another')).toBe('abc');
  expect(await readTextOrNull(file)).toBe('abc');
  // The example of FIPS 180-2.
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(await digestOfFile(file)).toEqual({ bytes: 3, sha256 });
});

it('may be absent, as may be the folder that they were to be in', async () => {
  expect(await readTextOrNull(absent)).toBeNull();
  expect(await readTextOrNull(join(file, 'below a file'))).toBeNull();
});

it('that cannot be read end in a sentence with what to do', async () => {
  const refused = (message: string) => ({ code: 'file', message });
  await expect(textOfFile(absent, 'give another')).rejects.toMatchObject(
    refused(`${absent} cannot be read: there is no such file or folder (ENOENT); give another.`),
  );
  await expect(readTextOrNull(folder)).rejects.toMatchObject(
    refused(`${folder} cannot be read: it is a folder, not a file (EISDIR); check the path and its permissions.`),
  );
  await expect(digestOfFile(absent, 'restore it')).rejects.toMatchObject(
    refused(`${absent} cannot be read: there is no such file or folder (ENOENT); restore it.`),
  );
});
