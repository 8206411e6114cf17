/** The process of a study's run, and how it is told that it ended. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TrainingChild } from '../../src/cli/study/child.ts';
import type { StudyRun } from '../../src/cli/study/file.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-study-child-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dir = join(folder, 'arm', 'seed-1');
const run = { name: 'arm seed 1', arm: 'arm', seed: 1, dir } as StudyRun;

/** Runs a program in place of proxmo. */
function ended(text: string): Promise<{ readonly reason: string }> {
  const program = join(folder, 'program.mjs');
  writeFileSync(program, text);
  return new TrainingChild(run, true, { program, warmStarts: folder, threads: null, onNews: () => {} }).ended;
}

it.each([
  ['its last error', `console.error('something'); console.error('proxmo: no luck.'); process.exit(1);`, 'no luck.'],
  ['its last line', `console.error('first'); console.error('last'); process.exit(1);`, 'last'],
  ['nothing', 'process.exit(1);', 'it printed nothing'],
  ['a signal', `process.kill(process.pid, 'SIGKILL');`, 'its process was ended by SIGKILL'],
])('ends with %s', async (_, program, reason) => {
  expect(await ended(program)).toEqual({ reason });
});

it('ends in a sentence, and not the study with it, where its log was removed meanwhile', async () => {
  const program = `import { rmSync } from 'node:fs'; rmSync(${JSON.stringify(`${dir}.log`)}); process.exit(1);`;
  expect(await ended(program)).toEqual({ reason: expect.stringMatching(/^its log cannot be read \(/) });
});
