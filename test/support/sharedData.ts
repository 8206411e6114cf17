/** Data that lies beside the checkout on some machines; tests that need it are skipped where it is absent. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from './needs.ts';

const folder = join(import.meta.dirname, '../../../shared/data');

/** Path of a file or folder of that data. */
export function sharedData(name: string): string {
  return join(folder, name);
}

export function hasFiles(...paths: readonly string[]): boolean {
  return paths.every((path) => existsSync(path));
}

export function needsData(...paths: readonly string[]) {
  return needs('../shared/data', hasFiles(...paths));
}
