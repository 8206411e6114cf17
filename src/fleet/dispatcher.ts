/**
 * Gets pieces to workers and answers back, whatever the pieces are: gives again what is late or was answered badly,
 * shuts out whose answers are not sound, and brings the server back to what it was after it lost everything.
 */
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { ProxmoError } from '../base/errors.ts';
import { pause } from './pause.ts';
import {
  type Answer,
  answerSchema,
  checkedMessage,
  checkVersion,
  type Piece,
  type SoundResult,
  senderSchema,
  takenSchema,
  type Work,
} from './protocol.ts';
import type { PublishedRun } from './publishedRun.ts';
import { PieceTimes, Round } from './round.ts';
import type { Published } from './server.ts';
import { Standing } from './standing.ts';

/** Milliseconds before what failed at the server is tried again. */
const retryMs = 1000;
/** Milliseconds without a success after which it is said that the server takes nothing. */
const tellAfterMs = 5000;
/** Answers that are asked for at once, and how long the server waits for the first of them. */
const answersAtOnce = { max_messages: 64, expires: 2000 };
/** Looks in a row at which pieces must be gone before they are given again. */
const looksForLost = 2;

/** Pieces that are done together. */
export interface Job<Result> {
  /** For people, as `iteration 3`. */
  readonly name: string;
  /** Hash of the weights that they are done with. */
  readonly weights: string;
  readonly work: readonly Work[];
  /**
   * What an answer to a piece comes to.
   * @throws {ProxmoError} `data` if the answer is not sound
   */
  readonly read: (index: number, worker: string, result: SoundResult) => Promise<Result>;
  /** Told after each answer that counts which pieces are left. */
  readonly onAnswer?: (left: readonly number[]) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A job under way. */
interface Current {
  readonly number: number;
  readonly job: Job<unknown>;
  readonly round: Round<Piece, unknown>;
}

/** What an answer that counts took, in seconds. */
export interface PieceTiming {
  /** Of the job, as `iteration 3`. */
  readonly name: string;
  readonly index: number;
  readonly worker: string;
  /** That the worker was at it. */
  readonly computing: number;
  /** Besides, from its beginning until the answer counted; null where nothing was heard of its beginning. */
  readonly latency: number | null;
  /** Of these, that the coordinator looked at the answer. */
  readonly judging: number;
}

export interface DispatcherOptions {
  /** Names the life of this coordinator. */
  readonly session: string;
  readonly version: string;
  readonly onNotice: (text: string) => void;
  readonly onPiece?: ((timing: PieceTiming) => void) | undefined;
}

export class Dispatcher {
  private readonly times = { episodes: new PieceTimes(), gradient: new PieceTimes() };
  private readonly standing = new Standing();
  /** Workers that have said what they compute on. */
  private readonly known = new Set<string>();
  /** Where each piece of the job was put, as often as it was given. */
  private readonly given = new Map<number, Published[]>();
  /** Looks in a row at which fewer pieces were on the server than nobody has begun with. */
  private lookedForLost = 0;
  private current: Current | null = null;
  /** Jobs so far. */
  private jobs = 0;
  private isClosed = false;
  private fatal: unknown = null;

  constructor(
    private readonly nc: NatsConnection,
    private readonly published: PublishedRun,
    private readonly options: DispatcherOptions,
  ) {}

  /** Begins to read what workers say. */
  begin(): void {
    void this.listenToTaken();
    void this.readAnswers();
    void this.watchConnection();
  }

  close(): void {
    this.isClosed = true;
  }

  /** Ends whatever is under way, and is to come. */
  end(error: unknown): void {
    this.fatal ??= error;
    this.current?.round.end(error);
  }

  /** Who did how much, a line each. */
  get summary(): string[] {
    return this.standing.summary;
  }

  /** As `iteration 3: 5 of 8 pieces`. */
  get progress(): string {
    if (!this.current) return 'learning';
    const { job, round } = this.current;
    return `${job.name}: ${job.work.length - round.left.length} of ${job.work.length} pieces`;
  }

  /**
   * Has pieces done, one job after another.
   * @returns what came of them, in their order
   * @throws {ProxmoError} `interrupted`; `fleet` if a piece cannot be done
   */
  async run<Result>(job: Job<Result>): Promise<readonly Result[]> {
    if (this.fatal) throw this.fatal;
    const { store } = this.published;
    const { session } = this.options;
    const { name, weights, work, signal } = job;
    const number = this.jobs++;
    const pieces = work.map((each, index) => ({
      session,
      round: number,
      name,
      index,
      attempt: 0,
      weights,
      work: each,
    }));
    // All work of a job is of one kind.
    const round = new Round<Piece, Result>(pieces, this.times[work[0]?.kind ?? 'episodes']);
    const stop = () => round.end(new ProxmoError('interrupted', `${name} was interrupted.`));
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    this.current = { number, job, round };
    try {
      await Promise.all(pieces.map((piece) => this.give(piece)));
      return await round.results;
    } catch (error) {
      // Of a job that was done, nothing is left in the queue.
      await store.clear().catch(() => undefined);
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.current = null;
      for (const { elsewhere } of [...this.given.values()].flat()) if (elsewhere !== null) void store.forget(elsewhere);
      this.given.clear();
    }
  }

  /** Gives pieces again that take too long, or whose worker is gone. @throws {Error} if the server is away */
  async giveLateAgain(): Promise<void> {
    if (!this.current) return;
    const { round } = this.current;
    if (round.isAnyLate) {
      for (const piece of round.overdue(await this.published.workers())) {
        this.options.onNotice(`piece ${piece.index + 1} of ${piece.name} takes long and is given again`);
        await this.give(piece);
      }
    }
    await this.giveLostAgain(round);
  }

  /** Gives pieces again that nobody has begun with, and that the server has not either, whoever took them off it. */
  private async giveLostAgain(round: Round<Piece, unknown>): Promise<void> {
    const { store } = this.published;
    const isLost = round.waiting.length > 0 && (await store.queued()) === 0;
    this.lookedForLost = isLost ? this.lookedForLost + 1 : 0;
    if (this.lookedForLost < looksForLost) return;
    this.lookedForLost = 0;
    for (const piece of round.waiting) {
      this.options.onNotice(`piece ${piece.index + 1} of ${piece.name} is lost and is given again`);
      await this.give(round.repeated(piece.index));
    }
  }

  /** Does something at the server as soon as it can be done. @throws what is not the server's being away */
  async persist<T>(doIt: () => Promise<T>): Promise<T> {
    const since = performance.now();
    for (let isTold = false; ; ) {
      if (this.fatal) throw this.fatal;
      try {
        return await doIt();
      } catch (error) {
        const isOver = this.isClosed || this.current?.job.signal?.aborted || error instanceof ProxmoError;
        if (isOver) throw error;
        if (!isTold && performance.now() - since > tellAfterMs) {
          isTold = true;
          this.options.onNotice(`the NATS server takes nothing: ${(error as Error).message}; it is tried again`);
        }
        await pause(retryMs);
      }
    }
  }

  /** Puts a piece into the queue, when the server is there. */
  private async give(piece: Piece): Promise<void> {
    const { store } = this.published;
    const { session, round, index, attempt } = piece;
    const id = `${session}/${round}/${index}/${attempt}`;
    const published = await this.persist(() => store.publish(store.names.workSubject, id, piece));
    this.given.set(index, [...(this.given.get(index) ?? []), published]);
  }

  /** Workers say when they begin with a piece. Where that is lost, the server gives it again by itself. */
  private async listenToTaken(): Promise<void> {
    for await (const { data } of this.nc.subscribe(this.published.store.names.takenSubject)) {
      const taken = takenSchema.safeParse(parsed(data));
      if (!taken.success || taken.data.session !== this.options.session) continue;
      const { round, index, attempt, worker } = taken.data;
      if (this.current?.number === round) this.current.round.taken(index, attempt, worker);
    }
  }

  private async readAnswers(): Promise<void> {
    const { store } = this.published;
    while (!this.isClosed) {
      try {
        const consumer = await store.consumer(store.names.answers, 'coordinator');
        while (!this.isClosed) {
          for await (const message of await consumer.fetch(answersAtOnce)) await this.take(message);
        }
      } catch {
        if (this.isClosed) return;
        await pause(retryMs);
        await this.restore();
      }
    }
  }

  /** Looks at an answer. Whatever is wrong with it, it is not read again. */
  private async take(message: JsMsg): Promise<void> {
    const worker = message.subject.split('.').at(-1) ?? '';
    const { store } = this.published;
    try {
      const { message: value, elsewhere } = await store.read(message.data);
      if (elsewhere !== null) void store.forget(elsewhere);
      await this.judge(value, worker);
    } catch (error) {
      if (error instanceof ProxmoError && (error.code === 'data' || error.code === 'fleet'))
        this.options.onNotice(`an answer of ${worker} was dropped: ${error.message}`);
      else this.end(error);
    }
    message.ack();
  }

  private async judge(value: unknown, worker: string): Promise<void> {
    checkVersion(this.options.version, checkedMessage(senderSchema, value, 'An answer'), `Worker ${worker}`);
    const answer = checkedMessage(answerSchema, value, 'An answer');
    if (worker !== answer.worker) throw new ProxmoError('data', `It says that it is of ${answer.worker}.`);
    const { current } = this;
    const { round, index, attempt, session, weights } = answer;
    const isCurrent = session === this.options.session && current?.number === round && current.job.weights === weights;
    // Twice, late, or of an old version: dropped without a word.
    if (!isCurrent || !current.round.has(index)) return;
    if (!this.standing.isShutOut(worker)) return this.takeCurrent(current, answer);
    const again = current.round.undone(index, attempt);
    if (again) await this.give(again);
  }

  private async takeCurrent({ job, round }: Current, answer: Answer): Promise<void> {
    const { worker, name, index, seconds, result } = answer;
    const { standing, options } = this;
    if (result.kind === 'failed') {
      options.onNotice(`piece ${index + 1} of ${name} failed on ${worker}: ${result.message}`);
      if (standing.failed(worker)) return this.shutOut(answer, `it fails where others do not: ${result.message}`);
      const again = round.refuse(index, worker, result.message);
      return again ? this.give(again) : undefined;
    }
    const began = performance.now();
    const since = round.secondsSince(index, worker);
    try {
      const read = await job.read(index, worker, result);
      // While it was looked at, another answer may have come, or the job have ended.
      if (!round.accept(index, worker, read, since ?? seconds)) return;
    } catch (error) {
      if (!(error instanceof ProxmoError && error.code === 'data')) throw error;
      return this.shutOut(answer, error.message);
    }
    const judging = (performance.now() - began) / 1000;
    const latency = since === null ? null : since + judging - seconds;
    options.onPiece?.({ name, index, worker, computing: seconds, latency, judging });
    void this.tellIfOther(worker);
    standing.succeeded(worker, result.kind === 'episodes' ? result.episodes.length : 0, seconds);
    job.onAnswer?.(round.left.map((piece) => piece.index));
    await this.dropRest(index);
  }

  /** Says so, once, where a worker computes other last bits than this process. */
  private async tellIfOther(worker: string): Promise<void> {
    if (this.known.has(worker)) return;
    const own = this.published.description?.adapter;
    const adapter = await this.published.adapterOf(worker).catch(() => null);
    if (adapter === null || this.known.has(worker)) return;
    this.known.add(worker);
    if (adapter === own) return;
    this.options.onNotice(
      `${worker} computes on ${adapter}, and this process on ${own}: the run is right to the rounding of both, and has other last bits than on adapters of one kind`,
    );
  }

  /** Nothing of a worker counts any more, and its pieces are done again. */
  private async shutOut({ worker, index }: Answer, why: string): Promise<void> {
    this.options.onNotice(`${worker} is shut out, and its pieces are given again: ${why}`);
    this.standing.exclude(worker, why);
    const again = this.current?.round.disown(worker, index) ?? [];
    await Promise.all(again.map((piece) => this.give(piece)));
    const { description } = this.published;
    if (description)
      await this.persist(() => this.published.describe({ ...description, shutOut: this.standing.shutOut }));
  }

  /** Takes a piece that is done out of the queue, as often as it is there. */
  private async dropRest(index: number): Promise<void> {
    const given = this.given.get(index) ?? [];
    // Where it was given once, its worker acknowledges it.
    if (given.length < 2) return;
    const { store } = this.published;
    for (const { sequence } of given) await store.drop(store.names.work, sequence);
  }

  private async watchConnection(): Promise<void> {
    for await (const { type } of this.nc.status()) {
      if (this.isClosed) return;
      if (type === 'disconnect') this.options.onNotice('the NATS server is away; waiting for it');
      if (type === 'reconnect') {
        this.options.onNotice('the NATS server is there again');
        await this.restore();
      }
    }
  }

  /** After the server was away, it may have lost everything. */
  private async restore(): Promise<void> {
    await this.persist(() => this.published.restore()).catch(() => undefined);
    await this.forgetLostNumbers().catch(() => undefined);
    for (const piece of this.current?.round.left ?? []) await this.give(piece).catch(() => undefined);
  }

  /** A stream that was made anew counts from the beginning: numbers of before would name other pieces. */
  private async forgetLostNumbers(): Promise<void> {
    const last = await this.published.store.lastSequence();
    if ([...this.given.values()].flat().some(({ sequence }) => sequence > last)) this.given.clear();
  }
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return null;
  }
}
