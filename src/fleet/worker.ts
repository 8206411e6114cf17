/**
 * A worker: joins a run, receives its policy, and plays pieces until the run ends. It holds nothing that is not
 * elsewhere, so it may end at any moment.
 */
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import type { Engine } from '../tensor/engine.ts';
import { OpenRuns } from './openRuns.ts';
import { pause } from './pause.ts';
import {
  type Answer,
  checkedMessage,
  type Piece,
  type Presence,
  pieceSchema,
  protocolVersion,
  type RunDescription,
} from './protocol.ts';
import { errorOf } from './recorded.ts';
import { type Directory, RunStore } from './server.ts';
import { type OpenModel, type OpenTaskSet, Stage } from './stage.ts';

/** Seconds between the signs of life that a worker gives. */
const presenceEvery = 2;
/** Seconds between words to the server that a piece is still worked on. */
const workingEvery = 10;
/** Seconds without a turn after which a piece is taken to hang, and is left to others. */
const longestTurn = 120;
/** Milliseconds before what failed at the server is tried again. */
const retryMs = 1000;

export interface WorkerOptions {
  /** Names this process among all workers. */
  readonly id: string;
  /** For people, as the machine's name. */
  readonly name: string;
  readonly version: string;
  /** The run to join; null for any, one after another. */
  readonly run: string | null;
  /** Names of the environments that it has the data of; of any runs, it joins those that play one of them. */
  readonly environments: readonly string[];
  readonly openTaskSet: OpenTaskSet;
  /** Not set: this worker has no pretrained models. */
  readonly openModel?: OpenModel;
  readonly signal: AbortSignal;
  readonly onEvent: (event: WorkerEvent) => void;
}

/** What a worker tells of itself. */
export type WorkerEvent =
  | { readonly kind: 'waiting'; readonly run: string | null }
  | { readonly kind: 'joined'; readonly run: string }
  | {
      readonly kind: 'piece';
      readonly name: string;
      readonly index: number;
      readonly seconds: number;
    }
  | { readonly kind: 'left'; readonly run: string }
  | { readonly kind: 'notice'; readonly text: string };

/** What a worker did in all. */
export type WorkerTally = Pick<Presence, 'pieces' | 'episodes' | 'tokens' | 'busySeconds'>;

/**
 * Works until the run ends, or the signal fires.
 * @throws {ProxmoError} where `options.run` names a run: `fleet` if it is another version's, `config` if it cannot be
 * played here; for any run such ones are left aside; `device-lost`
 */
export async function work(nc: NatsConnection, engine: Engine, options: WorkerOptions): Promise<WorkerTally> {
  const worker = new Worker(nc, engine, options);
  return worker.run();
}

/** A run as it was last looked at. */
interface SeenRun {
  description: RunDescription;
  /** Why this worker cannot go on with it. */
  problem: ProxmoError | null;
}

class Worker {
  private tally: WorkerTally = { pieces: 0, episodes: 0, tokens: 0, busySeconds: 0 };
  private readonly started = new Date().toISOString();
  private at: string | null = null;
  /** Of the run's pieces; null until it is looked up. */
  private consumer: Awaited<ReturnType<RunStore['consumer']>> | null = null;
  private readonly runs: OpenRuns;
  /** The last answer, which is sent while the next piece is fetched. */
  private sending: Promise<void> = Promise.resolve();

  constructor(
    private readonly nc: NatsConnection,
    private readonly engine: Engine,
    private readonly options: WorkerOptions,
  ) {
    const { version, environments, onEvent } = options;
    const onAside = (text: string) => onEvent({ kind: 'notice', text });
    this.runs = new OpenRuns(nc, { version, environments, onAside });
  }

  async run(): Promise<WorkerTally> {
    const { signal, onEvent, run: wanted } = this.options;
    while (!signal.aborted) {
      const found = await this.runs.find(wanted, signal, () => onEvent({ kind: 'waiting', run: wanted }));
      if (!found) break;
      const { run, description } = found;
      const stage = await this.enter(run, description);
      if (!stage) continue;
      onEvent({ kind: 'joined', run });
      let isOver = false;
      try {
        isOver = await this.serve(run, description, stage);
      } finally {
        await stage.close();
      }
      if (isOver) onEvent({ kind: 'left', run });
      if (isOver && wanted !== null) break;
    }
    return this.tally;
  }

  /** Opens what a run plays; null where any run will do, and this one cannot be played here. */
  private async enter(run: string, description: RunDescription): Promise<Stage | null> {
    const { openTaskSet, openModel, run: wanted } = this.options;
    try {
      return await Stage.open(this.engine, run, description, openTaskSet, openModel);
    } catch (error) {
      if (wanted !== null || !(error instanceof ProxmoError) || !isOfRun(error)) throw error;
      this.runs.leaveAside(run, description.session, error.message);
      return null;
    }
  }

  /** Plays until the run is over. @returns false where it goes on with other settings, or this worker is to end */
  private async serve(run: string, first: RunDescription, stage: Stage): Promise<boolean> {
    const store = new RunStore(this.nc, run);
    const seen: SeenRun = { description: first, problem: null };
    const beat = setInterval(() => {
      void this.tell(store);
      void this.look(run, seen);
    }, 1000 * presenceEvery);
    void this.tell(store);
    this.consumer = null;
    const { signal } = this.options;
    try {
      while (!signal.aborted) {
        const message = await this.next(store);
        if (message) await this.perform(message, store, stage);
        // Between pieces nobody waits for the server's word: the beat looks.
        else await this.look(run, seen);
        const { description, problem } = seen;
        if (problem) throw problem;
        this.checkWelcome(run, description);
        if (!description.isOpen) return true;
        if (!isSameRun(description, first)) return false;
      }
      return false;
    } finally {
      clearInterval(beat);
      await this.sending;
      await this.vanish(store);
    }
  }

  /** Takes note of how the run is described; where the server is away, of nothing. */
  private async look(run: string, seen: SeenRun): Promise<void> {
    try {
      const description = await this.runs.described(run);
      if (description) seen.description = description;
    } catch (problem) {
      if (problem instanceof ProxmoError) seen.problem = problem;
    }
  }

  /** @throws {ProxmoError} `fleet` if the coordinator has shut this worker out */
  private checkWelcome(run: string, { shutOut }: RunDescription): void {
    const own = shutOut.find(({ worker }) => worker === this.options.id);
    if (own)
      throw new ProxmoError(
        'fleet',
        `The coordinator of ${run} has shut this worker out: ${own.why.replace(/\.$/, '')}.`,
      );
  }

  private async next(store: RunStore): Promise<JsMsg | null> {
    const { work: stream, workers } = store.names;
    try {
      this.consumer ??= await store.consumer(stream, workers);
      return await this.consumer.next({ expires: 2000 });
    } catch {
      this.consumer = null;
      // The server is away, or has lost the run, which its coordinator will bring back.
      await pause(retryMs, this.options.signal);
      return null;
    }
  }

  private async perform(message: JsMsg, store: RunStore, stage: Stage): Promise<void> {
    const piece = await this.prepared(message, store, stage);
    if (!piece) return;
    this.at = `${piece.name}, piece ${piece.index + 1}`;
    void this.tell(store);
    const { session, round, index, attempt } = piece;
    this.nc.publish(
      store.names.takenSubject,
      JSON.stringify({ session, round, index, attempt, worker: this.options.id }),
    );
    const outcome = await this.played(message, piece, stage);
    this.at = null;
    await this.sending;
    this.sending = this.answer(message, store, piece, outcome);
    if (outcome?.result.kind !== 'failed' || outcome.result.code !== 'device-lost') return;
    await this.sending;
    throw new ProxmoError('device-lost', outcome.result.message);
  }

  /** A piece with the weights that it is to be done with; null if it is not for this worker. */
  private async prepared(message: JsMsg, store: RunStore, stage: Stage): Promise<Piece | null> {
    try {
      const { message: value } = await store.read(message.data);
      const piece = checkedMessage(pieceSchema, value, 'A piece');
      if (await stage.take(piece.weights, (hash, before) => store.getWeights(hash, before))) return piece;
    } catch (error) {
      if (!(error instanceof ProxmoError && error.code === 'data')) {
        // The server is away: the piece is as good as it was.
        message.nak(retryMs);
        return null;
      }
    }
    // What cannot be read, or played any more, is nobody's work.
    message.term();
    return null;
  }

  /** What comes of a piece; null if this worker is asked to end. */
  private async played(message: JsMsg, piece: Piece, stage: Stage): Promise<Pick<Answer, 'result' | 'seconds'> | null> {
    const started = performance.now();
    let lastTurn = started;
    const beat = setInterval(() => {
      if (performance.now() - lastTurn < 1000 * longestTurn) message.working();
    }, 1000 * workingEvery);
    const secondsSince = () => (performance.now() - started) / 1000;
    try {
      const onTurn = () => {
        lastTurn = performance.now();
      };
      const { result, episodes, tokens } = await stage.do(piece.work, onTurn, this.options.signal);
      this.count(episodes, tokens, secondsSince());
      return { result, seconds: secondsSince() };
    } catch (error) {
      if (this.options.signal.aborted) return null;
      this.options.onEvent({ kind: 'notice', text: `${piece.name}, piece ${piece.index + 1}: ${errorMessage(error)}` });
      return { result: { kind: 'failed', ...errorOf(error) }, seconds: secondsSince() };
    } finally {
      clearInterval(beat);
    }
  }

  private async answer(
    message: JsMsg,
    store: RunStore,
    piece: Piece,
    outcome: Pick<Answer, 'result' | 'seconds'> | null,
  ): Promise<void> {
    if (!outcome) {
      message.nak();
      return;
    }
    const { id, version, onEvent } = this.options;
    const { session, round, name, index, attempt, weights } = piece;
    const answer: Answer = {
      protocol: protocolVersion,
      version,
      worker: id,
      session,
      round,
      name,
      index,
      attempt,
      weights,
      ...outcome,
    };
    const { seconds, result } = outcome;
    await this.persist(() =>
      store.publish(store.names.answersOf(id), `${session}/${round}/${index}/${attempt}/${id}`, answer),
    );
    message.ack();
    if (result.kind !== 'failed') onEvent({ kind: 'piece', name, index, seconds });
  }

  private count(episodes: number, tokens: number, seconds: number): void {
    const { pieces, episodes: before, tokens: read, busySeconds } = this.tally;
    this.tally = {
      pieces: pieces + 1,
      episodes: before + episodes,
      tokens: read + tokens,
      busySeconds: busySeconds + seconds,
    };
  }

  /** A sign of life. */
  private async tell(store: RunStore): Promise<void> {
    const { id, name, version, environments } = this.options;
    const presence: Presence = {
      protocol: protocolVersion,
      version,
      worker: id,
      name,
      adapter: this.engine.gpu.adapter.name,
      environments: [...environments],
      started: this.started,
      at: this.at,
      ...this.tally,
    };
    await this.withPresent(({ present }) => present.put(store.names.workerKey(id), JSON.stringify(presence)));
  }

  private async vanish(store: RunStore): Promise<void> {
    await this.withPresent(({ present }) => present.delete(store.names.workerKey(this.options.id)));
  }

  /** Signs of life may fail: who gives none is taken to be gone, and comes back with the next one. */
  private async withPresent(use: (directory: Directory) => Promise<unknown>): Promise<void> {
    await this.runs.withDirectory(use).catch(() => undefined);
  }

  /** Does something at the server as soon as it is there, unless this worker is asked to end. */
  private async persist(doIt: () => Promise<unknown>): Promise<void> {
    const { signal } = this.options;
    while (!signal.aborted) {
      try {
        await doIt();
        return;
      } catch {
        await pause(retryMs, signal);
      }
    }
  }
}

/** Whether an error says that a run cannot be played here, where others may be. */
function isOfRun({ code }: ProxmoError): boolean {
  return code === 'config' || code === 'fleet' || code === 'file';
}

/** Whether a worker can go on with what it has, whoever coordinates the run. */
function isSameRun(a: RunDescription, b: RunDescription): boolean {
  const essence = ({ config, policy, version }: RunDescription) => JSON.stringify([config, policy, version]);
  return essence(a) === essence(b);
}
