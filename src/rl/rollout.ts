/**
 * Rollouts: episodes played by the policy, many at a time. Every turn, all running episodes are prompted together, answered in one batch, and stepped. What was sampled
 * is kept as tokens, never decoded and encoded again.
 */
import type { Environment, Task, TaskSet, Turn } from '../envs/environment.ts';
import { ProxmoError } from '../errors.ts';
import type { Generator, SamplingControls } from '../nn/generator.ts';
import { type ActionFormat, parseReply } from '../text/actionFormat.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { PastTurn } from '../text/promptTypes.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { RolloutRow } from './rows.ts';

/** One turn of an episode, as it was played. */
export interface RolloutStep extends RolloutRow {
  /** Prompt tokens. */
  readonly prompt: readonly number[];
  /** Sampled tokens, the end token included. */
  readonly reply: readonly number[];
  /** The sampler's log-probability of each sampled token. */
  readonly logProbs: readonly number[];
  readonly action: string;
  /** Something was left out of the prompt to keep to its budget. */
  readonly truncated: boolean;
}

export interface Episode {
  readonly id: string;
  readonly task: Task;
  readonly instruction: string;
  readonly steps: readonly RolloutStep[];
  readonly success: boolean;
}

/** What plays: a policy with its prompts. */
export interface Player {
  readonly generator: Generator;
  readonly tokenizer: Tokenizer;
  readonly prompts: PromptBuilder;
  readonly format: ActionFormat;
}

export interface RolloutOptions {
  readonly controls: SamplingControls;
  /** First number of the episodes' random streams; each episode of a run needs a number of its own. */
  readonly firstEpisode: number;
  /** Called after each turn with the number of episodes still running. */
  readonly onTurn?: (running: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** An episode that is being played. */
interface Running {
  readonly number: number;
  readonly task: Task;
  readonly environment: Environment;
  readonly instruction: string;
  readonly history: PastTurn[];
  readonly steps: Omit<RolloutStep, 'success'>[];
  turn: Turn;
}

/**
 * Plays one episode for each task given; a task that stands there several times is a group.
 * @throws {ProxmoError} `interrupted` if the signal fires
 */
export async function playEpisodes(player: Player, taskSet: TaskSet, tasks: readonly Task[], options: RolloutOptions): Promise<Episode[]> {
  const episodes = await Promise.all(tasks.map((task, index) => start(taskSet, task, options.firstEpisode + index)));
  try {
    for (let running = episodes; running.length > 0; ) {
      options.signal?.throwIfAborted();
      await playTurn(player, running, options.controls);
      running = running.filter(({ turn, steps }) => !turn.done && steps.length < taskSet.maxSteps);
      options.onTurn?.(running.length, episodes.length);
    }
  } catch (error) {
    if (options.signal?.aborted) throw new ProxmoError('interrupted', 'The rollout was interrupted.', { cause: error });
    throw error;
  } finally {
    await Promise.all(episodes.map(({ environment }) => environment.close?.()));
  }
  return episodes.map(finish);
}

async function start(taskSet: TaskSet, task: Task, number: number): Promise<Running> {
  const environment = taskSet.createEnvironment();
  const turn = await environment.reset(task);
  return { number, task, environment, instruction: turn.instruction, history: [], steps: [], turn };
}

function finish({ number, task, instruction, steps, turn }: Running): Episode {
  const { success } = turn;
  return { id: episodeId(number), task, instruction, steps: steps.map((step) => ({ ...step, success })), success };
}

function episodeId(number: number): string {
  return `episode-${number}`;
}

async function playTurn(player: Player, running: readonly Running[], controls: SamplingControls): Promise<void> {
  const prompts = running.map((episode) =>
    player.prompts.build({
      instruction: episode.instruction,
      history: episode.history,
      step: episode.steps.length,
      observation: episode.turn.observation,
      admissibleActions: episode.turn.admissibleActions,
    }),
  );
  const requests = running.map(({ number, steps }, index) => ({ prompt: prompts[index]!.ids, episode: number, turn: steps.length }));
  const replies = await player.generator.generate(requests, controls);
  await Promise.all(
    running.map(async (episode, index) => {
      const { tokens, logProbs } = replies[index]!;
      const seen = episode.turn;
      const { action, valid } = parseReply(player.format, decodeReply(player.tokenizer, tokens), seen.admissibleActions);
      episode.turn = await episode.environment.step(action);
      episode.history.push({ observation: seen.observation, action });
      episode.steps.push({
        group: episode.task.id,
        trajectory: episodeId(episode.number),
        step: episode.steps.length,
        reward: episode.turn.reward,
        valid,
        observation: seen.observation,
        prompt: prompts[index]!.ids,
        reply: tokens,
        logProbs,
        action,
        truncated: prompts[index]!.truncated,
      });
    }),
  );
}

/** The text of a reply, without its end token. */
function decodeReply(tokenizer: Tokenizer, tokens: readonly number[]): string {
  return tokenizer.decode(tokens.at(-1) === tokenizer.endId ? tokens.slice(0, -1) : tokens);
}
