/**
 * The HTTP bridge: a task set whose worlds are played by a server in the form of AgentGym's environment servers
 * (`agentGym.ts`).
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { Environment, Split, Task, TaskSet, Turn } from '../environment.ts';
import { exploreWords } from '../exploration.ts';
import { chooseTasks, splitTasks, type TasksBySplit } from '../taskLists.ts';
import { EpisodeClock } from '../turns.ts';
import { findInstruction, readActions, readCreated, readTurn, type ServerId, type ServerTurn } from './agentGym.ts';
import { HttpClient } from './httpClient.ts';

/** Numbers of tasks, from the first up to but without the last. */
const range = z
  .tuple([z.int().min(0), z.int().min(0)])
  .refine(([from, to]) => from < to, { error: 'in a range [from, to] of tasks, from must be below to' });
const fields = z.record(z.string(), z.unknown());

const rangeOf = (split: string) =>
  range.meta({ description: `Numbers of the ${split} tasks, [from, to].`, examples: [[0, 100]] });

/** Names under which servers want the number of the task. They ignore those that they do not know. */
const taskKeys = ['data_idx', 'game', 'session_id', 'item_id', 'seed'];

export const httpOptionsSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'give the address of the server, as http://127.0.0.1:36001' })
    .describe('Address of the server, as `http://127.0.0.1:36001`.'),
  name: z.string().min(1).default('http').describe('Name of the task set.'),
  tasks: z
    .union(
      [
        z.int().min(2),
        z.strictObject({ train: rangeOf('training'), seen: rangeOf('seen'), unseen: rangeOf('unseen') }),
      ],
      {
        error:
          'give the number of tasks that the server has, or the range [from, to] of each of train, seen and unseen',
      },
    )
    .describe(
      "How many tasks the server has, or the numbers of each split's tasks, from the first up to but " +
        'without the last.',
    ),
  heldOut: z
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe('Share of the tasks that is held out of training, where `tasks` is a number.'),
  maxSteps: z.int().min(1).default(30).describe('Most steps of an episode.'),
  timeoutSeconds: z.number().positive().default(60).describe('Longest wait for an answer, in seconds.'),
  idKey: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Key of the environment's number in requests. Not set: as in the answer to `/create`, `env_idx` where " +
        'that is a bare number.',
    ),
  taskKey: z
    .string()
    .min(1)
    .optional()
    .describe("Key of the task's number in `/reset`. Not set: all that AgentGym's servers use."),
  createFields: fields.default({}).describe('Further fields of `/create`.'),
  resetFields: fields.default({ world_type: 'Text' }).describe('Further fields of `/reset`.'),
  progress: z
    .enum(['reward', 'score'])
    .default('reward')
    .describe("Which figure of an answer says how far the task is accomplished; ScienceWorld's is `score`."),
  fullProgress: z.number().positive().default(1).describe("The figure that means success; ScienceWorld's is 100."),
  winReward: z
    .number()
    .nullable()
    .default(null)
    .describe('Reward of a success, with 0 for all else; null leaves rewards to the server.'),
  words: z.array(z.string()).readonly().optional().describe('Words of the texts, for a word-level vocabulary.'),
  wordEpisodes: z
    .int()
    .min(0)
    .default(0)
    .describe('Episodes that are played at random, at the start, to find the words.'),
});
type ResolvedOptions = z.output<typeof httpOptionsSchema>;

export type HttpOptions = Readonly<z.input<typeof httpOptionsSchema>>;

/** A task is a number on the server. */
interface HttpTask extends Task {
  readonly index: number;
}

/**
 * Connects to a server.
 * @throws {ProxmoError} `config` if the options are wrong; `environment` if the server cannot be reached
 */
export async function createHttpTaskSet(
  options: HttpOptions | Readonly<Record<string, unknown>>,
): Promise<TaskSet<HttpTask>> {
  const resolved = resolveOptions(options);
  const set = new HttpTaskSet(resolved);
  await set.connect();
  const { words, wordEpisodes } = resolved;
  const known = words ?? (wordEpisodes > 0 ? await exploreWords(set, wordEpisodes) : null);
  return known === null ? set : Object.assign(set, { words: () => known });
}

/** The address that these options name. @throws {ProxmoError} `config` if they are wrong */
export function addressOf(options: Readonly<Record<string, unknown>>): string {
  return resolveOptions(options).url;
}

function resolveOptions(options: HttpOptions | Readonly<Record<string, unknown>>): ResolvedOptions {
  return checked(
    httpOptionsSchema,
    options,
    (problem) => new ProxmoError('config', `http: ${problem}; correct the environment options.`),
  );
}

class HttpTaskSet implements TaskSet<HttpTask> {
  readonly name: string;
  readonly types: readonly string[];
  readonly maxSteps: number;
  private readonly client: HttpClient;
  private readonly lists: TasksBySplit<HttpTask>;
  /** Environments of the server that nobody plays in: servers seldom forget one, so they are used again. */
  private idle: ServerId[] = [];
  /** The server says which actions there are, or has not been asked yet. */
  private listsActions = true;

  constructor(readonly options: ResolvedOptions) {
    this.name = options.name;
    this.types = [options.name];
    this.maxSteps = options.maxSteps;
    this.client = new HttpClient(options.url, options.timeoutSeconds);
    this.lists = listTasks(options);
  }

  /** Makes a first environment: whatever is wrong with the address shows now. */
  async connect(): Promise<void> {
    this.release(await this.acquire());
  }

  tasks(split: Split, count: number, seed: number): readonly HttpTask[] {
    return chooseTasks(this.name, split, this.lists[split], count, seed);
  }

  allTasks(split: Split): readonly HttpTask[] {
    return this.lists[split];
  }

  createEnvironment(): Environment<HttpTask> {
    return new HttpEnvironment(this);
  }

  async close(): Promise<void> {
    const idle = this.idle;
    this.idle = [];
    await Promise.all(idle.map((id) => this.discard(id)));
  }

  async acquire(): Promise<ServerId> {
    const { idKey, createFields } = this.options;
    const created =
      this.idle.pop() ??
      this.client.understand('/create', readCreated, await this.client.post('/create', createFields));
    return idKey === undefined ? created : { ...created, key: idKey };
  }

  release(id: ServerId): void {
    this.idle.push(id);
  }

  /**
   * Tells the server that an environment is not needed any more. Few servers can be told, so what they say to it does
   * not matter.
   */
  async discard({ key, id }: ServerId): Promise<void> {
    await this.client.post('/close', { [key]: id }).catch(() => undefined);
  }

  async reset({ key, id }: ServerId, { index }: HttpTask): Promise<ServerTurn> {
    const { taskKey, resetFields } = this.options;
    const numbers = Object.fromEntries((taskKey === undefined ? taskKeys : [taskKey]).map((name) => [name, index]));
    const answer = await this.client.post('/reset', { ...numbers, ...resetFields, [key]: id });
    return this.complete({ key, id }, this.client.understand('/reset', readTurn, answer));
  }

  async step({ key, id }: ServerId, action: string): Promise<ServerTurn> {
    const answer = await this.client.post('/step', { action, [key]: id });
    return this.complete({ key, id }, this.client.understand('/step', readTurn, answer));
  }

  /** A turn with its observation and its list of actions, where the server gives those at addresses of their own. */
  private async complete(server: ServerId, turn: ServerTurn): Promise<ServerTurn> {
    const query = { [server.key]: String(server.id) };
    // What `/reset` returns may be empty while the page is there.
    const observation = turn.observation ?? (await this.observe(query));
    if (turn.actions !== null || turn.done || !this.listsActions) return { ...turn, observation };
    const answer = await this.client.getIfThere('/available_actions', query);
    this.listsActions = answer !== null;
    return { ...turn, observation, actions: this.client.understand('/available_actions', readActions, answer) };
  }

  private async observe(query: Readonly<Record<string, string>>): Promise<string | null> {
    return this.client.understand('/observation', readTurn, await this.client.get('/observation', query)).observation;
  }
}

function listTasks({ tasks, name, heldOut }: ResolvedOptions): TasksBySplit<HttpTask> {
  const between = ([from, to]: readonly [number, number]) =>
    Array.from({ length: to - from }, (_, index) => ({
      id: `${name}-${from + index}`,
      type: name,
      index: from + index,
    }));
  if (typeof tasks === 'number') return splitTasks(between([0, tasks]), heldOut);
  return { train: between(tasks.train), seen: between(tasks.seen), unseen: between(tasks.unseen) };
}

class HttpEnvironment implements Environment<HttpTask> {
  private id: ServerId | null = null;
  /** The last question was answered as it should be. */
  private sound = true;
  private readonly clock: EpisodeClock;

  constructor(private readonly set: HttpTaskSet) {
    this.clock = new EpisodeClock(set.maxSteps);
  }

  async reset(task: HttpTask): Promise<Turn & { readonly instruction: string }> {
    this.clock.start();
    const answer = await this.ask(async () => {
      this.id ??= await this.set.acquire();
      return this.set.reset(this.id, task);
    });
    const turn = { ...this.toTurn(answer), reward: 0, done: false, success: false };
    return { ...turn, instruction: answer.instruction ?? findInstruction(turn.observation) };
  }

  async step(action: string): Promise<Turn> {
    if (this.clock.ending) return this.clock.ending;
    const { id } = this;
    if (id === null) throw new ProxmoError('environment', `${this.set.name}: step before reset; call reset first.`);
    const answer = await this.ask(() => this.set.step(id, action));
    const turn = this.toTurn(answer);
    return this.clock.count(turn, { score: turn.success ? 1 : this.progressOf(answer) });
  }

  async close(): Promise<void> {
    const { id } = this;
    this.id = null;
    if (id === null) return;
    if (this.sound) this.set.release(id);
    else await this.set.discard(id);
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    this.sound = false;
    const answer = await question();
    this.sound = true;
    return answer;
  }

  /** How far the task is accomplished, from 0 to 1. */
  private progressOf({ reward, score }: ServerTurn): number {
    const { progress, fullProgress } = this.set.options;
    return Math.min(1, Math.max(0, ((progress === 'score' ? score : reward) ?? 0) / fullProgress));
  }

  private toTurn(answer: ServerTurn): Turn {
    const { observation, actions, reward, done, success } = answer;
    const { winReward } = this.set.options;
    const ended = done ?? false;
    const won = ended && (success ?? this.progressOf(answer) >= 1);
    return {
      observation: observation ?? '',
      admissibleActions: actions,
      reward: winReward === null ? (reward ?? 0) : won ? winReward : 0,
      done: ended,
      success: won,
    };
  }
}
