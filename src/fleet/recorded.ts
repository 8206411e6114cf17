/**
 * Episodes as messages. What follows from the rest is not sent: the coordinator plays each episode again with the
 * replies that were recorded, so that prompts, actions and trees are its own. The world that answers is the recorded
 * one, or, in an audit, a real one, whose turns must agree.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Environment, Task, TaskSet, Turn } from '../envs/environment.ts';
import { type Fault, FaultLog } from '../envs/faults.ts';
import type { Reply } from '../nn/generator.ts';
import { type GenerationRequest, Row } from '../nn/generatorBatch.ts';
import type { Policy } from '../rl/policy.ts';
import { type DroppedEpisode, type Episode, type EpisodeBatch, playBatch, type RolloutResult } from '../rl/rollout.ts';
import { floatsToText, textToFloats } from './codec.ts';
import type { Answer, EpisodeOutcome, PlayedEpisode, PlayedStep, ToldFault } from './protocol.ts';

/** What an answer says of the episodes of a batch. */
export type Told = Extract<Answer['result'], { readonly kind: 'episodes' }>;

/** The policy that played, as far as replies depend on it. */
export type Teller = Pick<Policy, 'player' | 'tokenizer' | 'config' | 'model'>;

/** A batch that was played, for an answer. */
export function told(batch: EpisodeBatch, { episodes, dropped }: RolloutResult, faults: readonly Fault[]): Told {
  const played = new Map(episodes.map((episode) => [episode.id, playedOf(episode)]));
  const lost = new Map(dropped.map((episode) => [episode.id, droppedOf(episode)]));
  return {
    kind: 'episodes',
    episodes: batch.tasks.map((_, index) => {
      const id = `episode-${batch.firstEpisode + index}`;
      return played.get(id) ?? lost.get(id)!;
    }),
    faults: faults.map(({ task, attempt, step, error }) => ({ task: task.id, attempt, step, error: errorOf(error) })),
  };
}

export function errorOf(error: unknown): { readonly code: string; readonly message: string } {
  return error instanceof Error
    ? { code: error instanceof ProxmoError ? error.code : 'unexpected', message: error.message }
    : { code: 'unexpected', message: String(error) };
}

function playedOf({ instruction, steps, success, score, components, faults }: Episode): PlayedEpisode {
  return {
    instruction,
    steps: steps.map(({ observation, actions, reply, logProbs, reward, seconds }) => ({
      observation,
      actions: actions && [...actions],
      reply: [...reply],
      logProbs: floatsToText(logProbs),
      reward,
      seconds,
    })),
    success,
    score,
    components: { ...components },
    faults,
  };
}

function droppedOf({ faults, error }: DroppedEpisode): EpisodeOutcome {
  return { dropped: { faults, error: errorOf(error) } };
}

/**
 * The episodes of an answer, as if they had been played here.
 * @param world in which they are played again: `recordedWorld`, or the environment itself
 * @param faults takes note of the faults that are told
 * @throws {ProxmoError} `data` if the answer cannot have been played; `environment` as `FaultLog.note`
 */
export async function playedAgain(
  policy: Teller,
  world: TaskSet,
  batch: EpisodeBatch,
  { episodes, faults }: Told,
  controls: Parameters<typeof playBatch>[3]['controls'],
): Promise<RolloutResult> {
  if (episodes.length !== batch.tasks.length)
    throw altered(`it has ${episodes.length} episodes of ${batch.tasks.length}`);
  for (const { task } of faults)
    if (!batch.tasks.some(({ id }) => id === task))
      throw altered(`it tells of a fault in ${task}, which is not played`);
  const replies = new RecordedReplies(policy, batch, episodes);
  // Without sessions: nothing is read, so nothing is kept.
  const { sessions: _, ...player } = policy.player;
  const log = new FaultLog({ maxAttempts: 1, onFailure: 'drop', maxFaults: Number.MAX_SAFE_INTEGER });
  const result = await playBatch({ ...player, generator: replies }, world, batch, {
    controls,
    firstEpisode: batch.firstEpisode,
    faults: log,
  });
  return asTold(result, batch, episodes);
}

/** Puts in what an episode that is played again does not know: how long it took, and how often its world failed. */
function asTold(result: RolloutResult, batch: EpisodeBatch, outcomes: readonly EpisodeOutcome[]): RolloutResult {
  const outcomeOf = (id: string) => outcomes[Number(id.slice('episode-'.length)) - batch.firstEpisode]!;
  const episodes = result.episodes.map((episode): Episode => {
    const outcome = outcomeOf(episode.id);
    if ('dropped' in outcome) throw altered(`${episode.id} is said to have failed, but can be played`);
    if (outcome.steps.length !== episode.steps.length)
      throw altered(`${episode.id} has ${outcome.steps.length} steps, but ends after ${episode.steps.length}`);
    const steps = episode.steps.map((step, index) => ({ ...step, seconds: outcome.steps[index]!.seconds }));
    return { ...episode, steps, faults: outcome.faults };
  });
  const dropped = result.dropped.map((episode): DroppedEpisode => {
    const outcome = outcomeOf(episode.id);
    if (!('dropped' in outcome)) throw altered(`${episode.id} cannot be played again: ${episode.error.message}`);
    return {
      ...episode,
      faults: outcome.dropped.faults,
      error: new ProxmoError('environment', outcome.dropped.error.message),
    };
  });
  return { episodes, dropped };
}

/**
 * Answers with the replies of an answer, after a look at whether a policy could have written them.
 */
class RecordedReplies {
  private readonly vocabSize: number;
  private readonly maxNewTokens: number;
  private readonly endTokens: ReadonlySet<number>;

  constructor(
    { player, tokenizer, config, model }: Teller,
    private readonly batch: EpisodeBatch,
    private readonly episodes: readonly EpisodeOutcome[],
  ) {
    this.vocabSize = model.config.vocabSize;
    this.maxNewTokens = config.sampling.maxNewTokens;
    this.endTokens = new Set(player.endTokens ?? [tokenizer.endId]);
  }

  async generate(requests: readonly GenerationRequest[]): Promise<Reply[]> {
    return requests.map((request) => {
      const outcome = this.episodes[request.episode - this.batch.firstEpisode];
      const step = outcome && 'steps' in outcome ? outcome.steps[request.turn] : undefined;
      if (!step) throw altered(`episode-${request.episode} ends before its world does`);
      return this.replyTo(request, step);
    });
  }

  private replyTo(request: GenerationRequest, { reply, logProbs: text }: PlayedStep): Reply {
    const logProbs = Array.from(textToFloats(text, reply.length));
    const row = new Row(request, 0, 0, null, []);
    for (const [index, token] of reply.entries()) {
      if (this.isOver(row)) throw altered('a reply goes on after its end');
      if (token >= this.vocabSize) throw altered(`a reply has the token ${token} of ${this.vocabSize}`);
      if (row.bound && !row.bound.trie.tokensAt(row.node).includes(token))
        throw altered('a reply is none of the actions on offer');
      if (!(logProbs[index]! <= largestLogProb)) throw altered(`a log-probability is ${logProbs[index]}`);
      row.push(token, logProbs[index]!);
    }
    if (!this.isOver(row)) throw altered('a reply is cut short');
    const { tokens, bound } = row;
    return { tokens, logProbs, ...(bound ? { bound } : {}) };
  }

  private isOver({ tokens, isAtEnd }: Row): boolean {
    return isAtEnd || tokens.length >= this.maxNewTokens || this.endTokens.has(tokens.at(-1) ?? -1);
  }
}

/** A log-probability is at most 0, but for rounding. */
const largestLogProb = 1e-3;

/** The worlds of an answer: they say again what they are told to have said. */
export function recordedWorld(taskSet: TaskSet, episodes: readonly EpisodeOutcome[]): TaskSet {
  let next = 0;
  // A rollout opens the worlds of a batch in the order of its episodes.
  return { ...named(taskSet), createEnvironment: () => new RecordedEpisode(episodes[next++]!) };
}

function named({ name, types, maxSteps }: TaskSet): Pick<TaskSet, 'name' | 'types' | 'maxSteps' | 'tasks'> {
  return { name, types, maxSteps, tasks: () => [] };
}

class RecordedEpisode implements Environment {
  private step_ = 0;

  constructor(private readonly outcome: EpisodeOutcome) {}

  reset(): Turn & { readonly instruction: string } {
    if ('dropped' in this.outcome) throw new Error(this.outcome.dropped.error.message);
    return { ...this.turnAt(this.outcome, 0), instruction: this.outcome.instruction };
  }

  step(): Turn {
    if ('dropped' in this.outcome) throw new Error(this.outcome.dropped.error.message);
    return this.turnAt(this.outcome, ++this.step_);
  }

  private turnAt({ steps, success, score, components }: PlayedEpisode, index: number): Turn {
    const reward = index === 0 ? 0 : steps[index - 1]!.reward;
    const step = steps[index];
    if (step) {
      const { observation, actions } = step;
      return { observation, admissibleActions: actions, reward, done: false, success: false };
    }
    return { observation: '', admissibleActions: null, reward, done: true, success, score, components };
  }
}

/**
 * What differs between an answer and what its replies lead to in the environment itself; null if nothing does.
 * @param again the same replies, played in the environment
 */
export function disagreement(
  batch: EpisodeBatch,
  outcomes: readonly EpisodeOutcome[],
  again: RolloutResult,
): string | null {
  for (const [index, outcome] of outcomes.entries()) {
    const id = `episode-${batch.firstEpisode + index}`;
    const episode = again.episodes.find((candidate) => candidate.id === id);
    if ('dropped' in outcome || !episode) continue;
    const what = differenceOf(outcome, episode);
    if (what !== null) return `${id} (task ${batch.tasks[index]!.id}): ${what}`;
  }
  return null;
}

function differenceOf(told: PlayedEpisode, again: Episode): string | null {
  if (told.instruction !== again.instruction) return 'its task reads otherwise';
  for (const [index, { observation, actions, reward }] of told.steps.entries()) {
    const step = again.steps[index];
    if (!step) return `it goes on after step ${index}, where its world ends`;
    if (observation !== step.observation) return `what is seen in step ${index + 1} is another`;
    if (JSON.stringify(actions) !== JSON.stringify(step.actions)) return `step ${index + 1} offers other actions`;
    if (reward !== step.reward) return `the reward of step ${index + 1} is ${step.reward}, not ${reward}`;
  }
  if (told.success !== again.success || told.score !== again.score) return 'it comes to another end';
  return sameNumbers(told.components, again.components) ? null : 'its credit consists of something else';
}

function sameNumbers(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Notes the faults that an answer tells of. @throws {ProxmoError} `environment` where there are too many */
export function noteFaults(log: FaultLog, tasks: readonly Task[], faults: readonly ToldFault[]): void {
  for (const { task: id, attempt, step, error } of faults) {
    const task = tasks.find((candidate) => candidate.id === id);
    if (!task) continue;
    const code = error.code === 'non-finite' ? 'non-finite' : 'environment';
    log.note({ task, attempt, step, error: new ProxmoError(code, error.message) });
  }
}

function altered(what: string): ProxmoError {
  return new ProxmoError('data', `The answer cannot be what was played: ${what}.`);
}
