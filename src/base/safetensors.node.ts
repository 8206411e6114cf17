/**
 * Safetensors files on disk: read one tensor at a time, so that a model larger than memory can be walked through;
 * written whole or not at all.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { type FileDigest, writeFileAtomic } from './atomicFile.node.ts';
import { ProxmoError } from './errors.ts';
import { refuseLfsPointer } from './lfsPointer.ts';
import {
  bytesOf,
  elementBytes,
  elementCount,
  encodeSafetensors,
  encodeSafetensorsHeader,
  headerLengthBytes,
  parseSafetensorsHeader,
  readHeaderLength,
  type SafetensorsData,
  type SafetensorsEntry,
  type SafetensorsHeader,
  type SafetensorsLayout,
  type SafetensorsTensor,
  tensorOf,
  toFloat32,
} from './safetensors.ts';
import { systemReason } from './systemErrors.node.ts';

/** Bytes that tell what a file is. */
const firstBytes = 64;

/** Most bytes asked of the system at once; it refuses 2 GiB and more. */
const readBytes = 1 << 30;

/** Bytes of a piece of a tensor. */
const pieceBytes = 1 << 23;

/** An open file. Close it when done. */
export class SafetensorsFile {
  readonly path: string;
  /** Entries by name, in the order of their data. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly #handle: FileHandle;
  /** Offset of the data in the file. */
  readonly #dataStart: number;

  private constructor(path: string, handle: FileHandle, dataStart: number, header: SafetensorsHeader) {
    this.path = path;
    this.entries = header.entries;
    this.metadata = header.metadata;
    this.#handle = handle;
    this.#dataStart = dataStart;
  }

  /**
   * Opens a file and checks its header.
   * @throws {ProxmoError} `file` if it is missing, cannot be read, or is not a valid safetensors file.
   */
  static async open(path: string): Promise<SafetensorsFile> {
    const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be opened: ${systemReason(cause)}`;
      throw new ProxmoError('file', `${path} ${reason}; give the path of a safetensors file.`, { cause });
    });
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new ProxmoError('file', `${path} is not a file; give the path of a safetensors file.`);
      const start = await readAt(handle, 0, Math.min(firstBytes, stat.size), path);
      refuseLfsPointer(start, path);
      const headerBytes = readHeaderLength(start.subarray(0, headerLengthBytes), stat.size, path);
      const dataStart = headerLengthBytes + headerBytes;
      const header = await readAt(handle, headerLengthBytes, headerBytes, path);
      return new SafetensorsFile(path, handle, dataStart, parseSafetensorsHeader(header, stat.size - dataStart, path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Reads one tensor.
   * @throws {ProxmoError} `file` if there is none of that name, or the file has changed since it was opened.
   */
  async read(name: string): Promise<SafetensorsTensor> {
    const entry = this.entryOf(name);
    return tensorOf(entry, await readAt(this.#handle, this.#dataStart + entry.byteOffset, entry.byteLength, this.path));
  }

  /**
   * Reads one tensor of F32, F16, BF16 or F64 as float32, other dtypes piece by piece, so that it takes little more
   * memory than its values.
   * @throws {ProxmoError} as `read`; `data` if it holds something else.
   */
  async readFloat32(name: string): Promise<Float32Array> {
    const entry = this.entries.get(name);
    if (!entry || entry.dtype === 'F32' || entry.byteLength <= pieceBytes) return toFloat32(await this.read(name));
    const values = new Float32Array(allocate((entry.byteLength / elementBytes(entry)) * 4, this.path).buffer);
    let done = 0;
    for await (const piece of this.float32Pieces(name)) {
      values.set(piece, done);
      done += piece.length;
    }
    return values;
  }

  /** As `readFloat32`, in pieces of even length but for the last. @throws {ProxmoError} as `readFloat32` */
  async *float32Pieces(name: string): AsyncGenerator<Float32Array> {
    const entry = this.entryOf(name);
    for (let done = 0; done < entry.byteLength; done += pieceBytes) {
      const length = Math.min(pieceBytes, entry.byteLength - done);
      const bytes = await readAt(this.#handle, this.#dataStart + entry.byteOffset + done, length, this.path);
      yield toFloat32(tensorOf({ ...entry, shape: [length / elementBytes(entry)] }, bytes));
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  private entryOf(name: string): SafetensorsEntry {
    const entry = this.entries.get(name);
    if (!entry)
      throw new ProxmoError('file', `${this.path} has no tensor "${name}"; it holds ${this.entries.size} others.`);
    return entry;
  }
}

/**
 * Writes a file atomically.
 * @throws {ProxmoError} `data` if a name is taken twice or data does not fit its shape or dtype.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<FileDigest> {
  return writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}

/**
 * Writes a file atomically, making each tensor's data only when its turn comes, so that no more than one of them is in
 * memory, or a piece of it.
 * @param read a tensor's data whole, or in pieces one after the other
 * @throws {ProxmoError} `data` if a name is taken twice or data does not fit its shape or dtype.
 */
export async function streamSafetensors<T extends SafetensorsLayout>(
  path: string,
  tensors: Iterable<T>,
  read: (tensor: T) => Promise<SafetensorsData> | AsyncIterable<SafetensorsData>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<FileDigest> {
  const { header, order } = encodeSafetensorsHeader(tensors, metadata);
  async function* pieces() {
    yield header;
    for (const tensor of order) {
      const data = read(tensor);
      if (Symbol.asyncIterator in data) yield* bytesOfPieces(tensor, data);
      else yield bytesOf({ ...tensor, data: await data });
    }
  }
  return writeFileAtomic(path, pieces());
}

async function* bytesOfPieces(
  tensor: SafetensorsLayout,
  pieces: AsyncIterable<SafetensorsData>,
): AsyncGenerator<Uint8Array> {
  let values = 0;
  for await (const data of pieces) {
    yield bytesOf({ ...tensor, shape: [data.length], data });
    values += data.length;
  }
  if (values === elementCount(tensor.shape)) return;
  throw new ProxmoError(
    'data',
    `Safetensors: tensor "${tensor.name}" of shape [${tensor.shape}] cannot hold ${values} values.`,
  );
}

/** `length` bytes from `position`, in a buffer of their own. */
async function readAt(
  handle: FileHandle,
  position: number,
  length: number,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocate(length, where);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, readBytes), position + done);
    if (bytesRead === 0)
      throw new ProxmoError('file', `${where} ends at byte ${position + done}; it was cut short while in use.`);
    done += bytesRead;
  }
  return bytes;
}

function allocate(length: number, where: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new ProxmoError(
      'file',
      `${where}: no memory for a tensor of ${length} bytes; use a machine with more, or a smaller model.`,
      {
        cause,
      },
    );
  }
}
