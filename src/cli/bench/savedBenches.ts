/** Benches that are kept by name, for later ones to be compared with. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { exists, writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { userFolder } from '../../base/userFolders.node.ts';

const ending = '.json';

/** @throws {InvalidArgumentError} if a file cannot be called so */
export function benchName(text: string): string {
  if (!/^\w[\w.-]*$/.test(text) || text.endsWith(ending))
    throw new InvalidArgumentError(
      'It must be letters, digits, dots, dashes and underscores, without .json at the end.',
    );
  return text;
}

/** Keeps a bench, in place of one of the same name. @returns the file */
export async function saveBench(name: string, text: string): Promise<string> {
  const path = pathOf(name);
  await mkdir(folder(), { recursive: true });
  await writeFileAtomic(path, [`${text}\n`]);
  return path;
}

/**
 * The file of a bench that was saved under a name, or else the file of that path.
 * @throws {ProxmoError} `file` if there is neither
 */
export async function findBench(nameOrPath: string): Promise<string> {
  const saved = /[/\\]/.test(nameOrPath) ? null : pathOf(nameOrPath);
  for (const path of saved === null ? [nameOrPath] : [saved, nameOrPath]) if (await exists(path)) return path;
  if (saved === null || nameOrPath.endsWith(ending)) return nameOrPath;
  const names = (await readdir(folder()).catch(() => [])).filter((file) => file.endsWith(ending));
  const there =
    names.length > 0
      ? `there are ${names.map((name) => name.slice(0, -ending.length)).join(', ')}`
      : 'none is saved yet';
  throw new ProxmoError('file', `No bench ${nameOrPath} was saved (${there}); --save ${nameOrPath} saves one.`);
}

function folder(): string {
  return join(userFolder('data'), 'bench');
}

function pathOf(name: string): string {
  return join(folder(), `${name}${ending}`);
}
