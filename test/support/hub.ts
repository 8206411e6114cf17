/** A server on the loopback address that answers as the Hugging Face Hub does, and can be told to misbehave. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type Breaker, breaker } from './fileServer.ts';

export interface ServedModel {
  /** OWNER/NAME. */
  readonly id: string;
  /** Contents by path. Those of safetensors and GGUF are large files, which have a SHA-256. */
  readonly files: Readonly<Record<string, Buffer>>;
  /** Changes what the hub lists. */
  readonly list?: (entries: Record<string, unknown>[]) => unknown;
  /** Bytes after which each connection for a file breaks. */
  breakAfter?: number;
  /** Contents that are sent in place of the true ones. */
  readonly wrong?: Readonly<Record<string, Buffer>>;
  /** Address of another server, to which files are sent on. */
  readonly store?: string;
  /** Answers a request otherwise; true if it has. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export const commit = '0123456789abcdef0123456789abcdef01234567';

export interface HubServer {
  readonly endpoint: string;
  readonly requests: { readonly url: string; readonly range?: string; readonly authorization?: string }[];
}

export const sha256Of = (content: Buffer) => createHash('sha256').update(content).digest('hex');
export const gitHashOf = (content: Buffer) =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

/** Serves until the test has finished. */
export async function serveHub(model: ServedModel): Promise<HubServer> {
  const requests: HubServer['requests'] = [];
  const breakOff = breaker();
  const server = createServer((request, response) => {
    const { range, authorization } = request.headers;
    requests.push({ url: request.url!, ...(range ? { range } : {}), ...(authorization ? { authorization } : {}) });
    if (!model.instead?.(request, response)) answer(model, request, response, breakOff);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function answer(model: ServedModel, request: IncomingMessage, response: ServerResponse, breakOff: Breaker): void {
  const { pathname } = new URL(request.url!, 'http://hub');
  const path = decodeURIComponent(pathname);
  const json = (value: unknown) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (path.startsWith(`/api/models/${model.id}/revision/`)) {
    const revision = path.slice(`/api/models/${model.id}/revision/`.length);
    if (['main', 'v1', 'HEAD', commit].includes(revision)) json({ id: model.id, modelId: model.id, sha: commit });
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Revision not found"}');
  } else if (path === `/api/models/${model.id}/tree/${commit}`) {
    const entries = Object.entries(model.files).map(([name, content]) => entryOf(name, content));
    json(model.list?.(entries) ?? entries);
  } else if (path.startsWith(`/${model.id}/resolve/${commit}/`)) {
    if (model.store === undefined)
      sendFile(model, path.slice(`/${model.id}/resolve/${commit}/`.length), request, response, breakOff);
    else response.writeHead(302, { location: `${model.store}${pathname}` }).end();
  } else response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"Repository not found"}');
}

function entryOf(path: string, content: Buffer): Record<string, unknown> {
  const isLarge = /\.(safetensors|gguf)$/.test(path);
  const lfs = isLarge ? { lfs: { oid: sha256Of(content), size: content.length, pointerSize: 130 } } : {};
  return { type: 'file', path, size: content.length, oid: gitHashOf(content), ...lfs };
}

function sendFile(
  model: ServedModel,
  path: string,
  { headers }: IncomingMessage,
  response: ServerResponse,
  breakOff: Breaker,
): void {
  const content = model.wrong?.[path] ?? model.files[path];
  if (content === undefined) {
    response.writeHead(404).end();
    return;
  }
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  if (start >= content.length && start > 0) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const rest = content.subarray(start);
  const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length, ...(start > 0 ? range : {}) });
  const sent = rest.subarray(0, model.breakAfter ?? rest.length);
  if (sent.length === rest.length) response.end(sent);
  else response.write(sent, () => breakOff(response));
}
