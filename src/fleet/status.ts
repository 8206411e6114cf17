/** Who coordinates which runs on a server, and who works for them. */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { type Claim, claimSchema, namesOf, type Presence, presenceSchema, runSchema } from './protocol.ts';
import { openDirectory } from './server.ts';

export interface RunStatus {
  readonly run: string;
  readonly version: string;
  /** Null where none is there, since it died or its server lost it. */
  readonly coordinator: Claim | null;
  readonly workers: readonly Presence[];
}

/** The runs that are open. @throws {ProxmoError} `fleet` if the server does not tell */
export async function fleetStatus(nc: NatsConnection): Promise<RunStatus[]> {
  try {
    return await openRunsOf(nc);
  } catch (cause) {
    throw new ProxmoError(
      'fleet',
      `The NATS server ${nc.getServer()} does not tell of its runs (${errorMessage(cause)}); see that it is there with JetStream, and that this user may read them.`,
      { cause },
    );
  }
}

async function openRunsOf(nc: NatsConnection): Promise<RunStatus[]> {
  const { runs, present } = await openDirectory(nc);
  const open: RunStatus[] = [];
  // A server that no run was on has no buckets.
  const names = await keysOf(runs).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return [];
    throw error;
  });
  for (const run of names.sort()) {
    const description = runSchema.safeParse(await entryOf(runs, run));
    if (!description.success || !description.data.isOpen) continue;
    const { coordinatorKey, workerKeys } = namesOf(run);
    const claim = claimSchema.safeParse(await entryOf(present, coordinatorKey));
    const workers = await Promise.all(
      (await keysOf(present, workerKeys)).map(async (key) => presenceSchema.safeParse(await entryOf(present, key))),
    );
    open.push({
      run,
      version: description.data.version,
      coordinator: claim.data ?? null,
      workers: workers.flatMap(({ data }) => data ?? []),
    });
  }
  return open;
}

/** Keys of a bucket. @throws {Error} if it is not there, or the server is away */
export async function keysOf(bucket: KV, filter?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of await bucket.keys(filter)) keys.push(key);
  return keys;
}

async function entryOf(bucket: KV, key: string): Promise<unknown> {
  const entry = await bucket.get(key);
  return entry?.operation === 'PUT' ? entry.json() : null;
}
