/**
 * The worlds of the episodes of a rollout: opens them, takes their answers, which may be late, and starts an episode
 * over whose world fails (`src/envs/faults.ts`). An episode that is over gives up its world at once, so that no more
 * worlds are open than there are episodes being played.
 */
import { type Answer, isPromise, Waits, whenAnswered, withinTime } from '../envs/answer.ts';
import type { Environment, Task, TaskSet, Turn } from '../envs/environment.ts';
import { closeEnvironment, type FaultLog, nonsense } from '../envs/faults.ts';
import { openingProblem, turnProblem } from '../envs/turns.ts';
import type { Session } from '../nn/generator.ts';
import type { EpisodeMemory } from './episodeMemory.ts';
import type { RolloutStep } from './rollout.ts';

/** How long the others wait for an answer before they go on without it. */
const patienceSeconds = 1;

/** An episode that is being played. */
export interface Running {
  readonly number: number;
  /** Row of its first hidden state; null where none are kept. */
  readonly firstState: number | null;
  readonly task: Task;
  environment: Environment | null;
  instruction: string;
  memory: EpisodeMemory;
  /** Number of the context that is in the session. */
  context: number;
  /** Its place in the KV cache while it is played, where it keeps one. */
  session: Session | null;
  steps: Omit<RolloutStep, 'success'>[];
  /** What was last seen; null until the world has opened. */
  turn: Turn | null;
  faults: number;
  /** Why it was given up; null unless it was. */
  failure: Error | null;
  /** Settles when the world has answered, or has been started over; null if there is nothing to wait for. */
  pending: Promise<void> | null;
  /** Settles when the world of an episode that is over has closed; null while it is open. */
  closing: Promise<void> | null;
}

export class Worlds {
  /**
   * All that the rollout waits for besides answers. They end with it, for whatever reason, and then nothing is started
   * over any more.
   */
  private readonly waits = new Waits();
  /** The error that ends the rollout. */
  private fatal: { readonly error: unknown } | null = null;

  /** @param newMemory of an episode that starts over */
  constructor(
    private readonly taskSet: TaskSet,
    private readonly faults: FaultLog,
    private readonly newMemory: () => EpisodeMemory,
  ) {}

  /** Opens the world of an episode. */
  open(episode: Running): void {
    this.follow(episode, this.reset(episode));
  }

  /** Takes an action. @param take what the world answered, before it becomes the episode's turn */
  step(episode: Running, action: string, take: (turn: Turn) => void): void {
    const answer = this.ask(
      episode,
      () => episode.environment!.step(action),
      turnProblem,
      (turn) => {
        take(turn);
        episode.turn = turn;
      },
    );
    this.follow(episode, answer);
  }

  isOver({ turn, steps, failure }: Running): boolean {
    return failure !== null || (turn !== null && (turn.done || steps.length >= this.taskSet.maxSteps));
  }

  /** Closes the world of an episode, once. A world that cannot be closed after its episode is a fault that counts. */
  close(episode: Running): Promise<void> {
    episode.closing ??= this.closeWorld(episode).catch((error) => {
      this.fatal ??= { error };
    });
    return episode.closing;
  }

  /** Waits until all of these have their answers, but not much longer than most worlds take. */
  async settle(episodes: readonly Running[]): Promise<void> {
    const pending = episodes.flatMap((episode) => episode.pending ?? []);
    if (pending.length === 0) return;
    const patience = this.waits.start(patienceSeconds);
    await Promise.race([Promise.all(pending), patience.over]);
    patience.end();
  }

  /** Waits until one of these has its answer. */
  async firstOf(episodes: readonly Running[]): Promise<void> {
    const ending = this.waits.start();
    await Promise.race([...episodes.map(({ pending }) => pending), ending.over]);
    ending.end();
  }

  /** Ends all waits. */
  end(): void {
    this.waits.endAll();
  }

  /** Throws what ends the rollout, if anything does. */
  check(): void {
    if (this.fatal) throw this.fatal.error;
  }

  private reset(episode: Running): Answer<void> {
    return this.ask(
      episode,
      () => {
        episode.environment = this.taskSet.createEnvironment();
        return episode.environment.reset(episode.task);
      },
      openingProblem,
      (turn) => {
        episode.instruction = turn.instruction;
        episode.turn = turn;
      },
    );
  }

  /** Asks the world something, and takes its answer; where it has none of use, starts the episode over. */
  private ask<T extends Turn>(
    episode: Running,
    call: () => Answer<T>,
    problemOf: (turn: T) => string | null,
    take: (turn: T) => void,
  ): Answer<void> {
    const read = (turn: T) => {
      const problem = problemOf(turn);
      if (problem !== null) throw nonsense(this.taskSet.name, problem, turn);
      take(turn);
    };
    try {
      const answer = whenAnswered(
        withinTime(call(), this.faults.settings.stepTimeoutSeconds, () => this.taskSet.name),
        read,
      );
      return isPromise(answer) ? answer.catch((error) => this.startOver(episode, error)) : answer;
    } catch (error) {
      return this.startOver(episode, error);
    }
  }

  /** After a fault: forgets what the episode came to, and opens its world again after a wait, if it has a next try. */
  private async startOver(episode: Running, error: unknown): Promise<void> {
    if (this.waits.ended) return;
    const { task, environment, steps } = episode;
    episode.faults++;
    const fault = {
      task,
      attempt: episode.faults,
      step: steps.length,
      error: error instanceof Error ? error : new Error(String(error)),
    };
    const memory = this.newMemory();
    Object.assign(episode, { environment: null, turn: null, instruction: '', memory, context: -1, steps: [] });
    if (environment) void closeEnvironment(environment);
    const delay = this.faults.note(fault);
    if (delay === null) {
      episode.failure = fault.error;
      return;
    }
    await this.waits.start(delay).over;
    if (!this.waits.ended) await this.reset(episode);
  }

  private async closeWorld(episode: Running): Promise<void> {
    const { environment, task, faults, steps } = episode;
    const error = environment && (await closeEnvironment(environment));
    if (error && this.isOver(episode))
      this.faults.noteClosing({ task, attempt: faults + 1, step: steps.length, error });
  }

  /** Remembers that an episode waits, and what came of it. */
  private follow(episode: Running, answer: Answer<void>): void {
    if (!isPromise(answer)) return;
    episode.pending = answer
      .catch((error) => {
        this.fatal ??= { error };
      })
      .finally(() => {
        episode.pending = null;
      });
  }
}
