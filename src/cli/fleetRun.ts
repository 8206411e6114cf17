/**
 * `proxmo train --fleet`: the run's coordinator. All of NATS is loaded here and in `worker.ts`, and only when it is
 * asked for.
 */

import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { ProxmoError } from '../base/errors.ts';
import type { Coordinator } from '../fleet/coordinator.ts';
import { checkedRunName, runNameOf } from '../fleet/protocol.ts';
import type { TrainConfig } from '../rl/config.ts';
import { logToRun } from '../runs/run.ts';

export interface FleetOptions {
  readonly fleet?: string;
  readonly fleetRun?: string;
}

/** Pieces of an iteration, about, that a new run is cut into for its fleet. */
const usualPieces = 8;

/** The settings of a new run, cut into pieces where a fleet is to play them. */
export function withPieces(config: TrainConfig, { fleet }: FleetOptions): TrainConfig {
  const { training } = config;
  if (fleet === undefined || training.groupsAtOnce !== null) return config;
  return { ...config, training: { ...training, groupsAtOnce: Math.ceil(training.tasks / usualPieces) } };
}

/** Coordinates a run while it is trained. */
export class FleetRun {
  private constructor(
    readonly coordinator: Coordinator,
    private readonly note: (text: string) => void,
  ) {}

  /**
   * @param dir the run's folder
   * @param tell shows a sentence
   * @returns null where no fleet is asked for
   * @throws {ProxmoError} `usage`; `fleet` if there is no server, or another process coordinates the run
   */
  static async open(
    { fleet, fleetRun }: FleetOptions,
    dir: string,
    version: string,
    tell: (text: string) => void,
  ): Promise<FleetRun | null> {
    if (fleet === undefined) {
      if (fleetRun !== undefined)
        throw new ProxmoError(
          'usage',
          '--fleet-run names a run for its fleet; give the address of its server too, as --fleet nats://HOST:4222.',
        );
      return null;
    }
    const run = checkedRunName(fleetRun ?? runNameOf(dir));
    const note = (text: string) => {
      tell(text);
      if (existsSync(dir)) logToRun(dir, text);
    };
    const [{ connectToServer }, { Coordinator }] = await Promise.all([
      import('../fleet/connect.node.ts'),
      import('../fleet/coordinator.ts'),
    ]);
    const connection = await connectToServer(fleet, `proxmo train ${run}`);
    try {
      const options = { run, version, host: hostname(), pid: process.pid, onNotice: note };
      return new FleetRun(await Coordinator.open(connection, options), note);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Says who did what, and ends the run for its workers. */
  async close(): Promise<void> {
    for (const line of this.coordinator.summary) this.note(line);
    await this.coordinator.close();
  }
}
