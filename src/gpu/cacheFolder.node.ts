/** The folder for what can be made again: unpacked drivers and measurements. `PROXMO_CACHE` names another one. */
import { mkdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** The user's cache folder by the XDG convention, whether it is there or not. */
export function cacheFolder(): string {
  return process.env.PROXMO_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'proxmo');
}

/** The same, made; the temporary folder where it cannot be. */
export function makeCacheFolder(): string {
  for (const folder of [cacheFolder(), join(tmpdir(), 'proxmo')]) {
    try {
      mkdirSync(folder, { recursive: true });
      return folder;
    } catch {
      // A read-only home folder: the temporary folder serves.
    }
  }
  throw new Error('neither the cache folder nor the temporary folder can be written');
}
