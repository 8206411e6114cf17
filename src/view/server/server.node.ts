/**
 * The server of `proxmo view`: for this machine alone, for whoever knows its address. Every address begins with a
 * random token; requests under another host's name (DNS rebinding) are refused, and so is everything but GET. It reads
 * the folders of runs, and nothing else; it opens no connection.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProxmoError } from '../../base/errors.ts';
import { rolloutSplits } from '../../base/playedBatch.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import { script as deviceScript } from '../page/credit/device.ts?module';
import { script, style } from '../page/main.ts?bundle';
import { follow } from './follow.node.ts';
import { pageHtml } from './pageHtml.node.ts';
import type { RunFolder } from './runFolder.node.ts';

/** How long pages may take to read how it ended, in milliseconds. */
const farewell = 2000;
const loopback = '127.0.0.1';
const hostNames = new Set([loopback, 'localhost', '[::1]']);

const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

export interface ViewServer {
  /** With its token. */
  readonly address: string;
  /** Ends it, when the pages that are open have read how the runs stand. */
  close(): Promise<void>;
}

/**
 * @param port 0 for any that is free
 * @throws {ProxmoError} `usage` if the port cannot be had
 */
export async function serveRuns(runs: readonly RunFolder[], port = 0): Promise<ViewServer> {
  const token = randomBytes(24).toString('base64url');
  const closing = new AbortController();
  const answers = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = answer(request, response, runs, token, closing.signal)
      .catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else refuse(response, 500, error instanceof ProxmoError ? error.message : 'The folder could not be read.');
      })
      .finally(() => answers.delete(answered));
    answers.add(answered);
  });
  await listen(server, port);
  return {
    address: `http://${loopback}:${(server.address() as AddressInfo).port}/${token}/`,
    close: async () => {
      closing.abort();
      await Promise.race([Promise.all(answers), sleep(farewell, undefined, { ref: false })]);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'another program uses it' : systemReason(cause);
      reject(new ProxmoError('usage', `Port ${port} cannot be had: ${why}; give another --port, or none.`, { cause }));
    });
    server.listen(port, loopback, () => resolve());
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  runs: readonly RunFolder[],
  token: string,
  closing: AbortSignal,
): Promise<void> {
  const host = request.headers.host?.replace(/:\d+$/, '') ?? '';
  if (!hostNames.has(host)) return refuse(response, 403, `This server answers to ${loopback} alone.`);
  if (request.method !== 'GET') return refuse(response, 405, 'This server only shows; it takes GET alone.');
  const [, given = '', ...rest] = (request.url ?? '').replace(/[?#].*$/, '').split('/');
  if (!isSame(given, token))
    return refuse(response, 403, 'The address lacks its token; open the address that proxmo printed.');
  switch (rest[0]) {
    case '':
      return send(response, 'text/html; charset=utf-8', pageHtml());
    case 'page.js':
      return send(response, 'text/javascript; charset=utf-8', script);
    case 'device.js':
      return send(response, 'text/javascript; charset=utf-8', deviceScript);
    case 'page.css':
      return send(response, 'text/css; charset=utf-8', style);
    case 'events':
      return follow(response, runs, closing, headers);
    case 'runs':
      return sendFile(response, runs, rest.slice(1));
    default:
      return refuse(response, 404, 'There is nothing here.');
  }
}

/**
 * `runs/0/training/12` (the index), `runs/0/training/12/rows`, `runs/0/training/12/1000-2500` (bytes of a group), the
 * same of `held-out`, `runs/0/profile`, `runs/0/trace`.
 */
async function sendFile(response: ServerResponse, runs: readonly RunFolder[], path: readonly string[]): Promise<void> {
  const [id, what] = path;
  const run = runs.find((each) => each.id === id);
  const text = run ? await textOf(run, path.slice(1)) : null;
  if (text === null) return refuse(response, 404, 'The run has no such file.');
  if (what === 'trace') response.setHeader('Content-Disposition', 'attachment; filename="trace.json"');
  const type = path.length > 3 ? 'application/x-ndjson' : 'application/json';
  send(response, `${type}; charset=utf-8`, text);
}

/** What is sent for a path below a run's; null where there is nothing. */
export async function textOf(
  run: RunFolder,
  [what, iteration, part, ...rest]: readonly string[],
): Promise<string | null> {
  if (rest.length > 0) return null;
  const split = rolloutSplits.find((each) => each === what);
  if (split && /^\d{1,9}$/.test(iteration ?? '')) {
    const batch = { split, iteration: Number(iteration) };
    if (part === undefined) return run.rolloutIndex(batch);
    if (part === 'rows') return run.rows(batch, null);
    const [from, to] = /^(\d{1,12})-(\d{1,12})$/.exec(part)?.slice(1).map(Number) ?? [];
    return from === undefined ? null : run.rows(batch, { offset: from, bytes: to! - from });
  }
  if (iteration !== undefined) return null;
  if (what === 'profile') return run.profile();
  return what === 'trace' ? run.trace() : null;
}

function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function send(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { ...headers, 'Content-Type': type }).end(text);
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end(`${sentence}\n`);
}
