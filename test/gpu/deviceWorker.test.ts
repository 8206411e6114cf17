/** Threads that compute are ended; the process must not end with them. Each in a process of its own. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/bundle.mjs';
import { testAdapters } from '../support/adapters.ts';

const support = join(import.meta.dirname, '..', 'support');
let program: string;
let thread: string;
beforeAll(async () => {
  program = await bundle(join(support, 'deviceThreads.mjs'));
  thread = await bundle(join(support, 'deviceThread.mjs'));
});

function end(how: string) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, how, testAdapters[0]!, thread], {
    encoding: 'utf8',
    timeout: 110_000,
  });
  return { status, signal, stdout: stdout.trim().split('\n'), stderr };
}

describe('a thread with a device', () => {
  it('is terminated while programs run, and the process goes on', () => {
    const { status, stdout, stderr } = end('terminate');
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: [...Array(2).fill('running 1 1 1'), 'alive'] });
  });

  it('is terminated before it has a device', () => {
    const { status, stdout, stderr } = end('terminate at once');
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: ['number', 'alive'] });
  });

  it.each([
    ['end of the process', 7],
    ['uncaught error', 1],
  ])('ends with its process: %s', (how, status) => {
    const ended = end(how);
    expect(ended, ended.stderr).toMatchObject({ status, signal: null });
    expect(ended.stderr).not.toContain('FATAL');
  });
});

describe('opening a device', () => {
  it.each(['plain worker', 'plain worker of a thread'])('is refused in a thread that could be cut off: %s', (how) => {
    expect(end(how).stdout[0]).toMatch(/^no-device: .*DeviceWorker.*\{ inWorker: true \}/);
  });

  it('is granted to a thread of somebody else who promises to let it end', () => {
    expect(end('promised worker')).toMatchObject({ signal: 'SIGKILL', stdout: ['running'] });
  });
});
