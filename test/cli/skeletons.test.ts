/** `proxmo env new` and `proxmo kernel new`: what they write works as it is, and they write over nothing. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { runNodeTests, runSource } from '../support/example.ts';
import { codeBlocks } from '../support/markdown.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-skeletons-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (...words: string[]) => proxmo(words, { cwd: folder });

describe('proxmo env new', () => {
  it('writes an environment that keeps its contract, and whose test passes', async () => {
    const { code, stdout } = await run('env', 'new', 'my-world');
    expect(code).toBe(0);
    expect(stdout).toBe(`wrote my-world.mjs
wrote my-world.test.mjs

Next:
  node --test my-world.test.mjs
  proxmo env check ./my-world.mjs
  proxmo train --env ./my-world.mjs --set warmStart.tasks=0
`);
    expect(await run('env', 'check', './my-world.mjs')).toMatchObject({ code: 0 });
    expect(await runNodeTests(join(folder, 'my-world.test.mjs'))).toMatch(/^# pass 2$/m);
  });

  it('can be trained in with the default settings', async () => {
    await run('env', 'new', 'trained');
    const { code, stdout } = await run('train', '--env', './trained.mjs', '--set', 'warmStart.tasks=0', '--dry-run');
    expect(code, stdout).toBe(0);
  });

  it('writes into another folder, which it makes', async () => {
    expect(await run('env', 'new', 'other', '--to', 'deep/down')).toMatchObject({ code: 0 });
    expect(readdirSync(join(folder, 'deep', 'down'))).toEqual(['other.mjs', 'other.test.mjs']);
  });

  it('writes nothing where one of its files is there already', async () => {
    writeFileSync(join(folder, 'taken.test.mjs'), 'mine');
    const { code, stderr } = await run('env', 'new', 'taken');
    expect([code, stderr]).toEqual([
      1,
      'proxmo: taken.test.mjs exists already; save the environment under another name.\n',
    ]);
    expect(existsSync(join(folder, 'taken.mjs'))).toBe(false);
    expect(readFileSync(join(folder, 'taken.test.mjs'), 'utf8')).toBe('mine');
  });

  it.each(['My World', '../up', '1st', ''])('refuses the name %j', async (name) => {
    const { code, stderr } = await run('env', 'new', name);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `proxmo: ${JSON.stringify(name)} cannot be the name of a new environment; use small letters, digits and hyphens, beginning with a letter, as my-world.\n`,
    );
  });
});

describe('proxmo kernel new', () => {
  it('writes a kernel that is right in value and gradient, and can be timed', { timeout: 60_000 }, async () => {
    expect(await run('kernel', 'new', 'softSign')).toMatchObject({ code: 0 });
    expect(await runNodeTests(join(folder, 'softSign.test.mjs'))).toMatch(/^# pass 3$/m);
  });

  it('trains a policy as docs/kernels.md has it', { timeout: 120_000 }, async () => {
    await run('kernel', 'new', 'softSign', '--to', 'policy');
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'kernels.md'), 'utf8');
    const program = codeBlocks(page).find(
      ({ language, text }) => language === 'js' && text.includes('softSign.mjs'),
    )!.text;
    const settings = `{
      ...presets.small,
      warmStart: { ...presets.small.warmStart, tasks: 4, epochs: 1 },
      training: { ...presets.small.training, iterations: 1, tasks: 1, groupSize: 2, pool: 4 },
      evaluation: { ...presets.small.evaluation, tasks: 2 },
    }`;
    const shorter = program.replace('parse(presets.small)', `parse(${settings})`);
    expect(shorter).not.toBe(program);
    const stdout = await runSource(shorter, join(folder, 'policy', 'policy.mjs'));
    expect(stdout).toMatch(/^1 [\d.]+\nheld-out success [\d.]+ before, [\d.]+ after\n$/);
  });

  it('refuses a name that is none in JavaScript', async () => {
    const { code, stderr } = await run('kernel', 'new', 'soft-sign');
    expect([code, stderr]).toEqual([
      2,
      'proxmo: "soft-sign" cannot be the name of a new kernel; use letters and digits, beginning with a small letter, as softSign.\n',
    ]);
  });
});
