/**
 * What this user agreed to let runs and configurations start: a file for each in a folder that nobody else can write,
 * named by the hash of what is started. To take an agreement back, delete its file. `PROXMO_STATE` names another
 * folder.
 */
import { createHash } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exists, writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { isOwn, makeOwnFolder, userFolder } from '../base/userFolders.node.ts';

/**
 * Whether this user agreed to it.
 * @param started a plain value with everything that decides what is started: any difference makes it another thing
 * @throws {ProxmoError} `file` if what was agreed to is kept where others could have written it
 */
export async function isTrusted(started: object): Promise<boolean> {
  const { folder, path, text } = placeOf(started);
  if (!(await exists(path))) return false;
  checkFolder(folder);
  const info = await lstat(path);
  return info.isFile() && isOwn(info) && (await readFile(path, 'utf8')) === text;
}

/** Remembers that this user agreed to it. @throws {ProxmoError} `file` if there is no place for that */
export async function rememberTrust(started: object): Promise<void> {
  const { folder, path, text } = placeOf(started);
  checkFolder(folder);
  await writeFileAtomic(path, [text]);
}

function checkFolder(folder: string): void {
  try {
    makeOwnFolder(folder, { tighten: !process.env.PROXMO_STATE });
  } catch (error) {
    throw new ProxmoError(
      'file',
      `There is no folder for what you agreed to: ${(error as Error).message} Name one of your own as PROXMO_STATE.`,
      { cause: error },
    );
  }
}

function placeOf(started: object): { readonly folder: string; readonly path: string; readonly text: string } {
  const text = `${JSON.stringify(sorted(started), null, 2)}\n`;
  const folder = join(process.env.PROXMO_STATE ? resolve(process.env.PROXMO_STATE) : userFolder('state'), 'trusted');
  return { folder, path: join(folder, `${createHash('sha256').update(text).digest('hex')}.json`), text };
}

/** The same value with the keys of its objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
