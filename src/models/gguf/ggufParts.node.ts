/**
 * The files that a GGUF model lies in: one, or parts called `NAME-00001-of-0000N.gguf`, of which the first has the
 * metadata and each has tensors of its own. The header of each is checked by `layout.ts` first; `@huggingface/gguf`
 * then reads the metadata's values.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { refuseLfsPointer } from '../../base/lfsPointer.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import { type GgufLayout, type GgufTensor, maxHeaderBytes, scanGguf } from './layout.ts';
import { GgufMetadata } from './metadata.ts';

/** Bytes of the header that are read at first; twice as many while it goes on. */
const firstHeaderBytes = 1 << 20;

const partName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s;

interface OpenPart {
  readonly path: string;
  readonly handle: FileHandle;
  readonly layout: GgufLayout;
  readonly metadata: GgufMetadata;
}

/** A tensor and the open file that it lies in. */
export interface LocatedTensor {
  readonly tensor: GgufTensor;
  readonly path: string;
  readonly handle: FileHandle;
}

export interface GgufParts {
  /** Of all files, the first one first. */
  readonly paths: readonly string[];
  readonly metadata: GgufMetadata;
  /** Tensors of all files, by name. */
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
  close(): Promise<void>;
}

/**
 * Opens a file, and where it is one of several parts all of them.
 * @throws {ProxmoError} `file` if one is missing, damaged, no GGUF file, or not the part that its name says
 */
export async function openGgufParts(path: string): Promise<GgufParts> {
  const [, prefix, , total] = partName.exec(path) ?? [];
  const nameOf = (part: number) => `${prefix}-${String(part).padStart(5, '0')}-of-${total}.gguf`;
  // Any part stands for the model.
  const first = prefix !== undefined && (await exists(nameOf(1))) ? nameOf(1) : path;
  const parts: OpenPart[] = [];
  const close = async () => {
    for (const { handle } of parts) await handle.close();
  };
  try {
    parts.push(await openPart(first));
    const { metadata } = parts[0]!;
    const count = metadata.number('split.count', 1);
    checkPlace(parts[0]!, 1, count);
    if (count > 1 && Number(total) !== count) {
      throw new ProxmoError(
        'file',
        `${first} is the first of ${count} parts of a model, which must be called NAME-00001-of-${String(count).padStart(5, '0')}.gguf and so on; rename them.`,
      );
    }
    for (let part = 2; part <= count; part++) {
      if (!(await exists(nameOf(part)))) {
        throw new ProxmoError('file', `${nameOf(part)} does not exist; ${first} needs all of its ${count} parts.`);
      }
      parts.push(await openPart(nameOf(part)));
      checkPlace(parts.at(-1)!, part, count);
    }
    return { paths: parts.map((part) => part.path), metadata, tensors: tensorsOf(parts), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws {ProxmoError} `file` if a file is not the part that its name says */
function checkPlace({ path, metadata }: OpenPart, part: number, count: number): void {
  const [given, of] = [metadata.number('split.no', 0) + 1, metadata.number('split.count', 1)];
  if (given === part && of === count) return;
  throw new ProxmoError(
    'file',
    `${path} is part ${given} of ${of} of a model, where part ${part} of ${count} is due; fetch the parts again.`,
  );
}

function tensorsOf(parts: readonly OpenPart[]): ReadonlyMap<string, LocatedTensor> {
  const tensors = new Map<string, LocatedTensor>();
  for (const { path, handle, layout } of parts) {
    for (const [name, tensor] of layout.tensors) {
      if (tensors.has(name)) {
        throw new ProxmoError(
          'file',
          `${path} has the tensor "${name}", as has ${tensors.get(name)!.path}; fetch the parts again.`,
        );
      }
      tensors.set(name, { tensor, path, handle });
    }
  }
  const [{ path, metadata }] = parts as [OpenPart];
  const due = metadata.number('split.tensors.count', tensors.size);
  if (due === tensors.size) return tensors;
  throw new ProxmoError(
    'file',
    `${path} and its parts have ${tensors.size} tensors, where ${due} are due; fetch the parts again.`,
  );
}

async function openPart(path: string): Promise<OpenPart> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be opened: ${systemReason(cause)}`;
    throw new ProxmoError('file', `${path} ${reason}; give the path of a GGUF file.`, { cause });
  });
  try {
    const { bytes, layout } = await readLayout(handle, path);
    return { path, handle, layout, metadata: await readMetadata(path, bytes, layout) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The header's bytes, as many as it took, and its layout. */
async function readLayout(handle: FileHandle, path: string): Promise<{ bytes: Uint8Array; layout: GgufLayout }> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new ProxmoError('file', `${path} is not a file; give the path of a GGUF file.`);
  for (let length = firstHeaderBytes; ; length *= 2) {
    const bytes = await readAt(handle, 0, Math.min(length, stat.size, 2 * maxHeaderBytes), path);
    refuseLfsPointer(bytes, path);
    const layout = scanGguf(bytes, stat.size, path);
    if (layout) return { bytes, layout };
  }
}

/**
 * The metadata's values. The library reads a file in windows of 2 MB and cuts the last text of a value short where a
 * window ends within it, and it takes byte order marks off texts. So these are taken from the header's bytes.
 */
async function readMetadata(path: string, bytes: Uint8Array, { marginalTexts }: GgufLayout): Promise<GgufMetadata> {
  // A path like `https://…` would be fetched; a resolved path is always of this machine.
  const { metadata } = await gguf(resolve(path), { allowLocalFile: true }).catch((cause: Error) => {
    throw new ProxmoError(
      'file',
      `${path} has metadata that cannot be read (${cause.message}); convert the model again.`,
      { cause },
    );
  });
  const values = new Map<string, unknown>(Object.entries(metadata));
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for (const [key, texts] of marginalTexts) {
    for (const { offset, length, index } of texts) {
      const text = decoder.decode(bytes.subarray(offset, offset + length));
      const value = values.get(key);
      if (index === null) values.set(key, text);
      else if (Array.isArray(value)) value[index] = text;
    }
  }
  return new GgufMetadata(values, path);
}

/** `length` bytes from `position`, in a buffer of their own. @throws {ProxmoError} `file` if the file ends before */
export async function readAt(handle: FileHandle, position: number, length: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0)
      throw new ProxmoError('file', `${path} ends at byte ${position + done}; it was cut short while in use.`);
    done += bytesRead;
  }
  return bytes;
}
