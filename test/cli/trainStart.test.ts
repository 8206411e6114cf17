/** `npm start` passes on what asks it to stop, and waits for the end of training. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-start-'));
const scripts = join(import.meta.dirname, '..', '..', 'scripts');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** In place of training: says when it is ready and which signals it gets, and takes a moment to end. */
const training = `
let count = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    console.log(signal);
    if (count++ === 0) setTimeout(() => { console.log('checkpoint'); process.exit(42); }, 300);
  });
console.log('ready', process.argv.slice(2).join(' '));
setInterval(() => {}, 1000);`;

beforeAll(() => {
  for (const name of ['scripts', 'dist']) mkdirSync(join(folder, name));
  cpSync(join(scripts, 'start.mjs'), join(folder, 'scripts', 'start.mjs'));
  writeFileSync(join(folder, 'dist', 'cli.js'), training);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node scripts/start.mjs' } }));
});

/** Starts a command, asks it to stop as soon as training is ready, and waits for the end of all that it began. */
async function stopped(command: string, args: readonly string[], stop: (child: ChildProcess) => void) {
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  let output = '';
  child.stdout!.on('data', (text) => {
    const isNew = !output.includes('ready');
    output += text;
    if (isNew && output.includes('ready')) stop(child);
  });
  const code = await new Promise((resolve) => child.on('close', (exit, signal) => resolve(signal ?? exit)));
  return { code, output };
}

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s reaches training, whose exit code comes back', async (signal) => {
  const { code, output } = await stopped(process.execPath, ['scripts/start.mjs', '--seed', '3'], (child) =>
    child.kill(signal),
  );
  expect(output).toContain('ready train --seed 3');
  expect(output).toMatch(new RegExp(`${signal}\ncheckpoint\n$`));
  expect(code).toBe(42);
});

const npm = (stop: (child: ChildProcess) => void) => stopped('npm', ['start', '--silent'], stop);

it.each(['SIGTERM', 'SIGHUP'] as const)('%s to npm alone ends training with a checkpoint', async (signal) => {
  const { output } = await npm((child) => child.kill(signal));
  expect(output).toMatch(/^ready train\nSIG(TERM|HUP)\n(.*\n)*checkpoint\n$/);
});

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s to all processes of a terminal does too', async (signal) => {
  const { output } = await npm(({ pid }) => process.kill(-pid!, signal));
  expect(output).toMatch(/checkpoint\n$/);
  expect(output).toContain(signal);
});
