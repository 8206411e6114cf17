/** `proxmo export --jsonl`: the episodes of a run in the conversational form. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';
import { writeRun } from '../support/viewRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-episodes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);

it('writes a line for each episode, with numbers that read as floats', async () => {
  const run = join(folder, 'run');
  expect((await proxmo(['train', ...tinyFlags(world), '--iterations', '2', '--out', run])).code).toBe(0);
  const file = join(folder, 'episodes.jsonl');
  const { code, stdout } = await proxmo(['export', run, '--jsonl', file]);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${file}: 8 episodes of ${run}`)]);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(8);
  for (const line of lines) {
    const { messages, reward, success, rewards, ...others } = JSON.parse(line);
    expect(messages).toEqual([
      { role: 'user', content: 'go\n\ntwo doors' },
      { role: 'assistant', content: expect.stringMatching(/^(left|right)$/) },
    ]);
    expect(messages[1].content === 'left').toBe(success);
    expect(rewards).toEqual([reward]);
    expect(others).toMatchObject({ task: expect.any(String), type: 'door', iteration: expect.any(Number), seed: 1 });
    expect(line).toMatch(/"reward":\d+\.\d+,"score":\d\.\d+,"rewards":\[\d+\.\d+\],"advantages":\[-?\d+\.\d+/);
  }
});

it('writes held-out episodes in their place where they are asked for, without advantages', async () => {
  const run = await writeRun(join(folder, 'kitchen'), { iterations: 2 });
  const file = join(folder, 'held-out.jsonl');
  const { code, stdout } = await proxmo(['export', run, '--jsonl', file, '--held-out']);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${file}: 8 held-out episodes of ${run}`)]);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const episodes = lines.map((line) => JSON.parse(line));
  expect(episodes.map(({ iteration }) => iteration)).toEqual([0, 0, 0, 0, 2, 2, 2, 2]);
  expect(Object.keys(episodes[0])).toEqual([
    'messages',
    'task',
    'type',
    'episode',
    'iteration',
    'seed',
    'success',
    'valid',
    'reward',
    'score',
    'rewards',
  ]);
  expect(episodes[0].task).toBe('held-out/kitchen-0/clean-cup-sink');
});

it('refuses --held-out without a file of episodes', async () => {
  const { code, stderr } = await proxmo(['export', folder, '--csv', join(folder, 'x.csv'), '--held-out']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--held-out is of episodes; name --jsonl FILE too.')]);
});

it('says that nothing was kept, and writes nothing', async () => {
  const run = join(folder, 'none');
  const keep = ['--set', 'rollouts.keep=none'];
  expect((await proxmo(['train', ...tinyFlags(world), '--iterations', '1', ...keep, '--out', run])).code).toBe(0);
  const file = join(folder, 'none.jsonl');
  const { code, stderr } = await proxmo(['export', run, '--jsonl', file]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/has kept no episodes \(rollouts\.keep/)]);
  expect(existsSync(file)).toBe(false);
  const held = await proxmo(['export', run, '--jsonl', file, '--held-out']);
  expect(held.stderr).toMatch(/has kept no held-out episodes \(rollouts\.keep, or no evaluation is done yet\)/);
});
