/** Reading a file of JSON lines as a stream, plain or gzipped. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ProxmoError } from '../../base/errors.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import { LineReader } from '../../envs/bridge/lines.ts';

/**
 * The values of a file of JSON lines; empty lines are left out.
 * @throws {ProxmoError} `file` if it cannot be read or unpacked; `data`, with the line, if a line is not JSON
 */
export async function* readJsonLines(path: string): AsyncGenerator<unknown> {
  let number = 0;
  for await (const line of readLines(path)) {
    number++;
    if (line.trim() !== '') yield parseLine(line, path, number);
  }
}

async function* readLines(path: string): AsyncGenerator<string> {
  const gzipped = await isGzip(path);
  const source = createReadStream(path);
  const gunzip = createGunzip();
  // An error of the file reaches the reader through the stream that it reads from.
  const stream: Readable = gzipped ? pipeline(source, gunzip, () => undefined) : source;
  const lines: string[] = [];
  const reader = new LineReader(
    Number.POSITIVE_INFINITY,
    (line) => lines.push(line),
    () => undefined,
  );
  try {
    for await (const piece of stream.setEncoding('utf8')) {
      reader.push(piece);
      yield* lines.splice(0);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  // The last line may have no end.
  reader.push('\n');
  yield* lines;
}

function parseLine(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ProxmoError('data', `${path} line ${number} is not JSON; it must hold one JSON value a line.`, { cause });
  }
}

async function isGzip(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
      return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ProxmoError {
  return new ProxmoError(
    'file',
    `${path} cannot be read: ${systemReason(error)}; check the path, and that the file is whole.`,
    {
      cause: error,
    },
  );
}
