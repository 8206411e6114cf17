/**
 * A folder of somebody else's, read with care: only files within it, none that a link leads out to, and nothing that
 * would block, as a pipe does.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, realpath } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';

/** Larger texts are not read as a whole. */
const largestText = 1 << 28;

export class GuardedFolder {
  /** @param dir as it was given, which may be a link itself, and need not be there yet */
  constructor(readonly dir: string) {}

  /** Text of a file; null where there is none that may be read. */
  async readText(...names: readonly string[]): Promise<string | null> {
    const file = await this.open(...names);
    if (!file) return null;
    try {
      if (file.stats.size > largestText) return null;
      return await file.handle.readFile('utf8');
    } finally {
      await file.handle.close();
    }
  }

  /** The last bytes of a text, which may begin within a character; null where there is no file that may be read. */
  async readEnd(name: string, most: number): Promise<string | null> {
    const file = await this.open(name);
    if (!file) return null;
    try {
      const bytes = Math.min(most, file.stats.size);
      const { buffer, bytesRead } = await file.handle.read(Buffer.alloc(bytes), 0, bytes, file.stats.size - bytes);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.handle.close();
    }
  }

  /** Bytes of a file, or a part of them; null where there are none that may be read, or fewer. */
  async readBytes(names: readonly string[], part?: { offset: number; bytes: number }): Promise<Buffer | null> {
    const file = await this.open(...names);
    if (!file) return null;
    try {
      const { size } = file.stats;
      const { offset, bytes } = part ?? { offset: 0, bytes: size };
      if (bytes > largestText || offset + bytes > size) return null;
      const { buffer, bytesRead } = await file.handle.read(Buffer.alloc(bytes), 0, bytes, offset);
      return bytesRead === bytes ? buffer : null;
    } finally {
      await file.handle.close();
    }
  }

  /** Names in a folder within; none where it is missing. */
  async list(...names: readonly string[]): Promise<string[]> {
    const path = await this.resolve(names);
    return path === null ? [] : readdir(path).catch(() => []);
  }

  /** Size and time of a file, as a text that changes when it does; null where there is none that may be read. */
  async stamp(...names: readonly string[]): Promise<string | null> {
    const file = await this.open(...names);
    if (!file) return null;
    await file.handle.close();
    const { ino, size, mtimeMs } = file.stats;
    return `${ino} ${size} ${mtimeMs}`;
  }

  /** Opens a file for reading; null where there is none that may be read. Close its handle. */
  async open(...names: readonly string[]): Promise<{ handle: FileHandle; stats: Stats } | null> {
    const path = await this.resolve(names);
    if (path === null) return null;
    // O_NONBLOCK: to open a pipe would wait for whoever writes to it.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    const handle = await open(path, flags).catch(() => null);
    if (!handle) return null;
    const stats = await handle.stat().catch(() => null);
    if (stats?.isFile()) return { handle, stats };
    await handle.close();
    return null;
  }

  /** The real path of what lies within; null where nothing does. */
  private async resolve(names: readonly string[]): Promise<string | null> {
    if (names.some((name) => name === '' || name === '.' || name === '..' || name !== basename(name))) return null;
    try {
      const root = await realpath(this.dir);
      const path = await realpath(join(root, ...names));
      return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep) ? path : null;
    } catch {
      return null;
    }
  }
}
