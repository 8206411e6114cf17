/**
 * Fetches ALFWorld's games: the one archive of its release that has the games, out of the three that its own downloader
 * (`alfworld-download`) takes. The folder of games appears whole or not at all.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isTemporaryName, renameSoon, temporaryPath, writeFolderAtomic } from '../../base/atomicFile.node.ts';
import { download, type ExpectedFile, problemOf } from '../../base/download.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { acquireLock } from '../../base/lock.node.ts';
import { unzip } from '../../base/unzip.node.ts';
import type { FetchedData, FetchRequest } from '../dataFetcher.ts';
import { fetchedFolder, GAME_FILE, LAYOUT, openLibrary } from './library.node.ts';

/** The newest release of the games: 2.1.3, whose paths still begin with `json_2.1.1`. */
const archiveName = 'json_2.1.3_tw-pddl.zip';
const address = `https://github.com/alfworld/alfworld/releases/download/0.4.2/${archiveName}`;
/**
 * The authors publish no hash. This one, and the size, are what several projects that use the archive have written down
 * independently.
 */
const release: ExpectedFile = {
  bytes: 36_507_267,
  sha256: '5df77ea759f2211a4106082839ddbbb790f1ba4e7d097ed732cf453f72aa36cf',
};

/** Four times what the release holds. */
const maxBytes = 2 ** 30;
const maxEntries = 50_000;
const splits = ['train', 'valid_seen', 'valid_unseen', 'valid_train'];
const gamePath = new RegExp(`^${LAYOUT}/((?:${splits.join('|')})/[^/]+/[^/]+/${GAME_FILE})$`);

/** As `DataFetcher`. */
export async function fetchAlfworld(request: FetchRequest): Promise<FetchedData> {
  const folder = resolve(request.to ?? fetchedFolder());
  await mkdir(folder, { recursive: true });
  const unlock = acquireLock(join(folder, 'fetch.lock'), 'folder');
  try {
    return await fetchTo(folder, request);
  } finally {
    unlock();
  }
}

async function fetchTo(folder: string, request: FetchRequest): Promise<FetchedData> {
  const games = join(folder, LAYOUT);
  await removeLeftovers(folder);
  const isThere = existsSync(games);
  if (isThere && !request.force) return { folder, isNew: false, tasks: tasksIn(games) };
  const { archive, isOwn } = await getArchive(folder, request);
  const unpacked = temporaryPath(games);
  await unpack(archive, unpacked, request);
  const old = temporaryPath(games);
  if (isThere) await renameSoon(games, old);
  await renameSoon(unpacked, games);
  await rm(old, { recursive: true, force: true });
  if (isOwn) await rm(archive);
  return { folder, isNew: true, tasks: tasksIn(games) };
}

/** What was unpacked when a process was killed. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (isTemporaryName(name) && name.includes(`.${LAYOUT}.`)) await rm(join(folder, name), { recursive: true });
}

/** The archive on this machine, and whether it was put there here. */
async function getArchive(
  folder: string,
  { from = address, sha256, onProgress }: FetchRequest,
): Promise<{ archive: string; isOwn: boolean }> {
  const expected = sha256 === undefined ? release : { sha256 };
  const advice = 'name a mirror, or the archive if you have it, with --from; another one needs its --sha256';
  if (!/^https?:\/\//i.test(from)) {
    const problem = await problemOf(from, expected);
    if (problem === null) return { archive: from, isOwn: false };
    throw new ProxmoError('file', `${from} is not ALFWorld's ${archiveName}: ${problem}; ${advice}.`);
  }
  const archive = join(folder, archiveName);
  await download(from, archive, {
    expected,
    advice,
    onProgress: (done, total) => onProgress?.({ phase: 'downloading', done, total }),
  });
  return { archive, isOwn: true };
}

async function unpack(archive: string, folder: string, { onProgress }: FetchRequest): Promise<void> {
  await writeFolderAtomic(folder, 'games', async (temporary) => {
    const count = await unzip(archive, temporary, {
      place: (name) => gamePath.exec(name)?.[1] ?? null,
      maxBytes,
      maxEntries,
      onProgress: (done, total) => onProgress?.({ phase: 'unpacking', done, total }),
    });
    if (count === 0) {
      throw new ProxmoError(
        'file',
        `${archive} holds no games (${LAYOUT}/<split>/<task>/<trial>/${GAME_FILE}); fetch ${archiveName}.`,
      );
    }
    checkGames(temporary);
  });
}

/** A game of each split is read. @throws {ProxmoError} `file` if one is damaged */
function checkGames(games: string): void {
  const library = openLibrary(games, splits);
  for (const split of splits) library.list(split).games[0]?.read();
}

function tasksIn(games: string): Record<string, number> {
  const library = openLibrary(games, splits);
  return Object.fromEntries(splits.map((split) => [split, library.list(split).games.length]));
}
