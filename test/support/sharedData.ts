/** Data that lies beside the checkout on some machines; tests that need it are skipped, by name, where it is absent. */
import { existsSync } from 'node:fs';

export function hasFiles(...paths: readonly string[]): boolean {
  return paths.every((path) => existsSync(path));
}
