/** Tests that are skipped say why: a run ends with the reasons and how often each held. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs } from './support/needs.ts';
import { skippedLines } from './support/whySkipped.ts';

const root = join(import.meta.dirname, '..');

it('the reasons come by how often they held', () => {
  expect(skippedLines(['needs fish', 'swiftshader stores no f16', 'needs zsh', 'swiftshader stores no f16'])).toEqual([
    '          2 skipped: swiftshader stores no f16',
    '          1 skipped: needs fish',
    '          1 skipped: needs zsh',
  ]);
  expect(skippedLines([])).toEqual([]);
});

describe('what a group of tests needs', needs('machine without a clock', true), () => {
  describe('within another', () => {
    it('is known of each of its tests', ({ task }) => {
      expect(task.meta.needs).toBe('machine without a clock');
    });
  });
});

it('no test is skipped without a reason', () => {
  const files = execFileSync('git', ['ls-files', 'test/**/*.ts'], { cwd: root, encoding: 'utf8' }).split('\n');
  const silent = /\b(?:describe|it|test)\.(?:skip|skipIf|runIf|todo)\b/;
  const found = files.filter((file) => file.endsWith('.ts') && silent.test(readFileSync(join(root, file), 'utf8')));
  expect(found).toEqual([]);
});
