/** Reading files as a whole: texts, one that need not be there among them, and the hash of a file of any size. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FileDigest } from './atomicFile.node.ts';
import { ProxmoError } from './errors.ts';
import { systemReason } from './systemErrors.node.ts';

const checkPath = 'check the path and its permissions';

/**
 * Text of a file.
 * @param advice what to do about one that cannot be read, for the end of a sentence
 * @throws {ProxmoError} `file` if it cannot be read
 */
export function textOfFile(path: string, advice: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadable(path, error, advice);
  });
}

/**
 * Text of a file, or of standard input for `-`: the stream, since not every system has it as a file, and a socket is
 * none. Where it is gzip, it is unpacked.
 * @throws {ProxmoError} `file` if the file cannot be read, or unpacked
 */
export async function textOfInput(path: string, advice: string): Promise<string> {
  const refuse = (error: unknown) => {
    throw unreadable(path === '-' ? 'Standard input' : path, error, advice);
  };
  const bytes = await (path === '-' ? buffer(process.stdin) : readFile(path)).catch(refuse);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (isGzip ? await promisify(gunzip)(bytes).catch(refuse) : bytes).toString('utf8');
}

/** Text of a file, or null where there is none. @throws {ProxmoError} `file` if it is there but cannot be read */
export async function readTextOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw unreadable(path, error, checkPath);
  }
}

/**
 * Size and SHA-256 of a file, which is read piece by piece.
 * @param advice as of `textOfFile`
 * @throws {ProxmoError} `file` if it cannot be read
 */
export async function digestOfFile(path: string, advice = checkPath): Promise<FileDigest> {
  const hash = createHash('sha256');
  const bytes = await hashFile(path, hash, advice);
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * The name that Git gives the content of a file, in hexadecimal: SHA-1 of `blob`, its size and the content.
 * @throws {ProxmoError} `file` if it cannot be read
 */
export async function gitHashOfFile(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha1').update(`blob ${bytes}\0`);
  await hashFile(path, hash, checkPath);
  return hash.digest('hex');
}

/** Puts a file into a hash. @returns its size */
async function hashFile(path: string, hash: Hash, advice: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    throw unreadable(path, error, advice);
  }
  return bytes;
}

function unreadable(path: string, cause: unknown, advice: string): ProxmoError {
  return new ProxmoError('file', `${path} cannot be read: ${systemReason(cause)}; ${advice}.`, {
    cause,
  });
}
