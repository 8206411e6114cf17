/** The command that tries other platforms: what it is asked, and what it leaves behind. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'everywhere.mjs');
const folder = mkdtempSync(join(tmpdir(), 'proxmo-everywhere-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  [['firefx'], 'There is no platform firefx; there are node22, node24, bun, chromium, deno, firefox.'],
  [['--fresh', 'bun'], 'There is no platform bun; there are node20, node22, node24.'],
  [['--minutes=soon'], '--minutes takes a number above 0, not soon.'],
  [['--tests=test/base'], '--tests is for --fresh; without it, kernels are checked and a policy trains.'],
  [['--fresh', '--all', '--tests=a'], '--tests names some tests, and --all means all of them; give one of the two.'],
  [['--frsh'], "Unknown option '--frsh'"],
])('refuses %j in a sentence', (args, problem) => {
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  expect(stderr).toContain(`everywhere: ${problem}`);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
});

it(
  'leaves no folder and no process where it is killed',
  needs('another system than Windows', process.platform !== 'win32'),
  async () => {
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(process.execPath, [script, '--fresh', 'node20'], { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const folders = () => readdirSync(folder).filter((name) => name.startsWith('proxmo-everywhere-'));
    const started = () => processes().filter(({ parent }) => parent === child.pid);
    await expect.poll(started, { timeout: 60_000 }).toHaveLength(1);
    expect(folders()).toHaveLength(1);
    const [npm] = started();
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
    expect(folders()).toEqual([]);
    await expect.poll(() => processes().filter(({ pid }) => pid === npm!.pid)).toEqual([]);
  },
);

/** Those that run: not what has ended and nobody has asked for. */
function processes(): { readonly parent: number; readonly pid: number }[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'ppid=,pid=,stat='], { encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([parent, pid]) => ({ parent: Number(parent), pid: Number(pid) }));
}
