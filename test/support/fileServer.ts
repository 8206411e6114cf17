/** A server on the loopback address that has one file and can be told to misbehave. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ServedFile {
  content: Buffer;
  etag?: string;
  /** Answers ranges with the whole file. */
  noRanges?: boolean;
  /** Bytes after which each connection breaks. */
  breakAfter?: number;
  /** Milliseconds that each 64 KiB take. */
  slow?: number;
  /** Answers a request otherwise; true if it has. */
  instead?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export type Breaker = (response: ServerResponse) => void;

/**
 * Breaks a connection some milliseconds after its last byte was sent, each time twice as many: what has arrived but
 * was not read yet is lost with the connection, and a busy machine reads late.
 */
export function breaker(): Breaker {
  let ms = 20;
  return (response) => {
    setTimeout(() => response.destroy(), ms);
    ms = Math.min(2 * ms, 1000);
  };
}

/** Serves until the test has finished. The requests are noted as the ranges that they ask for. */
export async function serve(file: ServedFile): Promise<{ url: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const breakOff = breaker();
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    if (!file.instead?.(request, response)) void answer(file, request, response, breakOff);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/games.zip`, ranges };
}

async function answer(
  file: ServedFile,
  request: IncomingMessage,
  response: ServerResponse,
  breakOff: Breaker,
): Promise<void> {
  const { content, etag, noRanges, breakAfter, slow } = file;
  const { range, 'if-range': condition } = request.headers;
  const isPart = range !== undefined && !noRanges && (condition === undefined || condition === etag);
  const start = isPart ? Number(/^bytes=(\d+)-$/.exec(range)![1]) : 0;
  if (etag !== undefined) response.setHeader('etag', etag);
  if (start >= content.length && isPart) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const rest = content.subarray(start);
  response.setHeader('content-length', rest.length);
  if (isPart) response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`);
  response.writeHead(isPart ? 206 : 200);
  const sent = rest.subarray(0, breakAfter ?? rest.length);
  for (let at = 0; at < sent.length && !response.destroyed; at += 65536) {
    await new Promise((resolve) => response.write(sent.subarray(at, at + 65536), resolve));
    if (slow !== undefined) await new Promise((resolve) => setTimeout(resolve, slow));
  }
  if (sent.length < rest.length) breakOff(response);
  else response.end();
}
