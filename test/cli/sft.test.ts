/** `proxmo sft` as a user calls it, from an expert's chats to a policy that trains on, and what it refuses. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presets } from '../../src/rl/presets.ts';
import { createRun } from '../../src/runs/run.ts';
import { chatModel } from '../support/chatModel.ts';
import { proxmo } from '../support/cli.ts';
import { writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-sft-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);
const [chats, tuned] = [path('chats.jsonl'), path('tuned')];
let model = '';
let world = '';
beforeAll(async () => {
  model = await chatModel(path('model'));
  world = writeTinyWorld(folder);
});

/** Runs a command, which must work. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await proxmo(args, { env: { PROXMO_STATE: path('state') } });
  expect(code, stderr).toBe(0);
  return stdout;
}
const sets = (...assignments: string[]) => assignments.flatMap((each) => ['--set', each]);
describe('the way from an expert to a trained policy', () => {
  it('begins with chats of what a policy of these settings would read', async () => {
    const said = await done('env', 'demonstrate', '--env', world, '--tasks', '6', '--out', chats);
    expect(said).toContain('6 chats of 6 tasks');
    const rows = readFileSync(chats, 'utf8').trimEnd().split('\n');
    const { messages } = JSON.parse(rows[0]!);
    expect(rows).toHaveLength(6);
    expect(messages[0].content).toMatch(/Your task is to: go.*two doors.*left/s);
    expect(messages[1]).toEqual({ role: 'assistant', content: '<think></think><action>left</action>' });
  });

  it('shows what would be learned, and the memory', async () => {
    const args = ['sft', '--model', model, '--data', chats];
    const shown = await done(...args, '--dry-run');
    expect(shown).toMatch(/learned, \d+ tokens:\n<think><\/think><action>left<\/action><\|im_end\|>/);
    expect(shown).toContain('Micro-batches of 8192 tokens fit');
    const { adapter, parts } = JSON.parse(await done(...args, '--plan', '--json'));
    expect([typeof adapter, parts.kvCache]).toEqual(['string', 0]);
    expect(parts.adapters).toBeGreaterThan(0);
  });

  it('leaves a run that speaks', async () => {
    const settings = sets('training.steps=1', 'optimiser.microBatchTokens=512');
    const args = ['--model', model, '--data', chats, '--out', tuned, ...settings, '--json'];
    const summary = JSON.parse(await done('sft', ...args));
    expect(summary).toMatchObject({ run: tuned, steps: 1, trained: 'adapters', data: { chats: 5, heldOut: 1 } });
    const spoken = await done('generate', '--model', tuned, '--chat', '--prompt', 'go', '--max-tokens', '3');
    expect(spoken.length).toBeGreaterThan(0);
    const table = path('metrics.csv');
    await done('export', tuned, '--csv', table);
    expect(readFileSync(table, 'utf8')).toContain('gradientNorm');
  });

  it('is where training can begin', async () => {
    const plan = await done('train', '--init', tuned, '--preset', 'pretrained', '--env', world, '--plan', '--json');
    const { parts } = JSON.parse(plan);
    // Saved adapters are part of what the KL term holds on to.
    expect(parts.reference).toBe(parts.adapters);
    expect(parts.adapters).toBeGreaterThan(0);
  });
});

it('is shown as a page', async () => {
  const page = path('tuned.html');
  const { code, stdout } = await proxmo(['view', tuned, '--html', page], { env: { PROXMO_STATE: path('state') } });
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${page}: `)]);
});

describe('what is refused', () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await proxmo(args, { env: { PROXMO_STATE: path('state') } });
    expect(code).not.toBe(0);
    return stderr.trim().split('\n').at(-1);
  };

  it.each([
    [['sft', '--data', 'x'], 'Name the model to train by --model.'],
    [['sft', '--model', 'x'], 'Name the chats to learn from by --data FILE.'],
    [['sft', '--resume', 'x', '--data', 'y'], '--resume keeps a run as it is, so --data cannot be given with it.'],
  ])('%j', async (args, sentence) => {
    expect(await refused(...args)).toBe(`proxmo: ${sentence}`);
  });

  it('is a line that is no chat, by its number, and nothing is left behind', async () => {
    const [bad, out] = [path('bad.jsonl'), path('nothing')];
    writeFileSync(bad, `${readFileSync(chats, 'utf8')}{"messages": [\n`);
    expect(await refused('sft', '--model', model, '--data', bad, '--out', out)).toContain(
      'bad.jsonl line 7 is not JSON',
    );
    expect(existsSync(out)).toBe(false);
    const missing = await refused('sft', '--model', model, '--data', path('none.jsonl'), '--out', out);
    expect(missing).toMatch(/none\.jsonl cannot be read: .*--data FILE/);
  });

  it('is a run of it where one that plays is needed, and the other way round', async () => {
    const config = { ...presets.small, environment: { name: world } };
    (await createRun(path('run'), { config, seed: 1, adapter: {}, version: '1' })).close();
    expect(await refused('train', '--resume', tuned)).toContain('is a run of proxmo sft, which plays nothing');
    expect(await refused('compare', tuned, tuned)).toContain('is a run of proxmo sft, which plays nothing');
    expect(await refused('sft', '--resume', path('run'))).toContain('is a run of proxmo train');
    expect(await refused('train', '--init', path('run'), '--env', world)).toContain('proxmo model export');
    expect(await refused('eval', path('run'), '--preset', 'small')).toContain('has settings of its own');
  });
});
