/**
 * A child process that speaks the process protocol (`protocol.ts`): requests out, answers in, and one clear error for
 * every way in which it can fail.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import { LineReader } from './lines.ts';
import { answerSchema, longestLine } from './protocol.ts';

export interface ChildOptions {
  /** The program with its arguments. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** Environment variables besides this process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Longest wait for an answer. */
  readonly timeoutSeconds: number;
}

/** Characters of standard error that are kept for messages. */
const keptErrorText = 4000;
/** How long a child whose input has ended may take to end itself. */
const endingSeconds = 2;
/** How long the last output may take after the child has ended. */
const lastWordsMs = 200;

/** Children that run: none outlives this process. */
const living = new Set<EnvironmentChild>();
let watchesExit = false;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ProxmoError) => void;
  readonly timer: NodeJS.Timeout;
}

export class EnvironmentChild {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private errorText = '';
  private failure: ProxmoError | null = null;
  private readonly ended: Promise<void>;

  constructor(private readonly options: ChildOptions) {
    this.child = start(options);
    const { child } = this;
    living.add(this);
    watchExit();
    this.ended = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    const lines = new LineReader(
      longestLine,
      (line) => this.read(line),
      () => this.fail(`wrote a line of more than ${longestLine} characters`),
    );
    const decoder = new StringDecoder('utf8');
    child.stdout.on('data', (bytes: Buffer) => lines.push(decoder.write(bytes)));
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      this.errorText = (this.errorText + piece).slice(-keptErrorText);
    });
    // A child that is gone cannot be written to; its end is reported below.
    child.stdin.on('error', () => undefined);
    child.on('error', (error: NodeJS.ErrnoException) =>
      this.fail(`could not be started: ${systemReason(error)}; check the command and its folder`),
    );
    const onEnd = (code: number | null, signal: string | null) =>
      this.fail(signal ? `was ended by ${signal}` : `ended with exit code ${code}`);
    child.on('close', onEnd);
    // Its own children may hold its output open.
    child.on('exit', (code, signal) => void setTimeout(() => onEnd(code, signal), lastWordsMs).unref());
    this.holdOpen(false);
  }

  get isAlive(): boolean {
    return this.failure === null;
  }

  /**
   * Asks the child something.
   * @throws {ProxmoError} `environment` if it answers with an error, with something else than was asked for, too late,
   * or not at all
   */
  async request<S extends z.ZodType>(method: string, params: object, schema: S): Promise<z.output<S>> {
    return checked(
      schema,
      await this.send(method, params),
      (problem) =>
        new ProxmoError(
          'environment',
          `${this.describe()} answered ${method} with something else than it should: ${problem}.`,
        ),
    );
  }

  /** Ends the child at once, with what it started. */
  kill(reason: string): void {
    this.fail(reason);
  }

  /** Lets the child end by itself, and ends it if it does not. */
  async end(): Promise<void> {
    this.child.stdin.end();
    const timer = setTimeout(() => this.fail('was ended'), 1000 * endingSeconds);
    await this.ended;
    clearTimeout(timer);
    this.fail('was ended');
  }

  private send(method: string, params: object): Promise<unknown> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const { timeoutSeconds } = this.options;
      const timer = setTimeout(
        () => this.fail(`gave no answer to ${method} within ${timeoutSeconds} s`),
        1000 * timeoutSeconds,
      );
      this.waiting.set(id, { resolve, reject, timer });
      this.holdOpen(true);
      this.child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  private read(line: string): void {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      this.fail(`wrote a line that is not JSON: ${shorten(line)} (messages belong on standard error)`);
      return;
    }
    const parsed = answerSchema.safeParse(json);
    if (!parsed.success) {
      this.fail(`wrote a line that is no answer, which has an id and a result or an error: ${shorten(line)}`);
      return;
    }
    const answer = parsed.data;
    const waiting = this.waiting.get(answer.id);
    if (!waiting) {
      this.fail(`answered request ${answer.id}, which was not asked`);
      return;
    }
    this.waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if (this.waiting.size === 0) this.holdOpen(false);
    if ('error' in answer)
      waiting.reject(new ProxmoError('environment', `${this.describe()} reports an error: ${shorten(answer.error)}`));
    else waiting.resolve(answer.result);
  }

  /** Gives the child up: whoever waits for it is told why. */
  private fail(what: string): void {
    if (this.failure) return;
    this.failure = new ProxmoError('environment', `${this.describe()} ${what}.${this.lastWords()}`);
    living.delete(this);
    killGroup(this.child);
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(this.failure);
    }
    this.waiting.clear();
    this.holdOpen(false);
  }

  private lastWords(): string {
    const lines = this.errorText.trim().split('\n').slice(-5).join('\n');
    return lines === '' ? '' : ` Its last words on standard error: ${lines}`;
  }

  private describe(): string {
    const { command } = this.options;
    const { pid } = this.child;
    return `The environment process \`${command.join(' ')}\`${pid === undefined ? '' : ` (pid ${pid})`}`;
  }

  /** An idle child does not keep this process from ending. */
  private holdOpen(hold: boolean): void {
    const { child } = this;
    for (const handle of [
      child,
      child.stdin as unknown as Socket,
      child.stdout as unknown as Socket,
      child.stderr as unknown as Socket,
    ]) {
      if (hold) handle.ref();
      else handle.unref();
    }
  }

  /** Ends the child while this process ends. */
  endNow(): void {
    killGroup(this.child);
  }
}

function start({ command, cwd, env }: ChildOptions): ChildProcessWithoutNullStreams {
  const common = {
    cwd,
    env: { ...process.env, ...env },
    stdio: 'pipe' as const,
    windowsHide: true,
    // A group of its own: Ctrl-C in the terminal reaches the trainer alone, and what the child starts can be ended with
    // it.
    detached: process.platform !== 'win32',
  };
  const [program = '', ...args] = command;
  return spawn(program, args, common);
}

function killGroup(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function watchExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => {
    for (const child of living) child.endNow();
  });
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
