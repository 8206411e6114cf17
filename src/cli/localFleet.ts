/**
 * `proxmo train --workers N`: workers on this machine, and a NATS server on the loopback address for them. All of it
 * ends with this process, however that ends: each child has a channel to its parent, and stops when it closes.
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProxmoError } from '../base/errors.ts';

const serverProgram = 'nats-server';
/** Milliseconds that a server has until it answers. */
const startMs = 10_000;
/** Milliseconds that workers have to end by themselves. */
const endMs = 5000;

/** Runs the server as a child of its own, and ends it with its parent. */
const keeper = `
const { spawn } = require('node:child_process');
const [program, ...args] = process.argv.slice(1);
const child = spawn(program, args, { stdio: 'ignore' });
const end = () => child.kill();
process.on('disconnect', end).on('SIGTERM', end).on('SIGINT', () => {});
child.on('exit', (code) => process.exit(code ?? 0)).on('error', () => process.exit(1));
`;

/** A server for the workers of this machine. */
export class LocalServer {
  private constructor(
    readonly address: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** @throws {ProxmoError} `fleet` if none is installed, or it does not start */
  static async start(): Promise<LocalServer> {
    if (spawnSync(serverProgram, ['--version']).status !== 0)
      throw new ProxmoError(
        'fleet',
        `--workers needs a NATS server, and ${serverProgram} is not installed; get it (Debian, Ubuntu: apt-get install nats-server; macOS: brew install nats-server), or name one that runs by --fleet.`,
      );
    const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
    const port = await freePort();
    const options = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', folder];
    const child = spawn(process.execPath, ['-e', keeper, serverProgram, ...options], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // A key press in the terminal is for this process, which ends the others in their order.
      detached: true,
    });
    const server = new LocalServer(`nats://127.0.0.1:${port}`, child, folder);
    for (const until = Date.now() + startMs; !(await answers(port)); ) {
      if (child.exitCode === null && Date.now() < until) continue;
      await server.end();
      throw new ProxmoError('fleet', `${serverProgram} does not start on port ${port} of this machine; try again.`);
    }
    return server;
  }

  async end(): Promise<void> {
    const ended = exitOf(this.child);
    if (this.child.connected) this.child.disconnect();
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Workers of a run on this machine. */
export class LocalWorkers {
  private readonly children: readonly ChildProcess[];
  private isOver = false;

  /**
   * @param program the command line's own file
   * @param options of each worker's command line
   * @param onEnd told in a sentence of a worker that ends before the run does
   */
  constructor(program: string, count: number, options: readonly string[], onEnd: (text: string) => void) {
    this.children = Array.from({ length: count }, (_, index) => {
      const child = fork(program, ['worker', ...options], {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        detached: true,
      });
      let said = '';
      child.stderr!.on('data', (text: Buffer) => {
        said = (said + text.toString()).slice(-2000);
      });
      child.once('close', () => {
        const last = said.trim().split('\n').at(-1) ?? '';
        if (!this.isOver) onEnd(`worker ${index + 1} of this machine has ended: ${last.replace(/^proxmo: /, '')}`);
      });
      return child;
    });
  }

  /** Waits until they have ended, and ends them where that takes long. */
  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(
      this.children.map(async (child) => {
        const ended = exitOf(child);
        if (child.connected) child.disconnect();
        const timer = setTimeout(() => child.kill('SIGKILL'), endMs);
        await ended;
        clearTimeout(timer);
      }),
    );
  }
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
}

/** Whether a server says something on a port of this machine; told after 50 ms if it does not. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTo(port, '127.0.0.1');
    const end = (isThere: boolean) => {
      socket.destroy();
      setTimeout(() => resolve(isThere), isThere ? 0 : 50);
    };
    socket.once('data', () => end(true)).once('error', () => end(false));
  });
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a server that listens has no port');
  return address.port;
}
