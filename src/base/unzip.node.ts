/**
 * Unpacking zip archives that somebody else wrote. The directory of the archive is read first and as a whole. Nothing
 * is written where a name leads out of the folder, two names are one file, or one a file and a folder, an entry is a
 * link, or the sizes are beyond a limit. Sizes and checksums of what is unpacked have to be the declared ones.
 */
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { ProxmoError } from './errors.ts';
import { isSystemError, systemReason } from './systemErrors.node.ts';

export interface UnzipOptions {
  /** Path of an entry below the folder, with `/`, as the archive's name of it leads to; null for what stays packed. */
  readonly place: (name: string) => string | null;
  /** Most bytes of all that is unpacked together. */
  readonly maxBytes: number;
  /** Most entries. */
  readonly maxEntries: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Unpacks into a folder, which has none of the files yet.
 * @returns number of files
 * @throws {ProxmoError} `file` if the archive is cut short, damaged or hostile; errors of the system if the disk is
 *   full or a file cannot be written
 */
export async function unzip(archive: string, folder: string, options: UnzipOptions): Promise<number> {
  const zip = await openPromise(archive, { autoClose: false, strictFileNames: true }).catch((error: unknown) => {
    throw unreadable(archive, error);
  });
  try {
    const files = await readDirectory(zip, archive, options);
    let done = 0;
    for (const { entry, path } of files) {
      options.onProgress?.(done++, files.length);
      await writeFile(join(folder, path), contentOf(zip, archive, entry));
    }
    options.onProgress?.(done, files.length);
    return done;
  } finally {
    zip.close();
  }
}

interface PlacedEntry {
  readonly entry: Entry;
  readonly path: string;
}

async function readDirectory(
  zip: ZipFile,
  archive: string,
  { place, maxBytes, maxEntries }: UnzipOptions,
): Promise<readonly PlacedEntry[]> {
  if (zip.entryCount > maxEntries)
    throw hostile(archive, `it holds ${zip.entryCount} entries, more than ${maxEntries}`);
  const placed: PlacedEntry[] = [];
  const taken = new Set<string>();
  const folders = new Set<string>();
  let bytes = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const problem = problemOf(entry);
      if (problem !== null) throw hostile(archive, `the entry ${entry.fileName} ${problem}`);
      const path = entry.fileName.endsWith('/') ? null : place(entry.fileName);
      if (path === null) continue;
      // File systems that take upper and lower case for the same would overwrite one by the other.
      const name = path.toLowerCase();
      if (taken.has(name)) throw hostile(archive, `the entry ${entry.fileName} is there twice`);
      if (folders.has(name) || parentsOf(name).some((parent) => taken.has(parent)))
        throw hostile(archive, `the entry ${entry.fileName} is a file and a folder`);
      taken.add(name);
      for (const parent of parentsOf(name)) folders.add(parent);
      bytes += entry.uncompressedSize;
      if (bytes > maxBytes) throw hostile(archive, `what it holds is larger than ${maxBytes} bytes`);
      placed.push({ entry, path });
    }
  } catch (error) {
    throw unreadable(archive, error);
  }
  return placed;
}

/** The folders that a path lies in: of `a/b/c`, `a` and `a/b`. */
function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** File type in the upper half of the attributes that Unix systems write: a symbolic link. */
const typeMask = 0o170000;
const linkType = 0o120000;
/** Characters and names that Windows refuses or takes for something else than a file. */
const oddCharacters = /[<>:"|?*]|\p{Cc}/u;
const oddPart = /^(\.{1,2}|.*[. ]|(con|prn|aux|nul|com\d|lpt\d)(\..*)?)$/i;

/** Why an entry is not unpacked, as the end of a sentence; yauzl has refused `..`, drives and roots before. */
function problemOf(entry: Entry): string | null {
  const parts = entry.fileName.replace(/\/$/, '').split('/');
  if (oddCharacters.test(entry.fileName) || parts.some((part) => part === '' || oddPart.test(part)))
    return 'has a name that is not safe on every system';
  if (((entry.externalFileAttributes >>> 16) & typeMask) === linkType) return 'is a symbolic link';
  if (entry.isEncrypted()) return 'is encrypted';
  return entry.canDecodeFileData() ? null : `is packed by method ${entry.compressionMethod}, which is not known here`;
}

/** @throws {ProxmoError} `file` if it is not what the directory says */
async function* contentOf(zip: ZipFile, archive: string, entry: Entry): AsyncGenerator<Uint8Array> {
  let sum = 0;
  try {
    const stream = await zip.openReadStreamPromise(entry);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    throw unreadable(archive, error);
  }
  if (sum !== entry.crc32) throw unreadable(archive, new Error(`the checksum of ${entry.fileName} is wrong`));
}

/** Flushed to the disk, so that a folder that is renamed afterwards is whole whenever the machine stops. */
async function writeFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, 'wx');
  try {
    for await (const piece of pieces) await handle.writeFile(piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function hostile(archive: string, reason: string): ProxmoError {
  return new ProxmoError('file', `${archive} is not unpacked: ${reason}; get it from where its authors publish it.`);
}

function unreadable(archive: string, error: unknown): unknown {
  if (error instanceof ProxmoError || isSystemError(error)) return error;
  const reason = systemReason(error);
  // Names that yauzl refuses.
  if (/^(absolute path|invalid relative path|invalid characters)/.test(reason)) return hostile(archive, reason);
  const what = /end of central directory/i.test(reason) ? 'it is cut short, or no zip archive' : reason;
  return new ProxmoError('file', `${archive} cannot be unpacked: ${what}; fetch it again.`, { cause: error });
}
