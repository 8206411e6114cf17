/** The runs that a worker finds on a server, and which of them it can work for. */
import type { NatsConnection } from '@nats-io/nats-core';
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { pause } from './pause.ts';
import { checkedMessage, checkVersion, openSchema, type RunDescription, runSchema, senderSchema } from './protocol.ts';
import { type Directory, openDirectory } from './server.ts';
import { keysOf } from './status.ts';

/** Milliseconds between looks for a run. */
const lookMs = 1000;
/** What a run's settings say of its environment. */
const playsSchema = z.looseObject({ environment: z.looseObject({ name: z.string() }) });

export interface FoundRun {
  readonly run: string;
  readonly description: RunDescription;
}

export class OpenRuns {
  private directory: Promise<Directory> | null = null;
  /** Which life of the coordinator of which run is left aside. */
  private readonly aside = new Map<string, string>();

  constructor(
    private readonly nc: NatsConnection,
    private readonly options: {
      readonly version: string;
      /** Names of those that the worker has the data of. */
      readonly environments: readonly string[];
      /** Told in a sentence why a run is not worked for. */
      readonly onAside: (text: string) => void;
    },
  ) {}

  /**
   * Waits for a run.
   * @param wanted its name; null for any that can be worked for here
   * @param onWait called once, if it is not there yet
   * @returns null if the signal fires first
   * @throws {ProxmoError} `fleet` if the one that is wanted is another version's
   */
  async find(wanted: string | null, signal: AbortSignal, onWait: () => void): Promise<FoundRun | null> {
    for (let isTold = false; !signal.aborted; isTold = true) {
      const open = await (wanted === null ? this.any() : this.open(wanted)).catch((error: unknown) => {
        if (error instanceof ProxmoError) throw error;
        // The server is away, or has no runs yet.
        return null;
      });
      if (open) return open;
      if (!isTold) onWait();
      await pause(lookMs, signal);
    }
    return null;
  }

  /** Does not find this life of a run's coordinator again, and says why, once. */
  leaveAside(run: string, session: string, why: string): void {
    if (this.aside.get(run) === session) return;
    this.aside.set(run, session);
    this.options.onAside(`${run} is left aside: ${why}`);
  }

  /** How a run is described; null if it is not. @throws {ProxmoError} `fleet` if it is open, and another version's */
  async described(run: string): Promise<RunDescription | null> {
    return this.withDirectory(async ({ runs }) => {
      const entry = await runs.get(run);
      if (entry?.operation !== 'PUT') return null;
      const what = `The description of ${run}`;
      const value = entry.json();
      // A run that has ended may be of any version.
      if (!checkedMessage(openSchema, value, what).isOpen) return runSchema.safeParse(value).data ?? null;
      checkVersion(this.options.version, checkedMessage(senderSchema, value, what), `The coordinator of ${run}`);
      return checkedMessage(runSchema, value, what);
    });
  }

  /** Uses the server's buckets, which are opened anew after anything failed: it may have lost them. */
  async withDirectory<T>(use: (directory: Directory) => Promise<T>): Promise<T> {
    try {
      return await use(await (this.directory ??= openDirectory(this.nc)));
    } catch (error) {
      this.directory = null;
      throw error;
    }
  }

  private async open(run: string): Promise<FoundRun | null> {
    const description = await this.described(run);
    return description?.isOpen ? { run, description } : null;
  }

  private async any(): Promise<FoundRun | null> {
    for (const run of (await this.withDirectory(({ runs }) => keysOf(runs))).sort()) {
      const found = await this.playable(run);
      if (found) return found;
    }
    return null;
  }

  /** A run that is open, and that nothing known speaks against. */
  private async playable(run: string): Promise<FoundRun | null> {
    try {
      const found = await this.open(run);
      if (!found || this.aside.get(run) === found.description.session) return null;
      const { data: played } = playsSchema.safeParse(found.description.config);
      const { environments } = this.options;
      // Settings that say nothing of it are refused where they are checked.
      if (!played || environments.includes(played.environment.name)) return found;
      const why = `it plays ${played.environment.name}, and this worker ${environments.join(', ')}.`;
      this.leaveAside(run, found.description.session, why);
    } catch (error) {
      if (!(error instanceof ProxmoError)) throw error;
      // Another version's says no session that could be read.
      this.leaveAside(run, '', error.message);
    }
    return null;
  }
}
