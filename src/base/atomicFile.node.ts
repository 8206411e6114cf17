/**
 * Writing files so that a reader sees the old one or the new one and never half of either, whenever the process or the
 * machine stops. The bytes go to a temporary name in the same folder, are flushed to the disk, and then take the final
 * name.
 */
import { createHash, randomInt } from 'node:crypto';
import { access, type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProxmoError } from './errors.ts';
import { aboutPath, systemReason } from './systemErrors.node.ts';

/** Size and SHA-256 (in hexadecimal) of what was written. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

const temporaryName = /^\..+\.\d+-\d+\.tmp$/;
/** Worker threads have the process's number in common, so each begins somewhere else. */
let temporaryCount = randomInt(2 ** 40);

/** Bytes hashed and written at once; the hash refuses 2 GiB and more. */
const chunkBytes = 1 << 26;

/** A name beside `path` that no file has yet, for content in the making. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${temporaryCount++}.tmp`);
}

/** Whether a file name is one of `temporaryPath`'s: what a process that was killed leaves behind. */
export function isTemporaryName(name: string): boolean {
  return temporaryName.test(name);
}

/** The pieces of a file, made before they are written or while. */
export type FilePieces = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

/**
 * Writes a file whole, from its pieces in order. Where that fails nothing is left, and a file of that name stays as it
 * was.
 */
export async function writeFileAtomic(path: string, pieces: FilePieces): Promise<FileDigest> {
  const temporary = temporaryPath(path);
  const handle = await open(temporary, 'wx').catch((error: unknown) => {
    throw aboutPath(error, path);
  });
  try {
    const digest = await writePieces(handle, pieces);
    await handle.sync();
    await handle.close();
    await renameSoon(temporary, path);
    await syncFolder(dirname(path));
    return digest;
  } catch (error) {
    await handle.close().catch(() => {});
    await removeLater(temporary);
    throw aboutPath(error, path);
  }
}

/**
 * Makes a new folder whole or not at all: `fill` puts the files into it while it has a temporary name.
 * @param what it holds, for messages, as `model`
 * @throws {ProxmoError} `file` if there is something of that name already, or it cannot be written
 */
export async function writeFolderAtomic(
  dir: string,
  what: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  await refuseExisting(dir, what);
  const target = resolve(dir);
  const temporary = temporaryPath(target);
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
    await fill(temporary);
    await renameSoon(temporary, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await removeLater(temporary);
    if (error instanceof ProxmoError) throw error;
    throw new ProxmoError(
      'file',
      `${dir} cannot be written: ${systemReason(error)}; check the path and the space there.`,
      {
        cause: error,
      },
    );
  }
}

/** @throws {ProxmoError} `file` if there is something of that path already, where `what` is to be saved */
export async function refuseExisting(path: string, what: string): Promise<void> {
  if (await exists(path)) throw new ProxmoError('file', `${path} exists already; save the ${what} under another name.`);
}

/** Whether there is a file or folder of that path. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Renames a file or folder. On Windows that is refused for a moment while a virus scanner, an indexer or a reader has
 * it open, so it is tried again for a second or so.
 */
export async function renameSoon(from: string, to: string): Promise<void> {
  for (let waitMs = 10; ; waitMs *= 2) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (!isHeldOpen(error) || waitMs > 1000) throw error;
      await sleep(waitMs);
    }
  }
}

/** Whether the system refuses because someone has a file or folder open, or because it may not be touched at all. */
export function isHeldOpen(error: unknown): boolean {
  return ['EPERM', 'EBUSY', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Makes new and renamed entries of a folder last, where the system can: Windows cannot open a folder, and some file
 * systems cannot flush one.
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!cannotSync.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** What systems answer that do not flush folders. */
const cannotSync = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'EISDIR', 'EBADF', 'ENOSYS'];

/** Removes what has a temporary name, if it is there. What cannot be removed stays: it is taken for what it is. */
async function removeLater(temporary: string): Promise<void> {
  await rm(temporary, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
}

async function writePieces(handle: FileHandle, pieces: FilePieces): Promise<FileDigest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces) {
    const data = typeof piece === 'string' ? Buffer.from(piece) : piece;
    for (let start = 0; start < data.byteLength; start += chunkBytes) {
      const chunk = data.subarray(start, start + chunkBytes);
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    bytes += data.byteLength;
  }
  return { bytes, sha256: hash.digest('hex') };
}
