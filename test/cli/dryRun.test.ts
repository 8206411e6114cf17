/** `proxmo train --dry-run`: what it shows, what it refuses, and that it writes nothing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-dry-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);
const untaught = join(folder, 'untaught.mjs');
writeFileSync(untaught, readFileSync(world, 'utf8').replace(/createExpert:.*\n/, ''));
const before = readdirSync(folder);

const dry = (path: string, ...settings: string[]) =>
  proxmo(['train', '--dry-run', ...tinyFlags(path), ...settings.flatMap((setting) => ['--set', setting])], {
    cwd: folder,
  });

describe('--dry-run', () => {
  it('shows configuration, prompt, episode, memory and time, and writes nothing', async () => {
    const { code, stdout } = await dry(world, 'warmStart.tasks=3');
    expect(code).toBe(0);
    expect(stdout).toContain('  groupSize: 2\n');
    expect(stdout).toMatch(/== first prompt, \d+ tokens\n<task> go/);
    expect(stdout).toMatch(
      /== an episode of the expert: \w\n1\. > left {2}\(2 tokens, reward \d+\)\ndone after 1 steps/,
    );
    expect(stdout).toMatch(/total +[\d.]+ MiB/);
    expect(stdout).toMatch(/an iteration {2}\d+ s, of which there are 2\n/);
    expect(stdout).toMatch(/the run {7}about \d+ s/);
    expect(stdout).toContain('== cannot work\nnothing that was found');
    expect(readdirSync(folder)).toEqual(before);
  });

  it('plays at random without an expert, and says that there is no warm start', async () => {
    const { code, stdout } = await dry(untaught, 'warmStart.tasks=3');
    expect(code).toBe(0);
    expect(stdout).toContain('== an episode of random actions');
    expect(stdout).toMatch(/== notes\ntiny has no expert to learn from, so there is no warm start/);
    expect(stdout).toMatch(/warm start {4}0 s/);
  });

  it.each([
    [['training.tasks=1000'], /train split of tiny has 42 tasks, but an iteration takes 1000 \(training\.tasks\); set/],
    [['warmStart.tasks=3', 'warmStart.teacher=solution'], /tiny has no recorded solutions/],
    [['prompt.memory=transcript', 'prompt.maxTokens=4'], /A transcript of 4 tokens cannot hold one turn of tiny/],
    [['training.groupSize=1'], /proxmo compares the episodes of a task with each other, but there is one/],
    [['engine.memory=0.001'], /The run needs [\d.]+ MiB, but engine\.memory allows 0\.0 MiB/],
  ])('%j cannot work', async (settings, message) => {
    const { code, stdout, stderr } = await dry(world, ...settings);
    expect(stdout.split('== cannot work\n')[1]).toMatch(message);
    expect(stderr).toMatch(/^proxmo: The run cannot work: /);
    expect(code).toBe(1);
    expect(readdirSync(folder)).toEqual(before);
  });

  it('shows an episode also where something else is wrong', async () => {
    const { code, stdout } = await dry(world, 'training.groupSize=1');
    expect(code).toBe(1);
    expect(stdout).toContain('== an episode of the expert');
  });

  it('is of all tasks that there are where more are asked for, and says so', async () => {
    const { code, stdout } = await dry(world, 'training.pool=1000', 'evaluation.tasks=1000');
    expect(code).toBe(0);
    expect(stdout).toContain('tiny has 42 tasks, so 42 are trained on and not 1000 (training.pool).\n');
    expect(stdout).toContain('tiny has 10 tasks, so 10 are evaluated on and not 1000 (evaluation.tasks).\n');
  });

  it('is one JSON value with --json', async () => {
    const { stdout } = await proxmo(['train', '--dry-run', '--json', ...tinyFlags(world)], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({
      config: { training: { groupSize: 2 } },
      problems: [],
      episode: { by: 'expert', success: true },
      time: { total: expect.any(Number) },
      memory: { total: expect.any(Number) },
    });
  });

  it.each([
    [['--resume', 'x'], /--dry-run shows a new run, so --resume cannot be given with it/],
    [['--seeds', '1,2'], /--seeds trains new runs, so --dry-run cannot be given with it/],
    [['--plan'], /--dry-run shows a new run, so --plan cannot be given with it/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await proxmo(['train', '--dry-run', ...args]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

it('a run without an expert has no warm start, and says so', async () => {
  const out = join(folder, 'untaught');
  const args = ['train', ...tinyFlags(untaught), '--set', 'warmStart.tasks=3', '--iterations', '1', '--out', out];
  const { code, stderr } = await proxmo(args);
  expect(stderr).toMatch(/tiny has no expert to learn from, so there is no warm start/);
  expect(stderr).toContain('no warm start\n');
  expect(code).toBe(0);
});
