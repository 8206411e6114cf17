/**
 * Keeps two processes from writing the same run or folder. The lock is a file that names its process; a process that
 * ended without removing it is noticed, and its lock taken over. A process on another machine cannot be asked, so its
 * lock stands until someone removes the file.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';
import { isHeldOpen, temporaryPath } from './atomicFile.node.ts';
import { ProxmoError } from './errors.ts';

const ownerSchema = z.object({ pid: z.int().positive(), host: z.string(), processStarted: z.number() });
type Owner = z.infer<typeof ownerSchema>;

/**
 * Start times of one process, taken twice from a clock that may be set in between, differ by less than this, in
 * milliseconds.
 */
const sameStart = 5000;

/**
 * Takes a lock.
 * @param what it locks, for messages
 * @returns a function that gives it back
 * @throws {ProxmoError} `file` if another process, or this one, holds it.
 */
export function acquireLock(path: string, what = 'run'): () => void {
  const own = thisProcess();
  const text = `${JSON.stringify(own)}\n`;
  if (!create(path, text)) {
    const found = readOrEmpty(path);
    if (!isStale(found, own)) throw inUse(what, path, found);
    takeAway(what, path, found);
    if (!create(path, text)) throw inUse(what, path, readOrEmpty(path));
  }
  let isHeld = true;
  return () => {
    if (isHeld && readOrEmpty(path) === text) rmSync(path, { force: true });
    isHeld = false;
  };
}

/** Who holds a lock, as `process 123 on host`; null if nobody does. */
export function holderOf(path: string): string | null {
  const text = readOrEmpty(path);
  if (!isHeldLock(text)) return null;
  const owner = parseOwner(text);
  return owner ? `process ${owner.pid} on ${owner.host}` : 'another process';
}

/** Whether somebody holds the lock of which this is the text. */
export function isHeldLock(text: string): boolean {
  return text !== '' && !isStale(text, thisProcess());
}

function thisProcess(): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    processStarted: Math.round(Date.now() - process.uptime() * 1000),
  };
}

/** Makes the lock file; false if there is one. */
function create(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a stale lock, unless another process was faster and the file is its lock by now. */
function takeAway(what: string, path: string, stale: string): void {
  const aside = temporaryPath(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    // On Windows, someone who looks at the lock at this moment.
    if (isHeldOpen(error)) throw inUse(what, path, stale);
    throw error;
  }
  const taken = readOrEmpty(aside);
  rmSync(aside, { force: true });
  if (taken === stale) return;
  create(path, taken);
  throw inUse(what, path, taken);
}

/**
 * Whether the process that a lock names has ended. A lock that cannot be read counts as held: its owner may be writing
 * it.
 */
function isStale(text: string, own: Owner): boolean {
  const owner = parseOwner(text);
  if (!owner || owner.host !== own.host) return false;
  if (owner.pid === own.pid) return Math.abs(owner.processStarted - own.processStarted) > sameStart;
  return !isAlive(owner.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function parseOwner(text: string): Owner | null {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function inUse(what: string, path: string, text: string): ProxmoError {
  const owner = parseOwner(text);
  const holder = owner ? `process ${owner.pid} on ${owner.host}` : 'another process';
  return new ProxmoError(
    'file',
    `The ${what} is in use by ${holder}; wait until that ends, or delete ${path} if you know it has.`,
  );
}
