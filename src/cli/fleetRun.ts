/**
 * `proxmo train --fleet`: the run's coordinator. All of NATS is loaded here and in `worker.ts`, and only when it is
 * asked for.
 */

import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { ProxmoError } from '../base/errors.ts';
import type { Coordinator, CoordinatorOptions } from '../fleet/coordinator.ts';
import { playableNames } from '../fleet/environment.node.ts';
import { checkedRunName, runNameOf } from '../fleet/protocol.ts';
import type { TrainConfig } from '../rl/config.ts';
import { logToRun } from '../runs/run.ts';
import { LocalServer, LocalWorkers } from './localFleet.ts';

export interface FleetOptions {
  readonly fleet?: string;
  readonly fleetRun?: string;
  /** Workers to start on this machine. */
  readonly workers?: number;
  readonly adapter?: string;
}

/** The run that is coordinated. */
export interface CoordinatedRun {
  readonly dir: string;
  readonly version: string;
  readonly config: TrainConfig;
}

/** Pieces of an iteration, about, that a new run is cut into for its fleet. */
const usualPieces = 8;

/** The settings of a new run, cut into pieces where a fleet is to play them. */
export function withPieces(
  config: TrainConfig,
  { fleet, workers }: { readonly fleet?: string | undefined; readonly workers?: number | undefined },
): TrainConfig {
  const { training } = config;
  if ((fleet === undefined && workers === undefined) || training.groupsAtOnce !== null) return config;
  return { ...config, training: { ...training, groupsAtOnce: Math.ceil(training.tasks / usualPieces) } };
}

/** Coordinates a run while it is trained. */
export class FleetRun {
  private constructor(
    readonly coordinator: Coordinator,
    private readonly own: { readonly server: LocalServer | null; readonly workers: LocalWorkers | null },
    private readonly note: (text: string) => void,
  ) {}

  /**
   * @param program the command line's own file, which workers are started from
   * @param tell shows a sentence
   * @returns null where no fleet is asked for
   * @throws {ProxmoError} `usage`; `fleet` if there is no server, or another process coordinates the run
   */
  static async open(
    options: FleetOptions,
    { dir, version, config }: CoordinatedRun,
    program: string,
    tell: (text: string) => void,
  ): Promise<FleetRun | null> {
    const { fleet, fleetRun, workers: count, adapter } = options;
    if (fleet === undefined && count === undefined) {
      if (fleetRun === undefined) return null;
      throw new ProxmoError(
        'usage',
        '--fleet-run names a run for its fleet; give the address of its server too, as --fleet nats://HOST:4222.',
      );
    }
    checkPlayable(config);
    const run = checkedRunName(fleetRun ?? runNameOf(dir));
    const note = (text: string) => {
      tell(text);
      if (existsSync(dir)) logToRun(dir, text);
    };
    const server = fleet === undefined ? await LocalServer.start() : null;
    const address = fleet ?? server!.address;
    const { model } = config;
    const { data } = config.environment.options;
    try {
      const coordinator = await openCoordinator(address, {
        run,
        version,
        host: hostname(),
        pid: process.pid,
        replicas: config.fleet.replicas,
        onNotice: note,
        base: model === undefined ? undefined : () => baseOf(model),
      });
      const workerOptions = [
        ...[address, '--run', run],
        ...(adapter === undefined ? [] : ['--adapter', adapter]),
        ...(typeof data === 'string' ? ['--data', data] : []),
        ...(model === undefined ? [] : ['--model', model]),
      ];
      const workers = count === undefined ? null : new LocalWorkers(program, count, workerOptions, note);
      return new FleetRun(coordinator, { server, workers }, note);
    } catch (error) {
      await server?.end();
      throw error;
    }
  }

  /** Says who did what, and ends the run for its workers. */
  async close(): Promise<void> {
    for (const line of this.coordinator.summary) this.note(line);
    await this.coordinator.close();
    await this.own.workers?.end();
    await this.own.server?.end();
  }
}

/** @throws {ProxmoError} `config` if no worker would play the run's environment */
function checkPlayable({ environment: { name } }: TrainConfig): void {
  if (playableNames.includes(name)) return;
  throw new ProxmoError(
    'config',
    `Workers of a fleet play ${playableNames.join(', ')}, which start nothing on their machines, but the run plays ${name}; train it without --fleet and --workers.`,
  );
}

/** A pretrained model, as workers know whether they have it. */
async function baseOf(model: string): Promise<{ readonly name: string; readonly sha256: string }> {
  const { digestOfModel } = await import('../models/pretrained.node.ts');
  return { name: basename(model), sha256: await digestOfModel(model) };
}

async function openCoordinator(address: string, options: CoordinatorOptions): Promise<Coordinator> {
  const [{ connectToServer }, { Coordinator }] = await Promise.all([
    import('../fleet/connect.node.ts'),
    import('../fleet/coordinator.ts'),
  ]);
  const connection = await connectToServer(address, `proxmo train ${options.run}`);
  try {
    return await Coordinator.open(connection, options);
  } catch (error) {
    await connection.close();
    throw error;
  }
}
