/** Data that lies beside the checkout on some machines; tests that need it are skipped, by name, where it is absent. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../../shared/data');

/** Path of a file or folder of that data. */
export function sharedData(name: string): string {
  return join(folder, name);
}

export function hasFiles(...paths: readonly string[]): boolean {
  return paths.every((path) => existsSync(path));
}
