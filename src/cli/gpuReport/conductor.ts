/**
 * Runs the parts of a report one after another, each in processes of its own, so that a driver that ends its process,
 * hangs, or loses its device costs the item that it was at and no more.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ProxmoError } from '../../base/errors.ts';
import { lastErrorIn } from '../study/child.ts';
import type { ReportFacts } from './facts.ts';
import type { Part } from './parts.ts';
import type { Records } from './records.ts';
import { deviceFailed } from './worker.ts';

export interface ConductorOptions {
  readonly dir: string;
  /** File of the command line, which the processes run. */
  readonly program: string;
  readonly adapter: string | undefined;
  readonly records: Records;
  readonly signal: AbortSignal;
  /** When the report's time is over, by `performance.now()`. */
  readonly end: number;
  readonly onNews: (part: string, news: WorkerNews) => void;
}

/** What a worker tells as it begins an item. */
export interface WorkerNews {
  readonly item: string;
  readonly done: number;
  readonly total: number;
}

/** How a process ended. */
export interface End {
  readonly code: number | null;
  /** In words, where it failed. */
  readonly reason: string;
  readonly wasKilled: boolean;
}

/** An item that has begun may take this much longer than the time of its part, and than that of all, in seconds. */
const [grace, lastGrace] = [20, 5];
/** An item that was given less than this before it was killed may only have lacked time. In milliseconds. */
const patience = 60_000;
/** For a driver to open its device. */
const openingSeconds = 100;

interface ProcessOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly seconds: number;
  /** Whether it is asked to stop after that time, or knows by itself. Default: it knows. */
  readonly isAsked?: boolean;
  /** Whether it may take longer than the report. Default: no. */
  readonly isFirst?: boolean;
  readonly onMessage: (message: unknown) => void;
}

export class Conductor {
  constructor(private readonly options: ConductorOptions) {}

  /** What the adapter is. @throws {ProxmoError} `no-device` with what the process said that was to open it */
  async facts(): Promise<ReportFacts> {
    let facts: ReportFacts | undefined;
    const args = ['gpu-report', '--out', this.options.dir, '--part', 'facts', ...this.adapterArguments];
    const onMessage = (message: unknown) => {
      facts = message as ReportFacts;
    };
    const { reason, wasKilled } = await this.runProcess({
      name: 'facts',
      args,
      seconds: openingSeconds,
      isFirst: true,
      onMessage,
    });
    if (this.options.signal.aborted) throw new ProxmoError('interrupted', 'Stopped before the adapter was open.');
    if (wasKilled)
      throw new ProxmoError(
        'no-device',
        `The adapter did not open within ${openingSeconds} s; choose another by --adapter.`,
      );
    if (!facts) throw new ProxmoError('no-device', reason);
    return facts;
  }

  /** Works through a part, until it is done or its time is over. */
  async run({ name }: Pick<Part, 'name'>, seconds: number): Promise<void> {
    const { dir, records, signal, onNews } = this.options;
    if (records.stateOf(name, 'start').kind === 'failed') return;
    const end = performance.now() + 1000 * seconds;
    while (!signal.aborted) {
      const left = (end - performance.now()) / 1000;
      if (left <= 0) return;
      let begun = performance.now();
      const args = ['gpu-report', '--out', dir, '--part', name, '--seconds', left.toFixed(1)];
      const { code, reason, wasKilled } = await this.runProcess({
        name,
        args: [...args, ...this.adapterArguments],
        seconds: left,
        onMessage: (news) => {
          begun = performance.now();
          onNews(name, news as WorkerNews);
        },
      });
      records.read();
      if (wasKilled && performance.now() - begun < patience) records.excuse(name);
      if (code === 0 || wasKilled || signal.aborted) return;
      if (code !== deviceFailed && !this.blame(name, reason)) return;
    }
  }

  /** Runs a process of the command line, whose output goes to a log. It is killed where it does not end in time. */
  runProcess({ name, args, seconds, isAsked = false, isFirst = false, onMessage }: ProcessOptions): Promise<End> {
    const { dir, program, signal, end } = this.options;
    mkdirSync(join(dir, 'logs'), { recursive: true });
    const path = join(dir, 'logs', `${name}.log`);
    const log = openSync(path, 'a');
    const { size: before } = fstatSync(log);
    const child = fork(program, args, { stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    child.on('message', onMessage);
    const stop = () => disconnect(child);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    let wasKilled = false;
    const kill = () => {
      wasKilled = true;
      child.kill('SIGKILL');
    };
    const atMost = isFirst ? Number.POSITIVE_INFINITY : end - performance.now() + 1000 * lastGrace;
    const most = Math.min(1000 * (seconds + grace), atMost);
    const timers = [setTimeout(kill, Math.max(0, most)), ...(isAsked ? [setTimeout(stop, 1000 * seconds)] : [])];
    return new Promise<End>((resolve) => {
      child.once('error', ({ message }) => resolve({ code: null, reason: message, wasKilled }));
      child.once('exit', (code, by) =>
        resolve({ code, reason: by ? `Its process was ended by ${by}.` : lastErrorIn(path, before), wasKilled }),
      );
    }).finally(() => {
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    });
  }

  get adapterArguments(): string[] {
    const { adapter } = this.options;
    return adapter === undefined ? [] : ['--adapter', adapter];
  }

  /** Notes why a process ended that should not have. @returns whether the next item can be begun */
  private blame(part: string, reason: string): boolean {
    const { records } = this.options;
    const underWay = records.underWay(part);
    for (const item of underWay) records.failed(part, item, reason);
    if (underWay.length === 0) records.failed(part, 'start', reason);
    return underWay.length > 0;
  }
}

/** A process whose channel closes is to stop. */
function disconnect(child: ChildProcess): void {
  if (child.connected) child.disconnect();
}
