/**
 * Downloading a file of some size. What has arrived is kept beside its final name, a transfer that breaks off goes on
 * from there (HTTP range requests, RFC 9110 section 14), and the file takes its name only once size and hash are right.
 */
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { renameSoon, writeFileAtomic } from './atomicFile.node.ts';
import { fetchProblem, ProxmoError } from './errors.ts';
import { isSystemError, systemReason } from './systemErrors.node.ts';
import { digestOfFile, gitHashOfFile, readTextOrNull } from './wholeFile.node.ts';

/** A file by its size and a hash of its content, in hexadecimal. */
export type ExpectedFile =
  /** Its size is whatever it is where left out. */
  | { readonly bytes?: number; readonly sha256: string }
  /** By the name that Git gives its content: SHA-1 of `blob`, the size and the content. */
  | { readonly bytes: number; readonly gitSha1: string };

export interface DownloadOptions {
  readonly expected: ExpectedFile;
  /** What to do where the file cannot be had, for the end of a sentence. */
  readonly advice: string;
  /** Of each request. Those that say who asks do not go with it where the server sends it on to another one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Gets the bytes that are there, and how many there will be, null where the server does not say. */
  readonly onProgress?: (done: number, total: number | null) => void;
  /** Wait before the first repetition in milliseconds, doubled for each further one. Default 1000. */
  readonly retryMs?: number;
  /** Longest silence of the server in milliseconds. Default 60,000. */
  readonly stallMs?: number;
}

/** Attempts in a row that bring nothing, after which it is given up. */
const mostFailures = 5;
/** Most bytes of a file whose size nobody knows. */
const mostBytes = 2 ** 31;

/**
 * Downloads to a path. One that is there with the right hash is left as it is.
 * @throws {ProxmoError} `network` if the server cannot be reached, refuses, or has something else; `file` if the disk
 *   is full or cannot be written
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  if ((await problemOf(path, options.expected)) === null) return;
  const transfer = new Transfer(url, path, options);
  try {
    await mkdir(dirname(path), { recursive: true });
    for (;;) {
      await transfer.openPart();
      const wasResumed = transfer.bytes > 0;
      await transfer.receiveAll();
      const problem = await problemOf(transfer.part, options.expected);
      if (problem === null) break;
      await transfer.discard();
      // What was there may have been of another file.
      if (!wasResumed) throw networkError(`${url} is not the file that was expected: ${problem}; ${options.advice}.`);
    }
    await renameSoon(transfer.part, path);
    await transfer.discard();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const reason = systemReason(error);
    throw new ProxmoError('file', `${path} cannot be written: ${reason}; what has arrived is kept.`, { cause: error });
  }
}

/** Why a file is not the one that is expected, as a part of a sentence; null if it is. */
export async function problemOf(path: string, expected: ExpectedFile): Promise<string | null> {
  const { bytes } = expected;
  const size = (await stat(path).catch(() => null))?.size;
  if (size === undefined) return 'it is not there';
  if (bytes !== undefined && size !== bytes)
    return size < bytes ? `it is cut short, ${size} of ${bytes} bytes` : `it has ${size} bytes instead of ${bytes}`;
  const [kind, wanted, found] =
    'sha256' in expected
      ? ['SHA-256', expected.sha256, (await digestOfFile(path)).sha256]
      : ["hash by Git's rule", expected.gitSha1, await gitHashOfFile(path, size)];
  return found === wanted.toLowerCase() ? null : `its ${kind} is ${found} instead of ${wanted}`;
}

/** A failure that may pass, so that it is worth to try again. */
class Passing extends Error {}

class Transfer {
  readonly part: string;
  bytes = 0;
  /** Where the part came from, and what tells its version: an entity tag or a date. */
  private readonly note: string;
  private validator: string | null = null;

  constructor(
    private readonly url: string,
    path: string,
    private readonly options: DownloadOptions,
  ) {
    this.part = `${path}.part`;
    this.note = `${path}.part.json`;
  }

  /** Takes up what an earlier attempt has left, if it is of the same address. */
  async openPart(): Promise<void> {
    const note = parseNote(await readTextOrNull(this.note));
    const size = (await stat(this.part).catch(() => null))?.size ?? 0;
    const { bytes = mostBytes } = this.options.expected;
    if (note?.url !== this.url || size > bytes) return this.discard();
    this.validator = note.validator;
    this.bytes = size;
  }

  async discard(): Promise<void> {
    await rm(this.part, { force: true });
    await rm(this.note, { force: true });
    this.bytes = 0;
    this.validator = null;
  }

  async receiveAll(): Promise<void> {
    const { retryMs = 1000, advice } = this.options;
    for (let failures = 0; this.bytes !== this.options.expected.bytes; ) {
      const before = this.bytes;
      try {
        return await this.receive();
      } catch (error) {
        if (!(error instanceof Passing)) throw error;
        failures = this.bytes > before ? 1 : failures + 1;
        if (failures >= mostFailures) {
          const kept = this.bytes > 0 ? `; ${this.bytes} bytes are kept, from which the same command goes on` : '';
          throw networkError(`${this.url} ${error.message}; ${advice}${kept}.`, error);
        }
        await sleep(retryMs * 2 ** (failures - 1));
      }
    }
  }

  /** One request. @throws {Passing} if it is worth to try again */
  private async receive(): Promise<void> {
    const silence = new Silence(this.options.stallMs ?? 60_000);
    try {
      const response = await fetch(this.url, { headers: this.headers(), signal: silence.signal });
      const total = await this.begin(response);
      if (total === 'whole') return;
      await this.append(response, total, silence);
      if (total !== null && this.bytes < total) throw new Passing(`ended after ${this.bytes} of ${total} bytes`);
    } catch (error) {
      if (error instanceof ProxmoError || error instanceof Passing || isWriteError(error)) throw error;
      throw new Passing(silence.signal.aborted ? 'has gone silent' : `cannot be reached (${fetchProblem(error)})`);
    } finally {
      silence.end();
    }
  }

  private headers(): Record<string, string> {
    // The bytes of the file, not of a packed form of it.
    const plain = { 'accept-encoding': 'identity', ...this.options.headers };
    if (this.bytes === 0) return plain;
    const condition = this.validator === null ? {} : { 'if-range': this.validator };
    return { ...plain, range: `bytes=${this.bytes}-`, ...condition };
  }

  /**
   * Reads what the answer begins with.
   * @returns bytes of the whole file, null if unknown; `whole` if there is nothing to receive
   */
  private async begin(response: Response): Promise<number | null | 'whole'> {
    const { status, headers } = response;
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
    const total = status === 200 ? headers.get('content-length') : (range?.[2] ?? null);
    if (status === 416) {
      if (Number(total) === this.bytes) return 'whole';
      await this.discard();
      throw new Passing('has no such part of the file');
    }
    if (status === 206 && Number(range?.[1]) !== this.bytes) {
      await this.discard();
      throw new Passing('sends another part than was asked for');
    }
    if (status === 408 || status === 429 || status >= 500) throw new Passing(`answers with status ${status}`);
    if (status !== 200 && status !== 206)
      throw networkError(`${this.url} answers with status ${status}; ${this.options.advice}.`);
    if (status === 200) await this.beginAnew(headers);
    return this.checkedTotal(total === null || total === '*' ? null : Number(total));
  }

  private checkedTotal(total: number | null): number | null {
    const { bytes } = this.options.expected;
    const isOther = total !== null && (bytes === undefined ? total > mostBytes : total !== bytes);
    if (!isOther) return total ?? bytes ?? null;
    throw networkError(
      `${this.url} is not the file that was expected: it has ${total} bytes instead of ${bytes ?? `at most ${mostBytes}`}; ${this.options.advice}.`,
    );
  }

  private async beginAnew(headers: Headers): Promise<void> {
    await this.discard();
    const tag = headers.get('etag');
    // A weak tag does not say that the bytes are the same.
    this.validator = tag !== null && !tag.startsWith('W/') ? tag : headers.get('last-modified');
    await writeFileAtomic(this.note, [JSON.stringify({ url: this.url, validator: this.validator })]);
  }

  private async append(response: Response, total: number | null, silence: Silence): Promise<void> {
    const handle = await open(this.part, 'a');
    try {
      for await (const chunk of response.body ?? []) {
        silence.interrupt();
        if (this.bytes + chunk.byteLength > (total ?? mostBytes))
          throw networkError(`${this.url} sends more than ${total ?? mostBytes} bytes; ${this.options.advice}.`);
        await handle.writeFile(chunk);
        this.bytes += chunk.byteLength;
        this.options.onProgress?.(this.bytes, total);
      }
    } finally {
      await handle.close();
    }
  }
}

/** Aborts what waits for a server that says nothing for some time. */
class Silence {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private readonly timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.timer = setTimeout(() => this.controller.abort(), ms);
  }

  interrupt(): void {
    this.timer.refresh();
  }

  /** What of an answer is not wanted is not waited for either. */
  end(): void {
    clearTimeout(this.timer);
    this.controller.abort();
  }
}

interface Note {
  readonly url: string;
  readonly validator: string | null;
}

function parseNote(text: string | null): Note | null {
  try {
    const { url, validator } = JSON.parse(text ?? '') as Partial<Note>;
    return typeof url === 'string' ? { url, validator: typeof validator === 'string' ? validator : null } : null;
  } catch {
    return null;
  }
}

/** Whether the disk refuses, and not the network. */
function isWriteError(error: unknown): boolean {
  return isSystemError(error) && ['open', 'write', 'fsync', 'rename', 'unlink'].includes(error.syscall ?? '');
}

function networkError(message: string, cause?: unknown): ProxmoError {
  return new ProxmoError('network', message, { cause });
}
