/** A fleet in this process: a small household run, its coordinator, and workers with devices of their own. */

import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { connectToServer } from '../../src/fleet/connect.node.ts';
import { Coordinator, type CoordinatorOptions } from '../../src/fleet/coordinator.ts';
import { type WorkerEvent, type WorkerOptions, work } from '../../src/fleet/worker.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { presets } from '../../src/rl/presets.ts';
import { type TrainRunOptions, trainRun } from '../../src/rl/run.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters } from './adapters.ts';
import type { NatsServer } from './natsServer.ts';
import { tinyConfig } from './tinyRun.ts';

export const version = '1';

/** The household preset, with as little of everything as still learns something. */
export function fleetConfig(
  settings: { readonly iterations?: number; readonly gradients?: boolean } = {},
): TrainConfig {
  const { iterations = 2, gradients = false } = settings;
  const { small } = presets;
  return trainConfigSchema.parse({
    ...small,
    policy: { ...small.policy, dModel: 16, heads: 2, kvHeads: 1, dFf: 16, layers: 1 },
    warmStart: { ...small.warmStart, tasks: 24, epochs: 1 },
    training: { ...small.training, iterations, tasks: 4, groupSize: 4, pool: 16, groupsAtOnce: 1, miniBatches: 2 },
    evaluation: { ...small.evaluation, tasks: 8 },
    checkpoints: { every: 1, keep: 9 },
    optimiser: { microBatchTokens: 512 },
    fleet: { gradients, gradientAudit: 1, differences: gradients },
  });
}

/** On a device of its own, as if it were in a process of its own. */
async function ownEngine(): Promise<Engine> {
  return new Engine(await openDevice(testAdapters.at(-1)!));
}

/** Trains without a fleet. */
export async function trainAlone(dir: string, config: TrainConfig): Promise<void> {
  const engine = await ownEngine();
  await trainRun(engine, { dir, config, version }).finally(() => engine.gpu.destroy());
}

/** The smallest run there is, with episodes of one step, for what happens around pieces. */
export function tinyFleetConfig(world: string, iterations = 3): TrainConfig {
  return tinyConfig(world, {
    training: { iterations, pool: 4, tasks: 4, groupSize: 2, groupsAtOnce: 1 },
    evaluation: { tasks: 4 },
    checkpoints: { every: 1, keep: 9 },
    environment: { onFailure: 'stop', maxAttempts: 1 },
  });
}

export interface FleetTraining extends Partial<Pick<TrainRunOptions, 'resume' | 'signal' | 'onEvent'>> {
  readonly run?: string;
  readonly version?: string;
  readonly onNotice?: (text: string) => void;
  readonly base?: CoordinatorOptions['base'];
}

/** Trains through a server, as the coordinator. */
export async function trainWithFleet(
  server: NatsServer,
  dir: string,
  config: TrainConfig,
  options: FleetTraining = {},
) {
  const { run = 'test', version: own = version, onNotice = () => {}, base, ...rest } = options;
  const connection = await connectToServer(server.address, 'test');
  const coordinator = await Coordinator.open(connection, {
    run,
    version: own,
    host: 'here',
    pid: process.pid,
    replicas: config.fleet.replicas,
    onNotice,
    base,
  });
  const engine = await ownEngine();
  try {
    const actors = coordinator.actorsFor.bind(coordinator);
    const summary = await trainRun(engine, { dir, config, version: own, actors, ...rest });
    return { summary, workers: coordinator.summary };
  } finally {
    await coordinator.close();
    engine.gpu.destroy();
  }
}

export interface TestWorker {
  readonly events: WorkerEvent[];
  /** What it did, or why it ended. */
  readonly done: ReturnType<typeof work>;
  stop(): void;
}

/** Starts a worker. @param changes to how it works */
export async function startWorker(
  server: NatsServer,
  id: string,
  changes: Partial<WorkerOptions> = {},
): Promise<TestWorker> {
  const connection = await connectToServer(server.address, id);
  const engine = await ownEngine();
  const stop = new AbortController();
  const events: WorkerEvent[] = [];
  const done = work(connection, engine, {
    id,
    name: id,
    version,
    run: 'test',
    environments: ['household'],
    openTaskSet: ({ name, options }) => createNamedTaskSet(name, options),
    signal: stop.signal,
    onEvent: (event) => events.push(event),
    ...changes,
  }).finally(async () => {
    await connection.close();
    engine.gpu.destroy();
  });
  // Whoever looks at it gets the error.
  done.catch(() => undefined);
  return { events, done, stop: () => stop.abort() };
}
