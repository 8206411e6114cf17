/**
 * Folders of the user's own: where each system keeps them, and whether nobody else can put anything there. Programs are
 * loaded from one of them, and another says what may be started, so what others can write does not count.
 */
import { chmodSync, lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { ProxmoError } from './errors.ts';
import { systemReason } from './systemErrors.node.ts';

/** `cache`: what can be made again. `state`: what is remembered between runs. `data`: what was fetched on request. */
export type UserFolder = 'cache' | 'state' | 'data';

/** Names of the kinds of folders, on Windows, on macOS, and by the XDG specification. */
const places = {
  cache: { windows: 'Cache', mac: 'Caches', xdg: 'XDG_CACHE_HOME', usual: ['.cache'] },
  state: { windows: 'State', mac: 'Application Support', xdg: 'XDG_STATE_HOME', usual: ['.local', 'state'] },
  data: { windows: 'Data', mac: 'Application Support', xdg: 'XDG_DATA_HOME', usual: ['.local', 'share'] },
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a system keeps a program's folder. The XDG specification has relative paths ignored. */
export function userFolder(
  kind: UserFolder,
  platform: string = process.platform,
  env: Environment = process.env,
  home: () => string = homedir,
): string {
  const { windows, mac, xdg, usual } = places[kind];
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home(), 'AppData', 'Local'), 'proxmo', windows);
  if (platform === 'darwin') return join(home(), 'Library', mac, 'proxmo');
  const named = env[xdg];
  return named && isAbsolute(named) ? join(named, 'proxmo') : join(home(), ...usual, 'proxmo');
}

/**
 * Makes a folder that this user alone can write to, or checks that an existing one is such a folder. On Windows the
 * rights are those of the folder above, which is the user's own.
 * @param tighten take the right to write from others, where the folder is this user's
 * @throws {ProxmoError} `file` if it cannot be made, is another user's, or can be written by others
 */
export function makeOwnFolder(path: string, { tighten = true } = {}): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const problem = process.platform === 'win32' ? null : othersProblem(path, tighten);
    if (problem !== null) throw new ProxmoError('file', `${path} ${problem}.`);
  } catch (error) {
    if (error instanceof ProxmoError) throw error;
    throw new ProxmoError('file', `${path} cannot be made: ${systemReason(error)}.`, {
      cause: error,
    });
  }
}

/** Whether a file or folder is this user's. Windows has no numbers of users. */
export function isOwn({ uid }: Pick<Stats, 'uid'>): boolean {
  const user = process.geteuid?.();
  return user === undefined || uid === user;
}

/** Rights of group and others to write. */
const othersWrite = 0o022;
const everybodyWrites = 0o002;
/** In a folder with this bit, as `/tmp`, only the owner of an entry can rename or remove it. */
const sticky = 0o1000;

/** What another user could do to a folder, as the end of a sentence; null if nothing. */
function othersProblem(path: string, tighten: boolean): string | null {
  // A link of this user's own is his will; anybody can leave one in a folder for all.
  if (!isOwn(lstatSync(path))) return 'belongs to another user';
  const folder = statSync(path);
  if (!isOwn(folder)) return 'belongs to another user';
  if ((folder.mode & othersWrite) !== 0) {
    if (!tighten) return 'can be written by other users (chmod go-w takes that from them)';
    chmodSync(path, 0o700);
  }
  for (let above = dirname(path); ; above = dirname(above)) {
    const { mode } = statSync(above);
    if ((mode & everybodyWrites) !== 0 && (mode & sticky) === 0) return `lies in ${above}, which everybody can write`;
    if (above === dirname(above)) return null;
  }
}
