/** What a run has on the server besides pieces and answers, kept here too: the server may lose all of it. */
import type { NatsConnection } from '@nats-io/nats-core';
import { sha256 } from '../base/sha256.ts';
import { presenceSchema, type RunDescription } from './protocol.ts';
import { createDirectory, type Directory, RunStore, type Weights } from './server.ts';
import { keysOf } from './status.ts';

export class PublishedRun {
  readonly store: RunStore;
  private known: RunDescription | null = null;
  private newest: Weights | null = null;
  private previous: Weights | null = null;
  /** Of weights that are on the server; emptied when it may have lost them. */
  private readonly there = new Set<string>();

  private constructor(
    private readonly nc: NatsConnection,
    run: string,
    private readonly replicas: number,
    private current: Directory,
  ) {
    this.store = new RunStore(nc, run);
  }

  /**
   * @param replicas servers of a cluster that each keep it
   * @throws {Error} if the server is away, or keeps nothing
   */
  static async open(nc: NatsConnection, run: string, replicas: number): Promise<PublishedRun> {
    return new PublishedRun(nc, run, replicas, await createDirectory(nc, replicas));
  }

  /** Makes its streams and stores where they are missing. */
  create(): Promise<void> {
    return this.store.create(this.replicas);
  }

  get directory(): Directory {
    return this.current;
  }

  /** Null before the run is described. */
  get description(): RunDescription | null {
    return this.known;
  }

  /** Hash of the weights that workers are to play with; null before there are any. */
  get weights(): string | null {
    return this.newest?.hash ?? null;
  }

  async describe(description: RunDescription): Promise<void> {
    this.known = description;
    await this.current.runs.put(this.store.names.runKey, JSON.stringify(description));
  }

  /**
   * @param withChange whether workers are to get what changed since those before
   * @returns their hash, by which workers ask for them
   */
  async putWeights(bytes: Uint8Array<ArrayBuffer>, withChange: boolean): Promise<string> {
    const hash = await sha256(bytes);
    if (this.newest && hash !== this.newest.hash) this.previous = this.newest;
    this.newest = { bytes, hash };
    if (this.there.has(hash)) return hash;
    await this.store.putWeights(this.newest, withChange ? this.previous : null);
    this.there.add(hash);
    // Nobody waits until old ones are gone; what stays goes with the next ones.
    void this.store.dropWeights((other) => this.forgetsWeights(other)).catch(() => undefined);
    return hash;
  }

  /** Whether weights are neither the newest nor those before, and so are not to be taken to be there from here on. */
  private forgetsWeights(hash: string): boolean {
    if (hash === this.newest?.hash || hash === this.previous?.hash) return false;
    this.there.delete(hash);
    return true;
  }

  /** Makes what runs share, after the server may have lost it. @throws {Error} if it is away, or keeps nothing */
  async reopen(): Promise<void> {
    this.current = await createDirectory(this.nc, this.replicas);
  }

  /** Makes everything as it should be, after the server may have lost it. */
  async restore(): Promise<void> {
    await this.reopen();
    await this.create();
    this.there.clear();
    // Whole: workers may have come and gone.
    if (this.newest) await this.putWeights(this.newest.bytes, false);
    if (this.known) await this.describe(this.known);
  }

  /** The workers that are there. @throws {Error} if the server is away */
  async workers(): Promise<ReadonlySet<string>> {
    const { names } = this.store;
    const prefix = names.workerKey('');
    const keys = await keysOf(this.current.present, names.workerKeys);
    return new Set(keys.map((key) => key.slice(prefix.length)));
  }

  /** What a worker says that it computes on; null where it does not. @throws {Error} if the server is away */
  async adapterOf(worker: string): Promise<string | null> {
    const entry = await this.current.present.get(this.store.names.workerKey(worker));
    return entry?.operation === 'PUT' ? (presenceSchema.safeParse(entry.json()).data?.adapter ?? null) : null;
  }

  /** Ends the run for its workers, and takes what it had off the server. */
  async end(): Promise<void> {
    if (this.known) await this.describe({ ...this.known, isOpen: false });
    await this.store.remove();
  }
}
