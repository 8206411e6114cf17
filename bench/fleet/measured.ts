/** Runs one process that trains, and fleets of processes, and hears what they say of themselves. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withPieces } from '../../src/cli/fleetRun.ts';
import { answers, freePort } from '../../src/cli/localFleet.ts';
import { newRunConfig } from '../../src/cli/newConfig.ts';
import type { TrainConfig } from '../../src/rl/config.ts';
import type { Part } from './parts.ts';
import { type Heard, type Said, type Tally, tally } from './tally.ts';

export interface Measured {
  readonly config: TrainConfig;
  readonly adapter?: string | undefined;
  readonly skipped: number;
}

/** Measures a run that one process trains. */
export async function measureAlone(program: string, { config, adapter, skipped }: Measured): Promise<Tally> {
  const heard: Heard[] = [];
  const dir = mkdtempSync(join(tmpdir(), 'proxmo-alone-'));
  const part = start(program, { kind: 'alone', dir: join(dir, 'run'), config, ...named(adapter) }, (said) =>
    heard.push({ said, server: 0 }),
  );
  await ended(part).finally(() => rmSync(dir, { recursive: true, force: true }));
  return tally(heard, skipped, 0);
}

/** Measures a run that workers play. @param pads seconds that each worker's pieces take longer; one for each worker */
export async function measureFleet(
  program: string,
  { config, adapter, skipped }: Measured,
  pads: readonly number[],
): Promise<Tally> {
  const dir = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
  const { server, address } = await startServer(dir);
  const heard: Heard[] = [];
  const hear = (said: Said) => heard.push({ said, server: secondsOf(server.pid) });
  const parts = [
    ...pads.map((pad, index): Part => {
      return { kind: 'worker', id: `worker-${index + 1}`, address, pad, ...named(adapter) };
    }),
    { kind: 'coordinator', dir: join(dir, 'run'), config, address, ...named(adapter) } as const,
  ].map((part) => start(program, part, hear));
  try {
    // The first that fails ends it: a coordinator would wait for its workers.
    await Promise.all(parts.map(ended));
  } finally {
    for (const part of parts) part.kill('SIGKILL');
    server.kill();
    await new Promise((resolve) => server.once('exit', resolve));
    rmSync(dir, { recursive: true, force: true });
  }
  return tally(heard, skipped, pads.length);
}

/** A server on the loopback address, which is this process's own child, so that its time can be read. */
async function startServer(dir: string): Promise<{ readonly server: ChildProcess; readonly address: string }> {
  const port = await freePort();
  const options = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', join(dir, 'server')];
  const server = spawn('nats-server', options, { stdio: 'ignore' });
  const isGone = new Promise<never>((_, reject) => {
    server.once('error', reject).once('exit', (code) => reject(new Error(`nats-server ended with ${code}`)));
  });
  isGone.catch(() => undefined);
  while (!(await Promise.race([answers(port), isGone])));
  return { server, address: `nats://127.0.0.1:${port}` };
}

function named(adapter: string | undefined): { adapter?: string } {
  return adapter === undefined ? {} : { adapter };
}

function start(program: string, part: Part, hear: (said: Said) => void): ChildProcess {
  const child = fork(program, [JSON.stringify(part)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return child.on('message', (said) => hear(said as Said));
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (code: number | null) => (code === 0 ? resolve() : reject(new Error(`a process ended with ${code}`)));
    if (child.exitCode !== null) end(child.exitCode);
    else child.once('exit', end);
  });
}

/** Seconds of the processor that a process has used; 0 where the system does not say. */
function secondsOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    // Ticks of a hundredth of a second, in user and in system.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** The program of the processes, bundled once. */
export async function partProgram(): Promise<string> {
  // The bundler finds the checkout from where it lies itself, so it must not become a part of this bundle.
  const script = pathToFileURL(resolve('scripts/bundle.mjs')).href;
  const { bundle } = (await import(script)) as typeof import('../../scripts/bundle.mjs');
  return bundle('bench/fleet/parts.ts');
}

/** A run that is measured: without evaluations on the way, checkpoints and a long warm start. */
export async function measuredConfig(
  preset: string | undefined,
  iterations: number,
  set: readonly string[],
): Promise<TrainConfig> {
  const upkeep = ['evaluation.tasks=8', 'evaluation.every=0', 'checkpoints.every=0', 'warmStart.tasks=200'];
  const config = await newRunConfig(preset, { set: [...upkeep, `training.iterations=${iterations}`, ...set] });
  return withPieces(config, { workers: 1 });
}
