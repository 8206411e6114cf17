/**
 * The process bridge: a task set whose worlds are played by child processes that speak the process protocol
 * (`protocol.ts`).
 */
import { resolve } from 'node:path';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { Environment, Split, Task, TaskSet, Turn } from '../environment.ts';
import { exploreWords } from '../exploration.ts';
import type { Program } from '../started.ts';
import { chooseTasks, splits, type TasksBySplit } from '../taskLists.ts';
import { EpisodeClock, taskProblem } from '../turns.ts';
import { EnvironmentChild } from './child.node.ts';
import { splitCommand } from './commandLine.ts';
import {
  type Hello,
  helloSchema,
  openingSchema,
  protocolVersion,
  tasksSchema,
  toTurn,
  turnSchema,
} from './protocol.ts';

/** What the operating system takes as an argument. */
const word = z.string().regex(/^[^\0]*$/, 'must not contain a NUL character');

export const processOptionsSchema = z.strictObject({
  command: z
    .union([z.string().min(1), z.tuple([word.min(1)], word)], {
      error: 'give the program as a list of its name and arguments, or as a line of these',
    })
    .describe('The program and its arguments: a list, or a line that is split without a shell (`commandLine.ts`).'),
  cwd: word.default('.').describe('Folder that it runs in.'),
  env: z
    .record(z.string().regex(/^[^=\0]+$/), word)
    .default({})
    .describe("Environment variables besides this process's own."),
  options: z.record(z.string(), z.unknown()).default({}).describe('Handed to the program in `hello`.'),
  timeoutSeconds: z.number().positive().default(60).describe('Longest wait for an answer, in seconds.'),
  tasks: z.int().min(1).default(2000).describe('Most tasks of a split that are asked for.'),
  seed: z.int().min(0).default(0).describe('Seed that the program gets for its tasks.'),
  wordEpisodes: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Where the program lists no words: episodes that are played at random, at the start, to find them. ' +
        'With 0 there is no word-level vocabulary then.',
    ),
});

export type ProcessOptions = Readonly<z.input<typeof processOptionsSchema>>;

/**
 * Starts the program, and asks it for its name and tasks.
 * @throws {ProxmoError} `config` if the options are wrong; `environment` if the program does not start or does not
 * speak the protocol
 */
export async function createProcessTaskSet(
  options: ProcessOptions | Readonly<Record<string, unknown>>,
): Promise<TaskSet> {
  const resolved = resolveOptions(options);
  const pool = new ChildPool(resolved);
  try {
    const { hello, tasks } = await pool.introduce();
    const set = new ProcessTaskSet(pool, hello, tasks);
    const words = hello.words ?? (resolved.wordEpisodes > 0 ? await exploreWords(set, resolved.wordEpisodes) : null);
    return words === null ? set : Object.assign(set, { words: () => words });
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** The program that these options start. @throws {ProxmoError} `config` if they are wrong */
export function programOf(options: Readonly<Record<string, unknown>>): Program {
  const { command, cwd, env } = resolveOptions(options);
  return { command, cwd, env };
}

interface ResolvedOptions extends z.output<typeof processOptionsSchema> {
  readonly command: [string, ...string[]];
}

function resolveOptions(options: ProcessOptions | Readonly<Record<string, unknown>>): ResolvedOptions {
  const given = checked(
    processOptionsSchema,
    options,
    (problem) => new ProxmoError('config', `process: ${problem}; correct the environment options.`),
  );
  const command = typeof given.command === 'string' ? splitCommand(given.command, process.platform) : given.command;
  return { ...given, command, cwd: resolve(given.cwd) };
}

class ProcessTaskSet implements TaskSet {
  readonly name: string;
  readonly types: readonly string[];
  readonly maxSteps: number;

  constructor(
    private readonly pool: ChildPool,
    hello: Hello,
    private readonly lists: TasksBySplit<Task>,
  ) {
    this.name = hello.name;
    this.types = hello.types;
    this.maxSteps = hello.maxSteps;
  }

  tasks(split: Split, count: number, seed: number): readonly Task[] {
    return chooseTasks(this.name, split, this.lists[split], count, seed);
  }

  allTasks(split: Split): readonly Task[] {
    return this.lists[split];
  }

  createEnvironment(): Environment {
    return new ProcessEnvironment(this.pool, this.maxSteps);
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

/** A child with the episodes that it hosts. */
interface Host {
  readonly child: EnvironmentChild;
  readonly ready: Promise<Hello>;
  /** Names of its episodes. */
  readonly episodes: Set<string>;
  /** Its one episode shares it with no other. */
  readonly isAlone: boolean;
}

/** The children that run, each with as many episodes as it can host. */
class ChildPool {
  private hosts: Host[] = [];
  private parallel = 1;
  private nextEpisode = 1;
  /** Tasks whose child has died: any of them may be why, so from then on none can take others along. */
  private readonly suspects = new Set<string>();

  constructor(private readonly options: ResolvedOptions) {}

  /** Asks a first child what it is. */
  async introduce(): Promise<{ hello: Hello; tasks: TasksBySplit<Task> }> {
    const { child, ready } = this.start();
    const hello = await ready;
    this.parallel = hello.parallel;
    const { tasks: count, seed } = this.options;
    const answers = await Promise.all(
      splits.map((split) => child.request('tasks', { split, count, seed }, tasksSchema)),
    );
    const [train, seen, unseen] = answers.map(({ tasks }) => checkedTasks(tasks.slice(0, count), hello)) as [
      Task[],
      Task[],
      Task[],
    ];
    return { hello, tasks: { train, seen, unseen } };
  }

  /** A seat for a new episode, in a child that has one free, or in a new one. */
  seat(task: Task): { readonly host: Host; readonly episode: string } {
    this.hosts = this.hosts.filter(({ child }) => child.isAlive);
    const isAlone = this.suspects.has(task.id);
    const isFree = (host: Host) => !host.isAlone && host.episodes.size < this.parallel;
    const host = (isAlone ? undefined : this.hosts.find(isFree)) ?? this.start(isAlone);
    const episode = `e${this.nextEpisode++}`;
    host.episodes.add(episode);
    return { host, episode };
  }

  /** Notes that the child of a task's episode has died, where it had others too. */
  suspect(task: Task): void {
    if (this.parallel > 1) this.suspects.add(task.id);
  }

  async close(): Promise<void> {
    const hosts = this.hosts;
    this.hosts = [];
    await Promise.all(hosts.map(({ child }) => child.end()));
  }

  private start(isAlone = false): Host {
    const child = new EnvironmentChild(this.options);
    const ready = child.request('hello', { protocol: protocolVersion, options: this.options.options }, helloSchema);
    // Whoever takes a seat hears of a failure; until then it is nobody's.
    ready.catch(() => undefined);
    const host = { child, ready, episodes: new Set<string>(), isAlone };
    this.hosts.push(host);
    return host;
  }
}

function checkedTasks(tasks: readonly Task[], { name, types }: Hello): Task[] {
  const ids = new Set<string>();
  for (const task of tasks) {
    const problem = taskProblem(task, types) ?? (ids.has(task.id) ? `two tasks have the id ${task.id}` : null);
    if (problem !== null)
      throw new ProxmoError('environment', `${name} answered tasks with something else than it should: ${problem}.`);
    ids.add(task.id);
  }
  return [...tasks];
}

class ProcessEnvironment implements Environment {
  private seat: { readonly host: Host; readonly episode: string } | null = null;
  private task: Task | null = null;
  /** A question is on its way. */
  private asking = false;
  private readonly clock: EpisodeClock;

  constructor(
    private readonly pool: ChildPool,
    maxSteps: number,
  ) {
    this.clock = new EpisodeClock(maxSteps);
  }

  async reset(task: Task): Promise<Turn & { readonly instruction: string }> {
    if (this.seat && !this.seat.host.child.isAlive) this.leave();
    this.seat ??= this.pool.seat(task);
    this.task = task;
    const { host, episode } = this.seat;
    this.clock.start();
    const { instruction, ...turn } = await this.ask(async () => {
      await host.ready;
      return host.child.request('reset', { episode, task }, openingSchema);
    });
    return { ...toTurn(turn), instruction };
  }

  async step(action: string): Promise<Turn> {
    if (this.clock.ending) return this.clock.ending;
    if (!this.seat) throw new ProxmoError('environment', 'process: step before reset; call reset first.');
    const { host, episode } = this.seat;
    return this.clock.count(toTurn(await this.ask(() => host.child.request('step', { episode, action }, turnSchema))));
  }

  async close(): Promise<void> {
    if (!this.seat) return;
    const { host, episode } = this.seat;
    try {
      // A child that still owes an answer is not to be trusted with another episode.
      if (this.asking) host.child.kill('was given up');
      else if (host.child.isAlive) await host.child.request('close', { episode }, z.unknown());
    } finally {
      this.leave();
    }
  }

  private leave(): void {
    // A child of its own ends with its episode.
    if (this.seat?.host.isAlone) void this.seat.host.child.end();
    this.seat?.host.episodes.delete(this.seat.episode);
    this.seat = null;
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    this.asking = true;
    try {
      return await question();
    } catch (error) {
      if (this.task && this.seat?.host.child.isAlive === false) this.pool.suspect(this.task);
      throw error;
    } finally {
      this.asking = false;
    }
  }
}
