/**
 * A run of a study in a process of its own: `proxmo train`, whose output goes to a log beside the run's folder and
 * whose progress comes back over Node's channel. Closing the channel asks it to stop at its next checkpoint, so a run
 * also stops where the study is killed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemReason } from '../../base/systemErrors.node.ts';
import type { RunNews } from '../parent.ts';
import type { StudyRun } from './file.ts';

export interface ChildOptions {
  /** The command line's own file. */
  readonly program: string;
  readonly adapter?: string;
  /** Folder of warm starts that arms share. */
  readonly warmStarts: string;
  /** Threads of a software driver, where that is said. */
  readonly threads: number | null;
  readonly onNews: (news: RunNews) => void;
}

/** The configuration of a run's arm, whole but for the seed. */
export function armConfigPath({ dir }: StudyRun): string {
  return join(dirname(dir), 'config.yaml');
}

/** What a run's processes printed. */
export function logPath({ dir }: StudyRun): string {
  return `${dir}.log`;
}

export class TrainingChild {
  /** How the process ended, in words. */
  readonly ended: Promise<{ readonly reason: string }>;
  private readonly child: ChildProcess;

  /** @param isNew whether it begins; otherwise it goes on from its last checkpoint */
  constructor(run: StudyRun, isNew: boolean, { program, adapter, warmStarts, threads, onNews }: ChildOptions) {
    mkdirSync(dirname(run.dir), { recursive: true });
    const what = isNew
      ? [armConfigPath(run), '--preset', 'none', '--seed', String(run.seed), '--out', run.dir]
      : ['--resume', run.dir];
    // Who started the study agreed to what its environments start.
    const options = [
      ...['--trust', '--warm-starts', warmStarts],
      ...(adapter === undefined ? [] : ['--adapter', adapter]),
      ...(run.workers === undefined ? [] : ['--workers', String(run.workers)]),
    ];
    const log = openSync(logPath(run), 'a');
    const { size: before } = fstatSync(log);
    try {
      this.child = fork(program, ['train', ...what, ...options], {
        stdio: ['ignore', log, log, 'ipc'],
        env: { ...process.env, ...(threads === null ? {} : { LP_NUM_THREADS: String(threads) }) },
      });
    } finally {
      closeSync(log);
    }
    this.child.on('message', (message) => onNews(message as RunNews));
    this.ended = new Promise((resolve) => {
      this.child.once('error', ({ message }) => resolve({ reason: message }));
      this.child.once('exit', (_, signal) => {
        resolve({ reason: signal === null ? lastErrorIn(logPath(run), before) : `its process was ended by ${signal}` });
      });
    });
  }

  /** Asks it to stop, with a checkpoint. */
  stop(): void {
    if (this.child.connected) this.child.disconnect();
  }

  /** Ends it at once. */
  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** What a log says last, after its first bytes. */
export function lastErrorIn(log: string, before: number): string {
  try {
    return lastError(readFileSync(log).subarray(before).toString());
  } catch (error) {
    return `its log cannot be read (${systemReason(error)})`;
  }
}

/** The sentence with which a command ends that fails; or the last of what it printed. */
function lastError(said: string): string {
  const marker = 'proxmo: ';
  const at = said.lastIndexOf(`\n${marker}`);
  const text =
    at < 0 && !said.startsWith(marker) ? (said.trim().split('\n').at(-1) ?? '') : said.slice(Math.max(0, at)).trim();
  return text.replace(marker, '').slice(0, 1000) || 'it printed nothing';
}
