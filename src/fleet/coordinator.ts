/**
 * The coordinator of a run: has its episodes played, and its gradients computed, by workers. It holds all that counts,
 * so that workers and the server may be lost at any moment.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { Queue } from '../base/queue.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { GradientSource } from '../rl/optimise.ts';
import { ownLossOf } from '../rl/own/settings.ts';
import { episodeBatches, mergedRollout, type Play } from '../rl/rollout.ts';
import type { Actors, Trainer } from '../rl/trainer.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import { Auditor } from './audit.ts';
import { RunClaim, renewalSeconds } from './claim.ts';
import { Dispatcher, type Job, type PieceTiming } from './dispatcher.ts';
import { gradientOf, gradientProblem, gradientWork } from './gradients.ts';
import { pause } from './pause.ts';
import { type BaseModel, type EpisodesWork, protocolVersion, type RunDescription } from './protocol.ts';
import { PublishedRun } from './publishedRun.ts';
import { noteFaults } from './recorded.ts';
import { cannotKeep } from './server.ts';
import { taskHashes } from './taskHashes.ts';
import { weightBytes } from './weights.ts';

/** Milliseconds between looks at what is late. */
const tickMs = 1000;
/** Tries of what a server that is there does not do. */
const mostFailures = 5;
/** Seconds without any worker after which it is said how to start one. */
const lonelySeconds = 5;

export interface CoordinatorOptions {
  /** The run's name on the server. */
  readonly run: string;
  readonly version: string;
  /** Of this process, for whoever asks who coordinates the run. */
  readonly host: string;
  readonly pid: number;
  /** Servers of a NATS cluster that each keep what the run has there; 1 by default. */
  readonly replicas?: number;
  /** Told in a sentence of what happens in the fleet. */
  readonly onNotice: (text: string) => void;
  /** The pretrained model that the run trains; not for policies of their own words. */
  readonly base?: (() => Promise<Pick<BaseModel, 'name' | 'sha256'>>) | undefined;
  /** Told what each piece took. */
  readonly onPiece?: (timing: PieceTiming) => void;
}

/**
 * @example
 * const coordinator = await Coordinator.open(connection, options);
 * const trainer = new Trainer(engine, config, taskSet, source, { actors: (it) => coordinator.actorsFor(it) });
 */
export class Coordinator {
  private readonly dispatcher: Dispatcher;
  private readonly claim: RunClaim;
  private readonly timers: ReturnType<typeof setInterval>[] = [];
  /** The weights of one job are the newest on the server until it ends, whoever asks for another meanwhile. */
  private readonly jobs = new Queue();
  private isClosed = false;

  private constructor(
    private readonly nc: NatsConnection,
    private readonly published: PublishedRun,
    private readonly options: CoordinatorOptions,
    private readonly session: string = crypto.randomUUID(),
  ) {
    const { run, version, host, pid, onNotice, onPiece } = options;
    this.dispatcher = new Dispatcher(nc, published, { session, version, onNotice, onPiece });
    const { coordinatorKey } = published.store.names;
    const started = new Date().toISOString();
    const claim = { session, version, host, pid, started, at: 'the beginning' };
    this.claim = new RunClaim(() => published.directory.present, coordinatorKey, run, claim);
  }

  /**
   * Claims a run on a server, and makes what it needs there.
   * @throws {ProxmoError} `fleet` if another process coordinates it, or the server keeps nothing
   */
  static async open(nc: NatsConnection, options: CoordinatorOptions): Promise<Coordinator> {
    const { replicas = 1 } = options;
    const published = await PublishedRun.open(nc, options.run, replicas).catch((cause: unknown) => {
      throw cannotKeep(nc, replicas, cause);
    });
    const coordinator = new Coordinator(nc, published, options);
    await coordinator.enter();
    coordinator.begin();
    return coordinator;
  }

  /**
   * Has a trainer's episodes, and if its settings say so its gradients, computed by the fleet.
   * @throws {ProxmoError} `config` if workers cannot do that
   */
  actorsFor(trainer: Trainer): Actors {
    const { policy, taskSet, config } = trainer;
    const { fleet } = config;
    if (policy.states)
      throw new ProxmoError(
        'config',
        'A fleet does not bring hidden states back; set advantages.similarity to tfidf, or train without --fleet.',
      );
    if (fleet.gradients && ownLossOf(config))
      throw new ProxmoError(
        'config',
        'Workers run no code of a run, so they cannot compute the gradients of a loss of your own; set fleet.gradients to false.',
      );
    const auditor = new Auditor(policy, taskSet, fleet.audit);
    return {
      play: (name, model) => this.playerOf(name, model, trainer, auditor),
      gradients: fleet.gradients ? this.gradientsOf(trainer) : null,
    };
  }

  /** Who did how much, a line each. */
  get summary(): string[] {
    return this.dispatcher.summary;
  }

  /** Ends the run for its workers, and takes what it had off the server. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.dispatcher.close();
    for (const timer of this.timers) clearInterval(timer);
    try {
      await this.published.end();
      await this.claim.release();
    } catch (error) {
      this.options.onNotice(`what the run had on the NATS server stays there: ${errorMessage(error)}`);
    }
    await this.nc.close();
  }

  /**
   * Claims the run, and makes what it needs. Where the server goes away meanwhile it waits, and begins anew: whatever
   * was there may be lost.
   * @throws {ProxmoError} `fleet` if another process coordinates the run, or the server is there and does not do it
   */
  private async enter(): Promise<void> {
    const { nc, published, claim } = this;
    const { run, replicas = 1, onNotice } = this.options;
    for (let failures = 0, isTold = false; ; ) {
      try {
        await claim.take(() => onNotice(`${run} was coordinated by another process; looking whether it still lives`));
        await published.create();
        await published.store.clear();
        return;
      } catch (error) {
        if (error instanceof ProxmoError) throw error;
        const isThere = await nc.rtt().then(
          () => true,
          () => false,
        );
        if (isThere && ++failures >= mostFailures) throw cannotKeep(nc, replicas, error);
        if (!isTold) onNotice('the NATS server is away; waiting for it');
        isTold = true;
      }
      await pause(tickMs);
      await published.reopen().catch(() => undefined);
    }
  }

  private begin(): void {
    const { dispatcher } = this;
    this.every(1000 * renewalSeconds, () => this.claim.renew(dispatcher.progress));
    this.every(tickMs, () => dispatcher.giveLateAgain());
    dispatcher.begin();
  }

  /** Does something again and again. Another coordinator ends the run; a server that is away does not. */
  private every(milliseconds: number, work: () => Promise<void>): void {
    let isBusy = false;
    const tick = async () => {
      if (isBusy || this.isClosed) return;
      isBusy = true;
      await work().catch((error: unknown) => {
        if (error instanceof ProxmoError && error.code === 'fleet') this.dispatcher.end(error);
      });
      isBusy = false;
    };
    this.timers.push(setInterval(() => void tick(), milliseconds));
  }

  private playerOf(name: string, model: Transformer, trainer: Trainer, auditor: Auditor): Play {
    return async (tasks, options) => {
      const { controls, faults, onTurn, signal } = options;
      const batches = episodeBatches(tasks, options);
      const sizeOf = (index: number) => batches[index]!.tasks.length;
      const lonely = setTimeout(() => void this.sayIfLonely(), 1000 * lonelySeconds);
      try {
        const answers = await this.inTurn(trainer, model, {
          name,
          work: batches.map(({ tasks: list, firstEpisode }): EpisodesWork => {
            return { kind: 'episodes', tasks: list.map(({ id }) => id), firstEpisode, controls: { ...controls } };
          }),
          read: async (index, worker, told) => {
            if (told.kind !== 'episodes') throw otherWork();
            const played = await auditor.episodesOf(worker, batches[index]!, told, controls, model);
            return { played, faults: told.faults };
          },
          onAnswer: (left) => {
            const running = left.reduce((sum, index) => sum + sizeOf(index), 0);
            onTurn?.(running, tasks.length, 1 - running / tasks.length);
          },
          signal,
        });
        if (faults) for (const answer of answers) noteFaults(faults, tasks, answer.faults);
        return mergedRollout(answers.map(({ played }) => played));
      } finally {
        clearTimeout(lonely);
      }
    };
  }

  private gradientsOf(trainer: Trainer): GradientSource {
    const { config, policy } = trainer;
    const { size } = policy.model.trainable;
    return (batches) =>
      this.inTurn(trainer, policy.model, {
        name: `update, step ${trainer.optimiser.progress.steps + 1}`,
        work: batches.map(gradientWork),
        read: async (index, _, told) => {
          if (told.kind !== 'gradient') throw otherWork();
          const given = gradientOf(told, size);
          if (Math.random() >= config.fleet.gradientAudit) return given;
          const own = await trainer.gradientOf(batches[index]!);
          const problem = gradientProblem(given, own, config.precision);
          if (problem !== null) throw new ProxmoError('data', `Micro-batch ${index + 1}: ${problem}.`);
          return given;
        },
      });
  }

  /** Has a job done with the weights of a model, when the one before is. */
  private inTurn<Result>(
    trainer: Trainer,
    model: Transformer,
    job: Omit<Job<Result>, 'weights'>,
  ): Promise<readonly Result[]> {
    return this.jobs.run(async () =>
      this.dispatcher.run({ ...job, weights: await this.publishWeights(trainer, model) }),
    );
  }

  private async publishWeights(trainer: Trainer, model: Transformer): Promise<string> {
    const bytes = await weightBytes(trainer.policy.engine, model);
    const description = this.published.description ?? (await this.describedRun(trainer));
    return this.dispatcher.persist(async () => {
      const hash = await this.published.putWeights(bytes, trainer.config.fleet.differences);
      if (!this.published.description) await this.published.describe(description);
      return hash;
    });
  }

  private async describedRun(trainer: Trainer): Promise<RunDescription> {
    const { config, policy, tasks } = trainer;
    return {
      protocol: protocolVersion,
      version: this.options.version,
      session: this.session,
      isOpen: true,
      config,
      policy: await this.describedPolicy(trainer),
      tasks: await taskHashes(tasks),
      adapter: policy.engine.gpu.adapter.name,
      shutOut: [],
    };
  }

  private async describedPolicy({ policy: { tokenizer, model } }: Trainer): Promise<RunDescription['policy']> {
    if (tokenizer instanceof WordTokenizer) return { kind: 'words', tokenizer: JSON.stringify(tokenizer) };
    const { base } = this.options;
    if (!base) throw new Error('the coordinator of a pretrained model was not told which one that is');
    return { kind: 'model', ...(await base()), adapters: model.adapters?.config ?? null };
  }

  private async sayIfLonely(): Promise<void> {
    const workers = await this.published.workers().catch(() => null);
    if (!workers || workers.size > 0) return;
    this.options.onNotice(
      `no worker is there yet; start some: proxmo worker ${this.nc.getServer()} --run ${this.options.run}`,
    );
  }
}

function otherWork(): ProxmoError {
  return new ProxmoError('data', 'It answers other work than it was given.');
}
