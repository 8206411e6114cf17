/** A real NATS server with JetStream on the loopback address, for tests; where none is installed, they are skipped. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, freePort } from '../../src/cli/localFleet.ts';
import { needs } from './needs.ts';

/** Whether there is one (Debian: `nats-server`). */
export const hasNatsServer = spawnSync('nats-server', ['--version']).status === 0;
export const needsNatsServer = needs('nats-server', hasNatsServer);

/** Those that run. A test that ends before it has ended its server leaves it to the end of the process. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class NatsServer {
  private child: ChildProcess | null = null;
  private folder = mkdtempSync(join(tmpdir(), 'proxmo-nats-'));

  private constructor(
    readonly port: number,
    private readonly options: readonly string[],
  ) {}

  /** @param options further ones of its command line */
  static async start(options: readonly string[] = []): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), options);
    await server.up();
    return server;
  }

  /** Servers of one cluster, each with streams of its own. */
  static async cluster(count: number): Promise<AsyncDisposable & { readonly servers: readonly NatsServer[] }> {
    const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
    const servers = await Promise.all(
      routes.map((route, index) =>
        NatsServer.start([
          ...['--server_name', `n${index}`, '--cluster_name', 'test', '--cluster', route],
          ...['--routes', routes.join(',')],
        ]),
      ),
    );
    const end = async () => {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    };
    return { servers, [Symbol.asyncDispose]: end };
  }

  get address(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts it, with what it had stored. */
  async up(): Promise<void> {
    const { port, folder } = this;
    const common = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', folder];
    const child = spawn('nats-server', [...common, ...this.options], { stdio: 'ignore' });
    this.child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for (let tries = 0; tries < 200; tries++) {
      if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`);
      if (await answers(port)) return;
    }
    throw new Error('nats-server does not answer');
  }

  /** Kills it. */
  async down(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** Kills it, and takes away all that it had stored. */
  async lose(): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
    this.folder = mkdtempSync(join(tmpdir(), 'proxmo-nats-'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
