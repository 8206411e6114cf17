/**
 * Processes of a fleet that is measured: one that trains alone, a coordinator, or a worker. Each tells what it did as
 * messages to its parent. Started by `measure.ts`.
 */
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { packageVersion } from '../../src/base/packageVersion.ts';
import type { TaskSet } from '../../src/envs/environment.ts';
import { connectToServer } from '../../src/fleet/connect.node.ts';
import { Coordinator, type CoordinatorOptions } from '../../src/fleet/coordinator.ts';
import { environmentsWith, openTaskSetWith } from '../../src/fleet/environment.node.ts';
import { work } from '../../src/fleet/worker.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import type { TrainConfig } from '../../src/rl/config.ts';
import { type TrainRunOptions, trainRun } from '../../src/rl/run.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { withOpening } from './opening.ts';
import type { Said } from './tally.ts';

/** What a process is told to be. */
export type Part =
  | { readonly kind: 'alone'; readonly dir: string; readonly config: TrainConfig; readonly adapter?: string }
  | {
      readonly kind: 'coordinator';
      readonly dir: string;
      readonly config: TrainConfig;
      readonly adapter?: string;
      readonly address: string;
    }
  | {
      readonly kind: 'worker';
      readonly id: string;
      readonly adapter?: string;
      readonly address: string;
      /** Seconds that each piece takes longer than it would. */
      readonly pad: number;
    };

/** The name of the run on the server. */
const run = 'measured';

await play(JSON.parse(process.argv[2]!) as Part);
process.disconnect();

async function play(part: Part): Promise<void> {
  const engine = new Engine(await openDevice(part.adapter));
  try {
    if (part.kind === 'worker') await workAs(engine, part);
    else if (part.kind === 'alone') await train(engine, part, {});
    else await coordinate(engine, part);
  } finally {
    engine.gpu.destroy();
  }
}

async function coordinate(engine: Engine, part: Extract<Part, { readonly kind: 'coordinator' }>): Promise<void> {
  const connection = await connectToServer(part.address, 'measured coordinator');
  const options: CoordinatorOptions = {
    ...{ run, version: packageVersion, host: hostname(), pid: process.pid },
    onNotice: (text) => process.stderr.write(`${text}\n`),
    onPiece: (timing) => say({ kind: 'piece', ...timing }),
  };
  const coordinator = await Coordinator.open(connection, options);
  try {
    await train(engine, part, { actors: (trainer) => coordinator.actorsFor(trainer) }, () => connection.stats());
  } finally {
    await coordinator.close();
  }
}

/** @param traffic bytes so far of the connection to the server */
async function train(
  engine: Engine,
  { dir, config }: Extract<Part, { readonly kind: 'alone' | 'coordinator' }>,
  options: Partial<TrainRunOptions>,
  traffic: () => { readonly inBytes: number; readonly outBytes: number } = () => ({ inBytes: 0, outBytes: 0 }),
): Promise<void> {
  const phases: Record<string, number> = {};
  let [phase, before] = ['', cpuSeconds()];
  await trainRun(engine, {
    ...{ dir, config },
    ...options,
    onEvent: (event) => {
      if (event.kind === 'progress' && event.progress.phase !== phase) {
        const now = cpuSeconds();
        phases[phase] = (phases[phase] ?? 0) + now - before;
        [phase, before] = [event.progress.phase, now];
      }
      if (event.kind !== 'iteration') return;
      const { inBytes, outBytes } = traffic();
      const { seconds } = event.metrics;
      say({
        kind: 'iteration',
        at: clockSeconds(),
        cpu: cpuSeconds(),
        phases: { ...phases },
        seconds,
        inBytes,
        outBytes,
      });
    },
  });
}

async function workAs(engine: Engine, { address, id, pad }: Extract<Part, { readonly kind: 'worker' }>): Promise<void> {
  const connection = await connectToServer(address, id);
  const open = openTaskSetWith({});
  try {
    await work(connection, engine, {
      ...{ id, name: id, version: packageVersion, run, signal: new AbortController().signal },
      environments: environmentsWith({}),
      openTaskSet: async (environment) => padded(await open(environment), pad),
      onEvent: (event) => {
        if (event.kind === 'piece') say({ kind: 'did', worker: id, cpu: cpuSeconds(), seconds: event.seconds });
      },
    });
  } finally {
    await connection.close();
  }
}

/** A task set whose worlds take so long to open. Those of a batch open together, so a batch takes that much longer. */
function padded(taskSet: TaskSet, seconds: number): TaskSet {
  return seconds === 0 ? taskSet : withOpening(taskSet, () => pause(1000 * seconds));
}

function say(said: Said): void {
  process.send!(said);
}

/** Of this process, so far. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function clockSeconds(): number {
  return performance.now() / 1000;
}
