/** JSON over HTTP with a time limit, and one clear error for every way in which it can fail. */
import { errorMessage, fetchProblem, ProxmoError } from '../../base/errors.ts';
import { reportedError } from './agentGym.ts';

/** Longest answer that is read, in bytes. */
const longestBody = 1 << 24;

type Method = 'GET' | 'POST';

export class HttpClient {
  /** The address without a slash at its end. */
  private readonly base: string;

  constructor(
    url: string,
    private readonly timeoutSeconds: number,
  ) {
    this.base = url.replace(/\/+$/, '');
  }

  /** @throws {ProxmoError} `environment` if there is no answer in time, or it is a failure */
  async post(path: string, fields: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { status, text } = await this.fetch('POST', path, JSON.stringify(fields));
    return this.read('POST', path, status, text);
  }

  /** @throws {ProxmoError} `environment` if there is no answer in time, or it is a failure */
  async get(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const { status, text } = await this.fetch('GET', `${path}?${new URLSearchParams(query)}`);
    return this.read('GET', path, status, text);
  }

  /** The same; null where the server has no such address. */
  async getIfThere(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const { status, text } = await this.fetch('GET', `${path}?${new URLSearchParams(query)}`);
    return status === 404 || status === 405 ? null : this.read('GET', path, status, text);
  }

  /** What an answer says. @throws {ProxmoError} `environment` if it cannot be read */
  understand<T>(path: string, read: (json: unknown) => T, json: unknown): T {
    try {
      return read(json);
    } catch (error) {
      const problem = errorMessage(error);
      throw new ProxmoError(
        'environment',
        `The environment server ${this.base} does not answer ${path} as AgentGym's do: ${problem}`,
        {
          cause: error,
        },
      );
    }
  }

  private async fetch(method: Method, path: string, body?: string): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(1000 * this.timeoutSeconds);
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    try {
      const response = await fetch(this.base + path, {
        method,
        headers,
        signal,
        ...(body === undefined ? {} : { body }),
      });
      return { status: response.status, text: await readText(response) };
    } catch (error) {
      if (error instanceof ProxmoError) throw this.failure(method, path, error.message, error);
      const reason = signal.aborted
        ? `gave no answer within ${this.timeoutSeconds} s`
        : `cannot be reached (${fetchProblem(error)})`;
      throw this.failure(method, path, reason, error);
    }
  }

  private read(method: Method, path: string, status: number, text: string): unknown {
    if (status < 200 || status > 299)
      throw this.failure(method, path, `answered with status ${status}: ${shorten(text)}`);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw this.failure(method, path, `answered with something that is not JSON: ${shorten(text)}`, cause);
    }
    const reported = reportedError(json);
    if (reported !== null) throw this.failure(method, path, `reports an error: ${shorten(reported)}`);
    return json;
  }

  private failure(method: Method, path: string, what: string, cause?: unknown): ProxmoError {
    return new ProxmoError('environment', `The environment server ${this.base} ${what} (${method} ${path}).`, {
      cause,
    });
  }
}

async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    bytes += piece.value.byteLength;
    if (bytes > longestBody) {
      await reader.cancel();
      throw new ProxmoError('environment', `gave an answer of more than ${longestBody} bytes`);
    }
    text += decoder.decode(piece.value, { stream: true });
  }
  return text + decoder.decode();
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
