/** `proxmo view --html`: the page as a file. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { writeRun } from '../support/viewRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-view-html-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'page.html');

it('writes the page, tells its size, and does not write over another', async () => {
  const dir = await writeRun(join(folder, 'run'));
  const { code, stdout, stderr } = await proxmo(['view', dir, '--html', path]);
  expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^\S+page\.html: \d\.\d MiB\n$/), '']);
  const before = readFileSync(path, 'utf8');
  expect(before).toMatch(/^<!doctype html>/);
  const again = await proxmo(['view', dir, '--html', path]);
  expect([again.code, again.stderr]).toEqual([
    1,
    `proxmo: ${path} exists already; save the page under another name.\n`,
  ]);
  expect(readFileSync(path, 'utf8')).toBe(before);
});

it('refuses what is no run, and a port', async () => {
  const other = join(folder, 'other.html');
  const nothing = await proxmo(['view', join(folder, 'nothing'), '--html', other]);
  expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringMatching(/nothing is no run; give the folder/)]);
  const port = await proxmo(['view', folder, '--html', other, '--port', '1']);
  expect([port.code, port.stderr]).toEqual([2, expect.stringMatching(/--html writes a file and serves nothing/)]);
  expect(existsSync(other)).toBe(false);
});
