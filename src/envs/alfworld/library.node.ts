/**
 * Where ALFWorld's games are on disk. Three forms: ALFWorld's own layout,
 * `json_2.1.1/<split>/<task>/<trial>/game.tw-pddl`; packed games, a folder with `domain.pddl`, `grammar.twl2` and
 * `games/<split>*.jsonl(.gz)`; and loose game files, which belong to every split. Listing a split reads no more than it
 * must: paths, and of each file its end, where ALFWorld notes whether the game can be solved.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ProxmoError } from '../../base/errors.ts';
import { userFolder } from '../../base/userFolders.node.ts';
import { compareCodePoints } from '../textgame/index.ts';
import { type GameFile, type PackedGame, parseGameFile, parsePackedGame, splitGrammar } from './gameFile.ts';
import { usualNames } from './options.ts';
import { isSupportedPath } from './taskTypes.ts';

/** A game on disk. */
export interface StoredGame {
  /** Folders of task and trial. */
  readonly id: string;
  /** The file, for error messages. */
  readonly where: string;
  /** @throws {ProxmoError} `file` if the game file is damaged. */
  read(): GameFile;
}

/** The games of a split. */
export interface Listing {
  /** Those that can be solved, by id in order of code points. */
  readonly games: readonly StoredGame[];
  /** Those that their makers found no solution of. */
  readonly unsolvable: readonly StoredGame[];
  /** Number of games of no task type that ALFWorld plays. */
  readonly unsupported: number;
}

export interface Library {
  /** @throws {ProxmoError} `file` if the files of the split cannot be read. */
  list(split: string): Listing;
}

export const GAME_FILE = 'game.tw-pddl';
export const LAYOUT = 'json_2.1.1';
/** The note in a game's JSON. As its quotes are bare it is a key: within a text they would have a backslash. */
const SOLVABLE = /"solvable"\s*:\s*(true|false)/;

/** Where `proxmo env fetch alfworld` puts the games. */
export function fetchedFolder(): string {
  return join(userFolder('data'), 'alfworld');
}

/** Whether there are games at a place, or at the usual ones, as `openLibrary` takes them. */
export function hasGames(data: string | null): boolean {
  return findLibrary(placesOf(data), Object.values(usualNames)) !== null;
}

/**
 * Opens the games at a place, or at the usual ones: `$ALFWORLD_DATA`, then where they are fetched to, then where
 * ALFWorld's own downloader puts them.
 *
 * @param splits names of the folders of splits.
 * @throws {ProxmoError} `file` if there are no games.
 */
export function openLibrary(data: string | null, splits: readonly string[]): Library {
  const places = placesOf(data);
  const library = findLibrary(places, splits);
  if (library !== null) return library;
  throw new ProxmoError(
    'file',
    `ALFWorld's games are not at ${places.join(' or ')}: there is no ${LAYOUT}/<split>/<task>/<trial>/${GAME_FILE}; ` +
      'fetch them with proxmo env fetch alfworld, or set the option data or ALFWORLD_DATA to the folder that holds them.',
  );
}

function placesOf(data: string | null): string[] {
  if (data !== null) return [data];
  const own = process.env.ALFWORLD_DATA;
  return [...(own ? [own] : []), fetchedFolder(), join(homedir(), '.cache', 'alfworld')];
}

/** The games at the first of these places that has any. */
function findLibrary(places: readonly string[], splits: readonly string[]): Library | null {
  for (const place of places) {
    const library = openPlace(resolve(place), splits);
    if (library !== null) return library;
  }
  return null;
}

function openPlace(place: string, splits: readonly string[]): Library | null {
  if (!existsSync(place)) return null;
  if (!isFolder(place)) return place.endsWith('.tw-pddl') ? looseLibrary([place]) : null;
  if (isFolder(join(place, 'games')) && existsSync(join(place, 'domain.pddl'))) return packedLibrary(place);
  if (isFolder(join(place, LAYOUT))) return layoutLibrary(join(place, LAYOUT));
  if (splits.some((split) => isFolder(join(place, split)))) return layoutLibrary(place);
  if (splits.includes(basename(place))) return layoutLibrary(dirname(place));
  const files = findGames(place, 1);
  return files.length > 0 ? looseLibrary(files) : null;
}

function layoutLibrary(root: string): Library {
  return {
    list: (split) => {
      const folder = join(root, split);
      return isFolder(folder) ? listFiles(findGames(folder, 2)) : EMPTY;
    },
  };
}

const EMPTY: Listing = { games: [], unsolvable: [], unsupported: 0 };

function looseLibrary(files: readonly string[]): Library {
  return { list: () => listFiles(files) };
}

function listFiles(files: readonly string[]): Listing {
  return arrange(
    files.map((file) => ({
      game: { id: idOfPath(file), where: file, read: () => parseGameFile(readFileSync(file, 'utf8'), file) },
      isSolvable: () => readSolvable(file),
    })),
  );
}

function packedLibrary(root: string): Library {
  const domain = readFileSync(join(root, 'domain.pddl'), 'utf8');
  const { grammar } = splitGrammar(readFileSync(join(root, 'grammar.twl2'), 'utf8'));
  return {
    list: (split) => {
      const packs = readdirSync(join(root, 'games')).filter((name) => isPackOf(split, name));
      const lines = packs.flatMap((name) => readLines(join(root, 'games', name)));
      return arrange(
        lines.map((line) => {
          const { path, solvable } = readHead(line);
          const read = (): GameFile => ({
            domain,
            grammar,
            ...parsePackedGame(line.bytes.toString('utf8'), line.where),
          });
          return { game: { id: idOfPath(path), where: line.where, read }, isSolvable: () => solvable };
        }),
      );
    },
  };
}

/** `train.jsonl`, `train-anything.jsonl.gz`. */
function isPackOf(split: string, name: string): boolean {
  return name.startsWith(split) && /^(-.*)?\.jsonl(\.gz)?$/.test(name.slice(split.length));
}

interface Line {
  readonly bytes: Buffer;
  /** File and line. */
  readonly where: string;
}

/** The lines of a packed file that are not empty. */
function readLines(file: string): readonly Line[] {
  let bytes = readFileSync(file);
  try {
    if (file.endsWith('.gz')) bytes = gunzipSync(bytes);
  } catch (cause) {
    throw new ProxmoError(
      'file',
      `ALFWorld games ${file} cannot be unpacked (${(cause as Error).message}); fetch the file again.`,
      {
        cause,
      },
    );
  }
  const lines: Line[] = [];
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start) lines.push({ bytes: bytes.subarray(start, end), where: `${file}, line ${number},` });
    start = end + 1;
  }
  return lines;
}

/**
 * Bytes at the start of a packed game that hold its path and the note of its solvability, where they are written first.
 */
const HEAD = 1024;

/** What a listing needs of a packed game; the whole is parsed only if its start does not tell. */
function readHead({ bytes, where }: Line): Pick<PackedGame, 'path' | 'solvable'> {
  const head = bytes.toString('latin1', 0, HEAD);
  const path = /"path"\s*:\s*"([\w ./-]+)"/.exec(head)?.[1];
  const solvable = SOLVABLE.exec(head)?.[1];
  return path === undefined || solvable === undefined
    ? parsePackedGame(bytes.toString('utf8'), where)
    : { path, solvable: solvable === 'true' };
}

/** Sorts games and tells apart those that are not to be played. */
function arrange(found: readonly { readonly game: StoredGame; readonly isSolvable: () => boolean }[]): Listing {
  const supported = found.filter(({ game }) => isSupportedPath(game.id));
  supported.sort((a, b) => compareCodePoints(a.game.id, b.game.id));
  const games: StoredGame[] = [];
  const unsolvable: StoredGame[] = [];
  for (const { game, isSolvable } of supported) (isSolvable() ? games : unsolvable).push(game);
  return { games, unsolvable, unsupported: found.length - supported.length };
}

/** The folders of task and trial in the path of a game file. */
export function idOfPath(path: string): string {
  return path.split(/[\\/]/).slice(-3, -1).join('/');
}

/** Game files in a folder and, to a depth, in the folders in it. */
function findGames(folder: string, depth: number): string[] {
  const files: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name === GAME_FILE) files.push(path);
    // Data folders are often made of links.
    else if (depth > 0 && (entry.isDirectory() || (entry.isSymbolicLink() && isFolder(path))))
      files.push(...findGames(path, depth - 1));
  }
  return files;
}

/** Bytes at the end of a game file that hold the note in all that ALFWorld writes. */
const TAIL = 4096;

/** Whether a game file is not marked as unsolvable. Whether it is sound shows when it is read. */
function readSolvable(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    const size = fstatSync(descriptor).size;
    const tail = Buffer.alloc(Math.min(size, TAIL));
    readSync(descriptor, tail, 0, tail.length, size - tail.length);
    const note = SOLVABLE.exec(tail.toString('latin1')) ?? SOLVABLE.exec(readFileSync(file, 'latin1'));
    return note?.[1] !== 'false';
  } finally {
    closeSync(descriptor);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
