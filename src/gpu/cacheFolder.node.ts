/**
 * The folder for what can be made again: drivers and measurements. It is the user's own, because programs are loaded
 * from it. `PROXMO_CACHE` names another one.
 */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ProxmoError } from '../base/errors.ts';
import { makeOwnFolder, userFolder } from '../base/userFolders.node.ts';

/** Where the folder is, whether it is there or not. */
export function cacheFolder(): string {
  return process.env.PROXMO_CACHE ? resolve(process.env.PROXMO_CACHE) : userFolder('cache');
}

/**
 * The same, made and checked. Where the usual one cannot be had, as in a home folder that is read-only, one of the
 * user's in the temporary folder serves.
 * @throws {ProxmoError} `file` if neither can be had, or not the one that was named
 */
export function makeCacheFolder(): string {
  const problems: string[] = [];
  const isNamed = Boolean(process.env.PROXMO_CACHE);
  const temporary = () => join(tmpdir(), `proxmo-${process.geteuid?.() ?? 'cache'}`);
  for (const place of isNamed ? [cacheFolder] : [cacheFolder, temporary]) {
    try {
      const folder = place();
      makeOwnFolder(folder, { tighten: !isNamed });
      return folder;
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  throw new ProxmoError(
    'file',
    `There is no folder for the cache: ${problems.join(' ')} Name one of your own as PROXMO_CACHE.`,
  );
}
