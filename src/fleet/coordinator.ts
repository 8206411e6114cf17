/**
 * The coordinator of a run: gives pieces to workers, takes their answers, and puts them in order. It holds all that
 * counts, so that workers and the server may be lost at any moment.
 */
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import type { Task } from '../envs/environment.ts';
import type { FaultLog } from '../envs/faults.ts';
import {
  type EpisodeBatch,
  episodeBatches,
  mergedRollout,
  type Play,
  type RolloutOptions,
  type RolloutResult,
} from '../rl/rollout.ts';
import type { Actors, Trainer } from '../rl/trainer.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import { Auditor } from './audit.ts';
import { RunClaim, renewalSeconds } from './claim.ts';
import {
  type Answer,
  answerSchema,
  checkedMessage,
  checkVersion,
  type Piece,
  protocolVersion,
  type RunDescription,
  senderSchema,
  takenSchema,
} from './protocol.ts';
import { PublishedRun } from './publishedRun.ts';
import { noteFaults } from './recorded.ts';
import { PieceTimes, Round } from './round.ts';
import { cannotKeep, type RunStore } from './server.ts';
import { Standing } from './standing.ts';
import { taskHashes } from './taskHashes.ts';
import { weightBytes } from './weights.ts';

/** Milliseconds between looks at what is late. */
const tickMs = 1000;
/** Milliseconds before what failed at the server is tried again. */
const retryMs = 1000;
/** Seconds without any worker after which it is said how to start one. */
const lonelySeconds = 5;

export interface CoordinatorOptions {
  /** The run's name on the server. */
  readonly run: string;
  readonly version: string;
  /** Of this process, for whoever asks who coordinates the run. */
  readonly host: string;
  readonly pid: number;
  /** Told in a sentence of what happens in the fleet. */
  readonly onNotice: (text: string) => void;
}

/** A piece and what it takes to read its answer. */
interface Rollout {
  readonly number: number;
  readonly name: string;
  readonly batches: readonly EpisodeBatch[];
  readonly options: RolloutOptions;
  readonly round: Round<Piece, { readonly result: RolloutResult; readonly answer: Answer }>;
}

/**
 * @example
 * const coordinator = await Coordinator.open(connection, options);
 * const trainer = new Trainer(engine, config, taskSet, source, { actors: (it) => coordinator.actorsFor(it) });
 */
export class Coordinator {
  private readonly session = crypto.randomUUID();
  private readonly store: RunStore;
  private readonly claim: RunClaim;
  private readonly times = new PieceTimes();
  /** Numbers in the work stream of each piece of the rollout, as often as it was given. */
  private readonly given = new Map<number, number[]>();
  private readonly timers: ReturnType<typeof setInterval>[] = [];
  private trainer: Trainer | null = null;
  private current: Rollout | null = null;
  /** Rollouts so far. */
  private rounds = 0;
  private isClosed = false;
  private fatal: unknown = null;
  private readonly standing = new Standing();
  private auditor: Auditor | null = null;

  private constructor(
    private readonly nc: NatsConnection,
    private readonly published: PublishedRun,
    private readonly options: CoordinatorOptions,
  ) {
    this.store = published.store;
    this.claim = new RunClaim(() => published.directory.present, this.store.names.coordinatorKey, options.run, {
      session: this.session,
      version: options.version,
      host: options.host,
      pid: options.pid,
      started: new Date().toISOString(),
      at: 'the beginning',
    });
  }

  /**
   * Claims a run on a server, and makes what it needs there.
   * @throws {ProxmoError} `fleet` if another process coordinates it, or the server keeps nothing
   */
  static async open(nc: NatsConnection, options: CoordinatorOptions): Promise<Coordinator> {
    const published = await PublishedRun.open(nc, options.run).catch((cause: unknown) => {
      throw cannotKeep(nc, cause);
    });
    const coordinator = new Coordinator(nc, published, options);
    await coordinator.claim.take(() =>
      options.onNotice(`${options.run} was coordinated by another process; looking whether it still lives`),
    );
    await coordinator.store.create();
    await coordinator.store.clear();
    coordinator.begin();
    return coordinator;
  }

  /** Has a trainer's episodes played by the fleet. */
  actorsFor(trainer: Trainer): Actors {
    const { policy, taskSet, config } = trainer;
    this.trainer = trainer;
    this.auditor = new Auditor(policy, taskSet, config.fleet.audit);
    return { play: (name) => this.playerOf(name) };
  }

  /** Ends the run for its workers, and takes what it had off the server. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const timer of this.timers) clearInterval(timer);
    try {
      await this.published.end();
      await this.claim.release();
    } catch (error) {
      this.options.onNotice(`what the run had on the NATS server stays there: ${errorMessage(error)}`);
    }
    await this.nc.close();
  }

  private begin(): void {
    this.every(1000 * renewalSeconds, () => this.claim.renew(this.progress));
    this.every(tickMs, () => this.giveLateAgain());
    void this.listenToTaken();
    void this.readAnswers();
    void this.watchConnection();
  }

  /** Does something again and again. Another coordinator ends the run; a server that is away does not. */
  private every(milliseconds: number, work: () => Promise<void>): void {
    let isBusy = false;
    const tick = async () => {
      if (isBusy || this.isClosed) return;
      isBusy = true;
      await work().catch((error: unknown) => {
        if (error instanceof ProxmoError && error.code === 'fleet') this.endAll(error);
      });
      isBusy = false;
    };
    this.timers.push(setInterval(() => void tick(), milliseconds));
  }

  private playerOf(name: string): Play {
    return async (tasks, options) => {
      if (this.fatal) throw this.fatal;
      if (options.keepStates)
        throw new ProxmoError(
          'config',
          'A fleet does not bring hidden states back; set advantages.similarity to tfidf, or train without --fleet.',
        );
      const number = this.rounds++;
      const weights = await this.publishWeights();
      const batches = episodeBatches(tasks, options);
      const pieces = batches.map(
        ({ tasks: list, firstEpisode }, index): Piece => ({
          session: this.session,
          round: number,
          name,
          index,
          attempt: 0,
          weights,
          tasks: list.map(({ id }) => id),
          firstEpisode,
          controls: { ...options.controls },
        }),
      );
      const rollout: Rollout = { number, name, batches, options, round: new Round(pieces, this.times) };
      return this.play(rollout, tasks);
    };
  }

  private async play(rollout: Rollout, tasks: readonly Task[]): Promise<RolloutResult> {
    const { round, options } = rollout;
    const { signal } = options;
    const stop = () => round.end(new ProxmoError('interrupted', 'The rollout was interrupted.'));
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    this.current = rollout;
    const lonely = setTimeout(() => this.sayIfLonely(), 1000 * lonelySeconds);
    try {
      await Promise.all(round.left.map((piece) => this.give(piece)));
      const answers = await round.results;
      for (const { answer } of answers) this.noteFaultsOf(answer, tasks, options.faults);
      return mergedRollout(answers.map(({ result }) => result));
    } finally {
      clearTimeout(lonely);
      signal?.removeEventListener('abort', stop);
      this.current = null;
      await this.store.clear().catch(() => undefined);
      this.given.clear();
    }
  }

  /** Puts a piece into the queue, when the server is there. */
  private async give(piece: Piece): Promise<void> {
    const { session, round, index, attempt } = piece;
    const { workSubject } = this.store.names;
    const id = `${session}/${round}/${index}/${attempt}`;
    const sequence = await this.persist(() => this.store.publish(workSubject, id, piece));
    this.given.set(index, [...(this.given.get(index) ?? []), sequence]);
  }

  private async giveLateAgain(): Promise<void> {
    const { current } = this;
    if (!current) return;
    for (const piece of current.round.overdue(await this.published.workers())) {
      this.options.onNotice(`piece ${piece.index + 1} of ${piece.name} takes long and is given again`);
      await this.give(piece);
    }
  }

  /** Workers say when they begin with a piece. Where that is lost, only slowness is noticed later. */
  private async listenToTaken(): Promise<void> {
    for await (const { data } of this.nc.subscribe(this.store.names.takenSubject)) {
      const taken = takenSchema.safeParse(parsed(data));
      if (!taken.success || taken.data.session !== this.session) continue;
      const { round, index, attempt, worker } = taken.data;
      if (this.current?.number === round) this.current.round.taken(index, attempt, worker);
    }
  }

  private async readAnswers(): Promise<void> {
    while (!this.isClosed) {
      try {
        const consumer = await this.store.consumer(this.store.names.answers, 'coordinator');
        while (!this.isClosed) {
          const message = await consumer.next({ expires: 2000 });
          if (message) await this.take(message);
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
    try {
      await this.judge(await this.store.read(message.data), worker);
    } catch (error) {
      if (error instanceof ProxmoError && (error.code === 'data' || error.code === 'fleet'))
        this.options.onNotice(`an answer of ${worker} was dropped: ${error.message}`);
      else this.endAll(error);
    }
    message.ack();
  }

  private async judge(value: unknown, worker: string): Promise<void> {
    checkVersion(this.options.version, checkedMessage(senderSchema, value, 'An answer'), `Worker ${worker}`);
    const answer = checkedMessage(answerSchema, value, 'An answer');
    if (worker !== answer.worker) throw new ProxmoError('data', `It says that it is of ${answer.worker}.`);
    const { round, index, attempt, session, weights } = answer;
    const { current } = this;
    const isCurrent = session === this.session && weights === this.published.weights && current?.number === round;
    // Twice, late, or of an old version: dropped without a word.
    if (!isCurrent || !current.round.has(index)) return;
    if (!this.standing.isShutOut(worker)) return this.takeCurrent(current, answer);
    const again = current.round.undone(index, attempt);
    if (again) await this.give(again);
  }

  private async takeCurrent({ round, batches, options }: Rollout, answer: Answer): Promise<void> {
    const { worker, name, index, seconds, result: told } = answer;
    const { standing } = this;
    if ('failed' in told) {
      const { message } = told.failed;
      this.options.onNotice(`piece ${index + 1} of ${name} failed on ${worker}: ${message}`);
      if (standing.failed(worker)) return this.shutOut(answer, `it fails where others do not: ${message}`);
      const again = round.refuse(index, worker, message);
      return again ? this.give(again) : undefined;
    }
    try {
      const result = await this.auditor!.episodesOf(worker, batches[index]!, told, options.controls);
      // While it was looked at, another answer may have come, or the rollout have ended.
      if (!round.accept(index, worker, { result, answer }, seconds)) return;
      standing.succeeded(worker, told.episodes.length, seconds);
    } catch (error) {
      if (!(error instanceof ProxmoError && error.code === 'data')) throw error;
      return this.shutOut(answer, error.message);
    }
    const count = (list: readonly { readonly index: number }[]) =>
      list.reduce((sum, each) => sum + batches[each.index]!.tasks.length, 0);
    options.onTurn?.(count(round.left), count(batches.map((_, each) => ({ index: each }))));
    await this.dropRest(index);
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
    const sequences = this.given.get(index) ?? [];
    // Where it was given once, its worker acknowledges it.
    if (sequences.length < 2) return;
    for (const sequence of sequences) await this.store.drop(this.store.names.work, sequence);
  }

  private noteFaultsOf({ result }: Answer, tasks: readonly Task[], log: FaultLog | undefined): void {
    if (log && 'faults' in result) noteFaults(log, tasks, result.faults);
  }

  /** Who did how much, a line each. */
  get summary(): string[] {
    return this.standing.summary;
  }

  private async publishWeights(): Promise<string> {
    const { engine, model } = this.trainer!.policy;
    const bytes = await weightBytes(engine, model);
    const description = this.published.description ?? (await this.describedRun());
    return this.persist(async () => {
      const hash = await this.published.putWeights(bytes);
      if (!this.published.description) await this.published.describe(description);
      return hash;
    });
  }

  private async describedRun(): Promise<RunDescription> {
    const { config, policy, tasks } = this.trainer!;
    const { tokenizer } = policy;
    if (!(tokenizer instanceof WordTokenizer))
      throw new ProxmoError(
        'config',
        'A fleet trains policies of its own vocabulary; train a pretrained model without --fleet.',
      );
    return {
      protocol: protocolVersion,
      version: this.options.version,
      session: this.session,
      isOpen: true,
      config,
      tokenizer: JSON.stringify(tokenizer),
      model: null,
      tasks: await taskHashes(tasks),
      adapter: policy.engine.gpu.adapter.name,
      shutOut: [],
    };
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

  /** After the server was away, it may have lost everything: makes it as it should be. */
  private async restore(): Promise<void> {
    await this.persist(() => this.published.restore()).catch(() => undefined);
    for (const piece of this.current?.round.left ?? []) await this.give(piece);
  }

  /** Does something at the server as soon as it can be done. @throws what is not the server's being away */
  private async persist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      if (this.fatal) throw this.fatal;
      try {
        return await work();
      } catch (error) {
        const isOver = this.isClosed || this.current?.options.signal?.aborted || error instanceof ProxmoError;
        if (isOver) throw error;
        await pause(retryMs);
      }
    }
  }

  private endAll(error: unknown): void {
    this.fatal ??= error;
    this.current?.round.end(error);
  }

  private async sayIfLonely(): Promise<void> {
    const workers = await this.published.workers().catch(() => null);
    if (!workers || workers.size > 0) return;
    this.options.onNotice(
      `no worker is there yet; start some: proxmo worker ${this.nc.getServer()} --run ${this.options.run}`,
    );
  }

  private get progress(): string {
    const { current } = this;
    if (!current) return 'learning';
    const { length } = current.batches;
    return `${current.name}: ${length - current.round.left.length} of ${length} pieces`;
  }
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return null;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
