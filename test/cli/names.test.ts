/** Wrong names are told before a device is opened: here none can be, so any other order would tell that instead. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { createRun } from '../../src/runs/run.ts';
import { proxmo } from '../support/cli.ts';
import { hfFixture } from '../support/hfFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-names-'));
const [taken, moved, elsewhere] = ['taken', 'moved', 'elsewhere'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const out = join(folder, 'out');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  mkdirSync(taken);
  writeFileSync(join(taken, 'notes.txt'), 'mine');
  const session = { adapter: { name: 'a' }, version: '1', seed: 1 };
  const run = async (dir: string, settings: object) =>
    (await createRun(dir, { ...session, config: { ...trainConfigSchema.parse(settings) } })).close();
  await run(moved, { model: join(folder, 'gone') });
  await run(elsewhere, { environment: { name: join(folder, 'gone.mjs') } });
});

it.each<[string[], RegExp]>([
  [['train', '--env', 'houshold'], /There is no environment houshold \(did you mean household\?\); choose one of/],
  [['train', '--env', './gone.mjs'], /There is no environment module .*gone\.mjs/],
  [['train', '--preset', 'pretrained', '--model', 'gone'], /gone cannot be opened/],
  [
    ['train', '--preset', 'pretrained', '--model', hfFixture('llama'), '--set', 'lora.from=gone'],
    /adapter_config\.json cannot be read/,
  ],
  [['train', '--set', 'engine.tune=true', '--set', 'engine.variants=gone'], /gone cannot be read/],
  [['train', '--plan', '--env', 'moon'], /There is no environment moon/],
  [['train', '--out', taken], /taken is not empty; give another folder/],
  [['train', '--out', moved], /moved holds a run already; resume it/],
  [
    ['train', '--out', join(taken, 'notes.txt')],
    /notes\.txt cannot hold a run: a part of the path is a file, not a folder/,
  ],
  [['eval', 'gone'], /gone is not a run/],
  [['eval', moved], /gone cannot be opened/],
  [['play', elsewhere], /There is no environment module .*gone\.mjs/],
  [['generate', '--model', 'gone', '--prompt', 'x'], /gone cannot be opened/],
  [['generate', '--model', moved, '--prompt', 'x'], /gone cannot be opened/],
  [['model', 'export', moved, join(folder, 'saved')], /gone cannot be opened/],
  [['model', 'verify', 'gone'], /gone cannot be opened/],
  [['bench', '--filter', 'matmull'], /Nothing is called matmull/],
  [['bench', '--compare', 'gone'], /No bench gone was saved/],
  [['doctor', '--kernels', 'nothing'], /No kernel has nothing in its name/],
  [['advantages', 'gone'], /gone cannot be read/],
])('%j', async (args, message) => {
  const isRun = args[0] === 'train' && !args.includes('--out') ? ['--out', out] : [];
  const adapter = ['--adapter', 'no-such-adapter'];
  const { code, stdout, stderr } = await proxmo([...args, ...isRun, ...adapter]);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('no-such-adapter');
  expect([code > 0, code < 70, stdout, existsSync(out)]).toEqual([true, true, '', false]);
});
