/** Runs whose transcripts cannot hold one turn are refused before they begin. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { onEpisode, tinyConfig, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-openings-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => onEpisode(undefined));

// <task> go <observation> two doors <option> left <option> right <action>
const needed = 10;
const configOf = (prompt: object) => tinyConfig(world, { prompt, training: { iterations: 1 } });

it('a transcript that cannot hold one turn is refused, with what it takes, and leaves no folder', async () => {
  const dir = join(folder, 'short');
  await expect(trainTiny(dir, configOf({ memory: 'transcript', maxTokens: needed - 1 }))).rejects.toMatchObject({
    code: 'config',
    message: expect.stringMatching(
      /^A transcript of 9 tokens cannot hold one turn of tiny: task and first observation of [A-Za-z] need 10; set prompt\.maxTokens to that or more/,
    ),
  });
  expect(existsSync(dir)).toBe(false);
});

it('one that can hold a turn, and a window of any length, are not', async () => {
  await trainTiny(join(folder, 'just'), configOf({ memory: 'transcript', maxTokens: needed }));
  await trainTiny(join(folder, 'window'), configOf({ memory: 'window', maxTokens: needed - 1 }));
});

it('a world that fails when it is looked at is left to the run, which counts its faults', async () => {
  let opened = 0;
  onEpisode(() => {
    if (opened++ === 0) throw new Error('not yet');
  });
  await trainTiny(join(folder, 'fault'), configOf({ memory: 'transcript', maxTokens: needed }));
  expect(opened).toBeGreaterThan(1);
});
