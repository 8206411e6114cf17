import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/bundle.mjs';
import { needs } from '../support/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'quiet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = bundle(join(import.meta.dirname, '../support/quietScript.mjs'));
const run = promisify(execFile);

/** Runs the script with its standard error sent elsewhere by bash. */
async function inBash(redirection: string, argument = ''): Promise<string> {
  const line = `'${process.execPath}' '${await program}' '${argument}' ${redirection}`;
  return (await run('bash', ['-c', line])).stdout;
}

const quiet = 'before\nafter 42\nthrown\n';
const loud = 'before\nwithin\nafter 42\nthrown\n';

describe(
  'what is written within a quiet call',
  needs('another system than Windows', process.platform !== 'win32'),
  () => {
    it('does not come out in a pipe, and all else does', async () => {
      expect(await inBash('2>&1 | cat')).toBe(quiet);
    });

    it('does not come out in a log that is appended to, whose content stays', async () => {
      const log = join(folder, 'log');
      writeFileSync(log, 'old\n');
      await inBash(`2>>'${log}'`);
      expect(readFileSync(log, 'utf8')).toBe(`old\n${quiet}`);
    });

    it(
      'comes out where it cannot be held back, and nothing is lost',
      needs('Linux', process.platform === 'linux'),
      async () => {
        const log = join(folder, 'other');
        await inBash(`>'${log}' 2>&1`);
        expect(readFileSync(log, 'utf8')).toBe(loud);
        // Node makes sockets for the streams of its children.
        expect((await run(process.execPath, [await program])).stderr).toBe(loud);
      },
    );

    it('comes out where nobody asked for quiet', async () => {
      expect(await inBash('2>&1 | cat', 'not asked')).toBe(loud);
    });

    it('does no harm where standard error is closed', async () => {
      expect(await inBash('2>&- || echo "ended $?"')).toMatch(/^(ended \d+\n)?$/);
    });
  },
);
