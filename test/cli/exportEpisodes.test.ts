/** `proxmo export --jsonl`: the episodes of a run in the conversational form. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';

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

it('says that nothing was kept, and writes nothing', async () => {
  const run = join(folder, 'none');
  const keep = ['--set', 'rollouts.keep=none'];
  expect((await proxmo(['train', ...tinyFlags(world), '--iterations', '1', ...keep, '--out', run])).code).toBe(0);
  const file = join(folder, 'none.jsonl');
  const { code, stderr } = await proxmo(['export', run, '--jsonl', file]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/has kept no episodes \(rollouts\.keep/)]);
  expect(existsSync(file)).toBe(false);
});
