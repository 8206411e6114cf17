/** The folder for what can be made again: unpacked drivers and measurements. `PROXMO_CACHE` names another one. */
import { mkdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProxmoError } from '../base/errors.ts';

/** The user's cache folder by the XDG convention, whether it is there or not. */
export function cacheFolder(): string {
  return process.env.PROXMO_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'proxmo');
}

/** The same, made; the temporary folder where it cannot be. @throws {ProxmoError} `file` if neither can be written */
export function makeCacheFolder(): string {
  for (const folder of [cacheFolder(), join(tmpdir(), 'proxmo')]) {
    try {
      mkdirSync(folder, { recursive: true });
      return folder;
    } catch {
      // A read-only home folder: the temporary folder serves.
    }
  }
  throw new ProxmoError(
    'file',
    `Neither ${cacheFolder()} nor ${tmpdir()} can be written; name a folder that can as PROXMO_CACHE.`,
  );
}
