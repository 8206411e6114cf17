import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { acquireLock } from '../../src/base/lock.node.ts';

vi.mock('node:fs', async (original) => {
  const actual = await original<typeof fs>();
  return { ...actual, renameSync: vi.fn(actual.renameSync) };
});

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxmo-lock-'));
  path = join(folder, 'run.lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

const lockOf = (pid: number, host = hostname(), processStarted = 0) =>
  writeFileSync(path, JSON.stringify({ pid, host, processStarted }));
/** The id of a process that has ended. */
const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;

test('one holder at a time', () => {
  const release = acquireLock(path);
  expect(() => acquireLock(path)).toThrow(`in use by process ${process.pid} on ${hostname()}`);
  release();
  expect(readdirSync(folder)).toEqual([]);
  acquireLock(path)();
});

test('the lock of a dead process is taken over', () => {
  lockOf(deadPid());
  const release = acquireLock(path);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
  release();
  expect(readdirSync(folder)).toEqual([]);
});

test('so is one of an earlier process that had the same id', () => {
  lockOf(process.pid);
  acquireLock(path)();
});

test('the lock of a living process stands', () => {
  lockOf(process.ppid);
  expect(() => acquireLock(path)).toThrow(`in use by process ${process.ppid}`);
});

test('the lock of another machine stands, and one that cannot be read', () => {
  lockOf(deadPid(), 'elsewhere');
  expect(() => acquireLock(path)).toThrow('on elsewhere; wait until that ends, or delete');
  writeFileSync(path, '');
  expect(() => acquireLock(path)).toThrow('in use by another process');
  expect(readdirSync(folder)).toEqual(['run.lock']);
});

test('a lock that has gone to someone else is not given back', () => {
  const release = acquireLock(path);
  lockOf(process.ppid);
  release();
  expect(readdirSync(folder)).toEqual(['run.lock']);
});

test('a stale lock that someone looks at, on Windows, stands for now', () => {
  lockOf(deadPid());
  vi.mocked(fs.renameSync).mockImplementationOnce(() => {
    throw Object.assign(new Error('busy'), { code: 'EPERM' });
  });
  expect(() => acquireLock(path)).toThrow('wait until that ends, or delete');
  acquireLock(path)();
  expect(readdirSync(folder)).toEqual([]);
});

test('a lock is given back once', () => {
  const release = acquireLock(path);
  release();
  const again = acquireLock(path);
  release();
  expect(readdirSync(folder)).toEqual(['run.lock']);
  again();
});
