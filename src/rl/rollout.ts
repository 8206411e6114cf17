/**
 * Rollouts: episodes played by the policy, many at a time. Every turn, all episodes that have an answer of their world
 * are prompted together, answered in one batch, and stepped. What was sampled is kept as tokens, never decoded and
 * encoded again.
 *
 * A world that fails costs its own episode only, which starts over (`src/envs/faults.ts`), and one that is slow holds
 * up the others for a moment only. Random numbers are keyed by episode, turn and token, so neither changes what the
 * other episodes come to. An episode that starts over draws others than before: with the same ones it would do the same
 * again, and a world that fails at it would fail again.
 */

import { ProxmoError } from '../base/errors.ts';
import type { Task, TaskSet } from '../envs/environment.ts';
import { FaultLog } from '../envs/faults.ts';
import type { BoundReply, Constraint } from '../nn/constraint.ts';
import type { Generator, SamplingControls } from '../nn/generator.ts';
import { type ActionFormat, parseReply } from '../text/actionFormat.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { createMemory, type EpisodeMemory, type MemoryForm } from './episodeMemory.ts';
import type { RolloutRow } from './rows.ts';
import { type Running, Worlds } from './worlds.ts';

/** One turn of an episode, as it was played. */
export interface RolloutStep extends RolloutRow {
  /** Tokens that were read before the reply, behind what was read and written in the same context. */
  readonly prompt: readonly number[];
  /** Number of the context within the episode; in a window every turn has its own. */
  readonly context: number;
  /** Sampled tokens, the end token included. */
  readonly reply: readonly number[];
  /** The sampler's log-probability of each sampled token. */
  readonly logProbs: readonly number[];
  /** The part of the reply that was bound to the actions on offer. */
  readonly bound?: BoundReply;
  readonly action: string;
  /** Actions on offer; null where the environment does not say. */
  readonly actions: readonly string[] | null;
  /** Something was left out of the prompt to keep to its budget. */
  readonly truncated: boolean;
  /** What the replies of the episodes that were at it together took, and the world's answer. */
  readonly seconds: TurnSeconds;
}

export interface TurnSeconds {
  readonly reply: number;
  readonly world: number;
}

/** One episode as it was played. */
export interface Episode {
  readonly id: string;
  readonly task: Task;
  readonly instruction: string;
  readonly steps: readonly RolloutStep[];
  readonly success: boolean;
  /** Partial credit from 0 to 1; where the environment gives none, 1 for a success and 0 otherwise. */
  readonly score: number;
  /** What the credit consists of, by name; empty where the environment does not say. */
  readonly components: Readonly<Record<string, number>>;
  /** How often its world failed and it started over. */
  readonly faults: number;
  /** Row of the generator's hidden states that is the first step's, where they are kept; the others' follow. */
  readonly firstState?: number;
}

/** An episode that was given up because its world failed every time: it says nothing about the policy. */
export interface DroppedEpisode {
  readonly id: string;
  readonly task: Task;
  readonly faults: number;
  /** What went wrong last. */
  readonly error: Error;
}

/** What was played, in the order of the tasks. */
export interface RolloutResult {
  readonly episodes: readonly Episode[];
  readonly dropped: readonly DroppedEpisode[];
}

/** What plays: a policy with its prompts. */
export interface Player {
  readonly generator: Pick<Generator, 'generate'>;
  readonly tokenizer: Tokenizer;
  readonly prompts: PromptBuilder;
  /** What is read again for a turn; `window` by default. */
  readonly memory?: MemoryForm;
  /** Places in the KV cache, which transcripts stay in from turn to turn. */
  readonly sessions?: Pick<Generator, 'openSession' | 'slots'>;
  readonly format: ActionFormat;
  /** Tokens that end a reply; the tokenizer's by default. */
  readonly endTokens?: readonly number[];
  /** What a reply is bound to where these actions are on offer; nothing by default. */
  readonly constrain?: (admissibleActions: readonly string[] | null) => Constraint | undefined;
}

/**
 * Told after each turn how many episodes of all are not over, and what share of the playing is done. An episode that is
 * over counts in full, another by its steps of the most that there may be. The share never falls.
 */
export type OnTurn = (running: number, total: number, done: number) => void;

export interface RolloutOptions {
  readonly controls: SamplingControls;
  /** First number of the episodes' random streams; each episode of a run needs a number of its own. */
  readonly firstEpisode: number;
  /**
   * Most episodes that are played in one batch; all by default. Last bits of a reply depend on what else is answered
   * with it, so they follow from this, and not from where or in which order batches are played.
   */
  readonly atOnce?: number | undefined;
  /** The policy's hidden state before each reply is kept in the generator, `maxSteps` rows an episode. */
  readonly keepStates?: boolean;
  /** Counts the faults of the whole run; a log of this rollout alone by default. */
  readonly faults?: FaultLog;
  readonly onTurn?: OnTurn;
  readonly signal?: AbortSignal;
}

/** Plays an episode for each task: `playEpisodes` with a player of this process, or others elsewhere. */
export type Play = (tasks: readonly Task[], options: RolloutOptions) => Promise<RolloutResult>;

/** Random streams of an episode's next try begin so many turns later. */
const turnsOfTry = 2 ** 20;
/** Where a larger share of the episodes was given up, the others are no sample of what was asked for. */
const largestDroppedShare = 0.5;
/**
 * Plays one episode for each task given; a task that stands there several times is a group.
 * @throws {ProxmoError} `interrupted` if the signal fires; `environment` if there were too many faults, or more than
 * half of the episodes were given up
 */
export async function playEpisodes(
  player: Player,
  taskSet: TaskSet,
  tasks: readonly Task[],
  options: RolloutOptions,
): Promise<RolloutResult> {
  const { faults = new FaultLog(), onTurn } = options;
  const results: RolloutResult[] = [];
  const total = tasks.length;
  let left = total;
  for (const batch of episodeBatches(tasks, options)) {
    left -= batch.tasks.length;
    const others = left;
    const onBatchTurn: OnTurn = (running, count, done) =>
      onTurn?.(running + others, total, 1 - (others + (1 - done) * count) / total);
    results.push(await playBatch(player, taskSet, batch, { ...options, faults, onTurn: onBatchTurn }));
  }
  return mergedRollout(results);
}

/**
 * Plays the episodes of one batch, however many of them are given up.
 * @throws {ProxmoError} `interrupted` if the signal fires; `environment` if there were too many faults
 */
export async function playBatch(
  player: Player,
  taskSet: TaskSet,
  batch: EpisodeBatch,
  options: RolloutOptions & { readonly faults: FaultLog },
): Promise<RolloutResult> {
  try {
    return resultOf(await new Rollout(player, taskSet, options).play(batch));
  } catch (error) {
    if (options.signal?.aborted) throw new ProxmoError('interrupted', 'The rollout was interrupted.', { cause: error });
    throw error;
  }
}

/** Episodes that are played together. */
export interface EpisodeBatch {
  readonly tasks: readonly Task[];
  /** Number of the first one; the others' follow. */
  readonly firstEpisode: number;
}

/** What is played in which batch. */
export function episodeBatches(
  tasks: readonly Task[],
  { firstEpisode, atOnce = tasks.length }: Pick<RolloutOptions, 'firstEpisode' | 'atOnce'>,
): EpisodeBatch[] {
  const starts = Array.from({ length: Math.ceil(tasks.length / atOnce) }, (_, batch) => batch * atOnce);
  return starts.map((start) => ({
    tasks: tasks.slice(start, start + atOnce),
    firstEpisode: firstEpisode + start,
  }));
}

class Rollout {
  private readonly worlds: Worlds;

  constructor(
    private readonly player: Player,
    private readonly taskSet: TaskSet,
    private readonly options: RolloutOptions & { readonly faults: FaultLog },
  ) {
    this.worlds = new Worlds(taskSet, options.faults, () => this.newMemory());
  }

  async play({ tasks, firstEpisode }: EpisodeBatch): Promise<readonly Running[]> {
    const { signal, onTurn } = this.options;
    const episodes = tasks.map((task, index) => this.newEpisode(task, firstEpisode + index));
    const abort = () => this.worlds.end();
    signal?.addEventListener('abort', abort);
    try {
      const waiting = [...episodes];
      let running: Running[] = [];
      let done = 0;
      while (running.length + waiting.length > 0) {
        signal?.throwIfAborted();
        this.worlds.check();
        const begun = waiting.splice(0, this.lanes - running.length);
        await this.begin(begun);
        // An episode may be over as it begins.
        running.push(...begun.filter((episode) => !this.endIfOver(episode)));
        const ready = running.filter(({ pending }) => pending === null);
        if (ready.length > 0) await this.playTurn(ready);
        else if (running.length > 0) await this.worlds.firstOf(running);
        running = running.filter((episode) => !this.endIfOver(episode));
        const notOver = waiting.length + running.reduce((sum, episode) => sum + this.shareLeft(episode), 0);
        // An episode that starts over has its steps before it again.
        done = Math.max(done, 1 - notOver / episodes.length);
        onTurn?.(running.length + waiting.length, episodes.length, done);
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      this.worlds.end();
      for (const { session } of episodes) session?.close();
      await Promise.all(episodes.map((episode) => this.worlds.close(episode)));
    }
    this.worlds.check();
    return episodes;
  }

  /** What an episode may still have of its most steps. */
  private shareLeft({ steps }: Running): number {
    return Math.max(0, 1 - steps.length / this.taskSet.maxSteps);
  }

  /** Most episodes that are played at a time. */
  private get lanes(): number {
    return this.player.sessions?.slots ?? Number.POSITIVE_INFINITY;
  }

  private newEpisode(task: Task, number: number): Running {
    const memory = this.newMemory();
    const { keepStates = false, firstEpisode } = this.options;
    return {
      number,
      firstState: keepStates ? (number - firstEpisode) * this.taskSet.maxSteps : null,
      task,
      environment: null,
      instruction: '',
      memory,
      context: -1,
      session: null,
      steps: [],
      turn: null,
      faults: 0,
      failure: null,
      pending: null,
      closing: null,
    };
  }

  private newMemory(): EpisodeMemory {
    const { memory = 'window', prompts, tokenizer, endTokens = [tokenizer.endId] } = this.player;
    return createMemory(memory, prompts, endTokens);
  }

  private async begin(episodes: readonly Running[]): Promise<void> {
    for (const episode of episodes) {
      episode.session = this.player.sessions?.openSession() ?? null;
      this.worlds.open(episode);
    }
    await this.worlds.settle(episodes);
    this.worlds.check();
  }

  /** Whether an episode is over; its world is then closed, and its place in the cache is for another. */
  private endIfOver(episode: Running): boolean {
    const isOver = episode.pending === null && this.worlds.isOver(episode);
    if (isOver) {
      episode.session?.close();
      void this.worlds.close(episode);
    }
    return isOver;
  }

  private async playTurn(ready: readonly Running[]): Promise<void> {
    const { player, options, taskSet } = this;
    const readings = ready.map(({ instruction, memory, turn }) => {
      const { observation, admissibleActions } = turn!;
      return memory.read({ instruction, observation, admissibleActions });
    });
    const requests = ready.map((episode, index) => {
      const { number, steps, turn, session, faults } = episode;
      const { tokens, context } = readings[index]!;
      if (context !== episode.context) session?.clear();
      episode.context = context;
      const constraint = player.constrain?.(turn!.admissibleActions);
      return {
        prompt: tokens,
        episode: number,
        turn: steps.length + faults * turnsOfTry,
        ...(constraint ? { constraint } : {}),
        ...(session ? { session } : {}),
        ...(episode.firstState === null ? {} : { stateRow: episode.firstState + steps.length }),
      };
    });
    const asked = performance.now();
    const replies = await player.generator.generate(requests, options.controls);
    const answered = performance.now();
    for (const [index, episode] of ready.entries()) {
      const { tokens, logProbs, bound } = replies[index]!;
      const { tokens: prompt, context, truncated } = readings[index]!;
      const { observation, admissibleActions } = episode.turn!;
      const text = readReply(player, tokens, admissibleActions);
      const { action, valid } = parseReply(player.format, text, admissibleActions, taskSet.thinkAction?.verlTailLength);
      this.worlds.step(episode, action, (turn) => {
        const { steps, memory, task, number } = episode;
        memory.wrote(tokens, action);
        steps.push({
          group: task.id,
          trajectory: episodeId(number),
          step: steps.length,
          reward: turn.reward,
          valid,
          observation,
          prompt,
          context,
          reply: tokens,
          logProbs,
          ...(bound ? { bound } : {}),
          action,
          actions: admissibleActions,
          truncated,
          seconds: { reply: (answered - asked) / 1000, world: (performance.now() - answered) / 1000 },
        });
      });
    }
    await this.worlds.settle(ready);
  }
}

function resultOf(all: readonly Running[]): RolloutResult {
  const dropped = all.flatMap(({ number, task, faults, failure }) =>
    failure === null ? [] : [{ id: episodeId(number), task, faults, error: failure }],
  );
  return { episodes: all.filter(({ failure }) => failure === null).map(finish), dropped };
}

/**
 * What came of several batches, as of one.
 * @throws {ProxmoError} `environment` if too large a share was given up
 */
export function mergedRollout(batches: readonly RolloutResult[]): RolloutResult {
  const episodes = batches.flatMap((batch) => batch.episodes);
  const dropped = batches.flatMap((batch) => batch.dropped);
  const last = dropped.at(-1);
  const count = episodes.length + dropped.length;
  if (!last || dropped.length <= largestDroppedShare * count) return { episodes, dropped };
  throw new ProxmoError(
    'environment',
    `The environment failed ${dropped.length} of ${count} episodes on all of their tries, too many to go on; the last one, in task ${last.task.id}: ${last.error.message}`,
    { cause: last.error },
  );
}

function finish({ number, task, instruction, steps, turn, faults, firstState }: Running): Episode {
  const { success, score = Number(success), components = {} } = turn!;
  const rows = steps.map((step) => ({ ...step, success }));
  const states = firstState === null ? {} : { firstState };
  return { id: episodeId(number), task, instruction, steps: rows, success, score, components, faults, ...states };
}

function episodeId(number: number): string {
  return `episode-${number}`;
}

/** The text of a reply, without its end token. */
function readReply(
  { tokenizer, prompts, endTokens = [tokenizer.endId] }: Player,
  tokens: readonly number[],
  offered: readonly string[] | null,
): string {
  return prompts.writing.read(endTokens.includes(tokens.at(-1) ?? -1) ? tokens.slice(0, -1) : tokens, offered);
}
