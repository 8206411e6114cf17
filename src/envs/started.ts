/**
 * What an environment starts outside of this package: a program, a module, a server's address. Whoever runs an
 * environment that others named asks first.
 */
import { printableLine } from '../base/printable.ts';

/** A program with its arguments, the folder that it runs in, and environment variables besides this process's own. */
export interface Program {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export type Started =
  | ({ readonly kind: 'program' } & Program)
  /** With the hash of the file itself, but not of what it imports; null where it is no file with an end. */
  | { readonly kind: 'module'; readonly path: string; readonly sha256: string | null }
  | { readonly kind: 'address'; readonly url: string };

/** For people, on one line and whole, after `would`: for example ``start the program `python3 env.py` in /envs``. */
export function describeStarted(started: Started): string {
  return printableLine(phrase(started));
}

function phrase(started: Started): string {
  if (started.kind === 'module') return `load the module ${started.path}`;
  if (started.kind === 'address') return `talk to ${started.url}`;
  const { command, cwd, env } = started;
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  const given = variables.length > 0 ? ` with ${variables.join(' ')}` : '';
  return `start the program \`${command.map(quoted).join(' ')}\` in ${cwd}${given}`;
}

/** A word as it stands where nothing in it could be taken for more. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);
}
