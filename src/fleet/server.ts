/**
 * What a run has on a NATS server, and how messages get there and back. It is the same under Node and in browsers:
 * whoever uses it brings the connection.
 */
import {
  AckPolicy,
  type ConsumerConfig,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  RetentionPolicy,
  type StreamConfig,
} from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { type ObjectStore, Objm } from '@nats-io/obj';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { sha256 } from '../base/sha256.ts';
import { packed, packedDifference, unpacked, unpackedDifference } from './codec.ts';
import { directoryBucket, elsewhereSchema, namesOf, presenceBucket, presenceSeconds } from './protocol.ts';

/** A piece whose worker has not told for so long that it is at it goes to another one. */
export const silenceSeconds = 30;
/** A message is this much larger on the wire than what it holds: its subject and headers. */
const envelopeBytes = 4096;
/** Bytes of a part of an object. Each waits for the server's word, so that small ones take long where that is far. */
const largestChunk = 2 ** 20;
/** What NATS says of a stream that is there with another configuration. */
const otherConfiguration = 10058;
const nanosecondsOf = (seconds: number) => 1e9 * seconds;

/** The run's own names on the server. */
export type FleetNames = ReturnType<typeof namesOf>;

/** Weights by their hash. */
export interface Weights {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly hash: string;
}

/** What all runs share on a server: what they are, and who is there. */
export interface Directory {
  readonly runs: KV;
  readonly present: KV;
}

/**
 * Makes it where it is missing.
 * @param replicas servers of a cluster that each keep it
 * @throws {Error} if the server is away, or keeps nothing
 */
export async function createDirectory(nc: NatsConnection, replicas = 1): Promise<Directory> {
  const js = jetstream(nc);
  const kvm = new Kvm(js);
  const common = { history: 1, replicas };
  const directory = {
    runs: await kvm.create(directoryBucket, common),
    present: await kvm.create(presenceBucket, { ...common, ttl: 1000 * presenceSeconds }),
  };
  const manager = await js.jetstreamManager(false);
  // Other runs may need as many as there are.
  for (const bucket of [directoryBucket, presenceBucket])
    await replicate(manager, `KV_${bucket}`, (count) => Math.max(count, replicas));
  return directory;
}

/** Has so many servers of a cluster keep a stream, which an earlier coordinator may have made with other settings. */
async function replicate(
  { streams }: JetStreamManager,
  stream: string,
  countFrom: (count: number) => number,
): Promise<void> {
  const { config } = await streams.info(stream);
  const count = countFrom(config.num_replicas);
  if (count !== config.num_replicas) await streams.update(stream, { num_replicas: count });
}

/** What to say where a server does not do what a fleet needs. */
export function cannotKeep(nc: NatsConnection, replicas: number, cause: unknown): ProxmoError {
  const [server, why] = [nc.getServer(), errorMessage(cause)];
  const text =
    replicas > 1
      ? `The NATS server ${server} cannot keep anything (${why}); fleet.replicas is ${replicas}, so it must be one of a cluster of as many servers with JetStream.`
      : `The NATS server ${server} cannot keep anything (${why}); start it with JetStream, as nats-server --jetstream --store_dir DIR, and let this user write to it.`;
  return new ProxmoError('fleet', text, { cause });
}

/** The same for those who only read and tell of themselves. */
export async function openDirectory(nc: NatsConnection): Promise<Directory> {
  const kvm = new Kvm(jetstream(nc));
  // A key that is asked for directly stands in the request's subject, so that permissions can tell runs apart.
  const how = { allow_direct: true };
  return { runs: await kvm.open(directoryBucket, how), present: await kvm.open(presenceBucket, how) };
}

/** Where a message was put. */
export interface Published {
  /** Its number in the stream. */
  readonly sequence: number;
  /** Its name in the store of large messages; null if it stands in the stream. */
  readonly elsewhere: string | null;
}

/** A message, and its name in the store of large messages; null if it stood in the stream. */
export interface ReadMessage {
  readonly message: unknown;
  readonly elsewhere: string | null;
}

/** A run's streams and stores. */
export class RunStore {
  readonly names: FleetNames;
  private readonly js: JetStreamClient;
  private manager: Promise<JetStreamManager> | undefined;
  private readonly stores = new Map<string, Promise<ObjectStore>>();

  constructor(
    private readonly nc: NatsConnection,
    run: string,
  ) {
    this.names = namesOf(run);
    this.js = jetstream(nc);
  }

  /** Makes what is missing. What is there stays. @param replicas servers of a cluster that each keep it */
  async create(replicas = 1): Promise<void> {
    const { work, workSubject, workers, answers, answerSubjects } = this.names;
    await this.addStream({ name: work, subjects: [workSubject], num_replicas: replicas });
    await this.addStream({ name: answers, subjects: [answerSubjects], num_replicas: replicas });
    await this.addConsumer(work, { durable_name: workers, ack_wait: nanosecondsOf(silenceSeconds) });
    await this.addConsumer(answers, { durable_name: 'coordinator' });
    this.stores.clear();
    const stores = [this.names.policy, this.names.large];
    for (const store of stores) await new Objm(this.js).create(store, { replicas });
    for (const stream of [work, answers, ...stores.map((store) => `OBJ_${store}`)])
      await replicate(await this.jsm(), stream, () => replicas);
  }

  /** Forgets pieces and answers of an earlier coordinator. */
  async clear(): Promise<void> {
    const { streams } = await this.jsm();
    await streams.purge(this.names.work);
    await streams.purge(this.names.answers);
  }

  /** Removes all of it from the server. */
  async remove(): Promise<void> {
    const { streams } = await this.jsm();
    for (const stream of [this.names.work, this.names.answers]) await streams.delete(stream).catch(ignored);
    for (const store of [this.names.policy, this.names.large]) await (await this.store(store)).destroy().catch(ignored);
  }

  /**
   * Puts a message into a stream; once, however often it is put there within two minutes.
   * @param id what names it
   */
  async publish(subject: string, id: string, message: unknown): Promise<Published> {
    const bytes = await packed(message);
    const elsewhere = bytes.length > this.largestMessage ? await this.putElsewhere(bytes) : null;
    const payload = elsewhere === null ? bytes : await packed({ elsewhere });
    const { seq } = await this.js.publish(subject, payload, { msgID: id, timeout: 10_000 });
    return { sequence: seq, elsewhere };
  }

  /** The message that a payload is, or that it says lies elsewhere. @throws {ProxmoError} `data` if it is damaged */
  async read(payload: Uint8Array): Promise<ReadMessage> {
    const message = await unpacked(payload);
    const reference = elsewhereSchema.safeParse(message);
    if (!reference.success) return { message, elsewhere: null };
    const { elsewhere } = reference.data;
    const bytes = await (await this.store(this.names.large)).getBlob(elsewhere);
    if (!bytes) throw new ProxmoError('data', 'A large message is not on the server any more.');
    return { message: await unpacked(bytes), elsewhere };
  }

  /** Takes a large message off the server that nobody needs any more. */
  async forget(elsewhere: string): Promise<void> {
    await (await this.store(this.names.large)).delete(elsewhere).catch(ignored);
  }

  /** How many pieces wait, or are with a worker. @throws {Error} if the server is away */
  async queued(): Promise<number> {
    const { consumers } = await this.jsm();
    const { num_pending: waiting, num_ack_pending: out } = await consumers.info(this.names.work, this.names.workers);
    return waiting + out;
  }

  /** Number of the last piece that was put into the stream. @throws {Error} if the server is away */
  async lastSequence(): Promise<number> {
    return (await (await this.jsm()).streams.info(this.names.work)).state.last_seq;
  }

  /** Takes a message out of a stream, wherever it is. One that is gone already is no problem. */
  async drop(stream: string, sequence: number): Promise<void> {
    await (await this.jsm()).streams.deleteMessage(stream, sequence, false).catch(ignored);
  }

  /**
   * The consumer of a stream, for pulling one message after another.
   * @throws {Error} if there is none
   */
  consumer(stream: string, name: string) {
    return this.js.consumers.get(stream, name);
  }

  /**
   * Keeps weights by their hash.
   * @param before those that workers may have already; where it is set, what changed since is kept too
   */
  async putWeights({ bytes, hash }: Weights, before: Weights | null): Promise<void> {
    const store = await this.store(this.names.policy);
    await store.putBlob(this.meta(hash), bytes);
    if (before?.bytes.length !== bytes.length) return;
    const name = this.names.changeOf(hash, before.hash);
    await store.putBlob(this.meta(name), await packedDifference(bytes, before.bytes));
  }

  /**
   * Takes weights off the server.
   * @param isOld whether those of a hash are to go; asked right before they do
   * @throws {Error} if the server is away
   */
  async dropWeights(isOld: (hash: string) => boolean): Promise<void> {
    const store = await this.store(this.names.policy);
    for (const { name } of await store.list()) if (isOld(this.names.hashOf(name))) await store.delete(name);
  }

  /**
   * Weights by their hash; null if they are not there any more, or are not those.
   * @param before those that this worker has already; where it is set, what changed since is asked for first
   */
  async getWeights(hash: string, before: Weights | null): Promise<Uint8Array<ArrayBuffer> | null> {
    const store = await this.store(this.names.policy);
    const change = before && (await store.getBlob(this.names.changeOf(hash, before.hash)));
    const changed = change && (await unpackedDifference(change, before.bytes).catch(() => null));
    if (changed && (await sha256(changed)) === hash) return changed;
    const bytes = await store.getBlob(hash);
    if (!bytes) return null;
    const own = Uint8Array.from(bytes);
    return (await sha256(own)) === hash ? own : null;
  }

  private get largestMessage(): number {
    return (this.nc.info?.max_payload ?? 2 ** 20) - envelopeBytes;
  }

  /** Objects go in parts that the server takes. */
  private meta(name: string) {
    return { name, options: { max_chunk_size: Math.min(largestChunk, this.largestMessage) } };
  }

  private async putElsewhere(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const name = await sha256(bytes);
    await (await this.store(this.names.large)).putBlob(this.meta(name), bytes);
    return name;
  }

  private jsm(): Promise<JetStreamManager> {
    return (this.manager ??= this.js.jetstreamManager(false));
  }

  private store(name: string): Promise<ObjectStore> {
    let opened = this.stores.get(name);
    if (!opened) {
      this.stores.set(name, (opened = new Objm(this.js).open(name)));
      // What could not be opened while the server was away can be later.
      opened.catch(() => this.stores.delete(name));
    }
    return opened;
  }

  private async addStream(config: Pick<StreamConfig, 'name' | 'subjects' | 'num_replicas'>): Promise<void> {
    const { streams } = await this.jsm();
    try {
      await streams.add({ ...config, retention: RetentionPolicy.Workqueue });
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.code === otherConfiguration)) throw error;
    }
  }

  private async addConsumer(stream: string, config: Partial<ConsumerConfig>): Promise<void> {
    const { consumers } = await this.jsm();
    await consumers.add(stream, { ...config, ack_policy: AckPolicy.Explicit, max_ack_pending: -1 });
  }
}

function ignored(): void {}
