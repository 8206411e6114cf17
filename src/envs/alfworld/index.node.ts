/**
 * The ALFWorld task set: the real text games, read from where ALFWorld's data lies. Its environments answer as the
 * original does, character for character. Tasks to train on are ALFWorld's split `train`, seen ones `valid_seen`,
 * unseen ones `valid_unseen`.
 */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { thinkActionMessage } from '../../text/promptThinkAction.ts';
import type { Expert, Split, TaskSet } from '../environment.ts';
import { chooseTasks, splits } from '../taskLists.ts';
import type { Game } from '../textgame/index.ts';
import { AlfworldEnvironment, type AlfworldTask } from './environment.ts';
import { AlfworldExpert } from './expert.ts';
import { idOfPath, type Library, type Listing, openLibrary, type StoredGame } from './library.node.ts';
import { GameLoader } from './loader.ts';
import { type AlfworldOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { type TaskType, typeOfPath } from './taskTypes.ts';
import { alfworldWords, carriedThings } from './words.ts';

export type { AlfworldEnvironment, AlfworldTask } from './environment.ts';
export type { AlfworldOptions } from './options.ts';
export { replayTranscripts } from './replay.node.ts';
export type { TaskType } from './taskTypes.ts';

/** What a split holds. */
export interface SplitCounts {
  /** Games that `allTasks` gives. */
  readonly tasks: number;
  /** Games left out because they have no solution. */
  readonly unsolvable: number;
  /** Games left out because ALFWorld plays none of their type. */
  readonly unsupported: number;
  /** Games on the option's list that the data lacks, or lacks a solution of. */
  readonly missing: number;
}

/** What is known of a split. */
interface SplitGames {
  readonly tasks: readonly AlfworldTask[];
  readonly counts: SplitCounts;
}

export class AlfworldTaskSet implements TaskSet<AlfworldTask> {
  readonly name = 'alfworld';
  readonly types: readonly TaskType[];
  readonly maxSteps: number;
  /** The structure of verl-agent's messages, and its rule for replies. */
  readonly thinkAction = { message: thinkActionMessage, verlTailLength: 30 };
  private readonly loader = new GameLoader();
  private readonly splits = new Map<Split, SplitGames>();
  /** By the data's name of a split. */
  private readonly shelves = new Map<string, Shelf>();
  /** By id, per name of a split; null if all games are to be played. */
  private readonly chosen: ReadonlyMap<string, ReadonlySet<string>> | null;

  /** @throws {ProxmoError} `file` if the list of games cannot be read. */
  constructor(
    private readonly options: ResolvedOptions,
    private readonly library: Library,
  ) {
    this.types = options.types;
    this.maxSteps = options.maxSteps;
    this.chosen = options.list === null ? null : readList(options.list);
  }

  /** @throws {ProxmoError} `config` if the split has fewer tasks; `file` if its folder cannot be read. */
  tasks(split: Split, count: number, seed: number): readonly AlfworldTask[] {
    const { tasks, counts } = this.open(split);
    const note = () =>
      ` (${this.options.splits[split]}, left out: ${counts.unsolvable} unsolvable, ${counts.unsupported} of other types)`;
    return chooseTasks(this.name, split, tasks, count, seed, note);
  }

  allTasks(split: Split): readonly AlfworldTask[] {
    return this.open(split).tasks;
  }

  /**
   * How many games a split has, and how many are left out.
   * @throws {ProxmoError} `file` if its folder cannot be read.
   */
  counts(split: Split): SplitCounts {
    return this.open(split).counts;
  }

  createEnvironment(): AlfworldEnvironment {
    return new AlfworldEnvironment(this.options, (task) => this.load(task));
  }

  createExpert(): Expert {
    return new AlfworldExpert();
  }

  /** @throws {ProxmoError} `environment` if the task is not of this task set; `file` if its game file is damaged. */
  solution(task: AlfworldTask): readonly string[] | null {
    return this.find(task).read().walkthrough;
  }

  /** @throws {ProxmoError} `file` if there is no game to take the wording from. */
  words(): readonly string[] {
    const split = splits.find((name) => this.allTasks(name).length > 0);
    if (split === undefined)
      throw new ProxmoError('file', 'alfworld: the data holds no game to play; check the options data and types.');
    return alfworldWords(this.loader.logicOf(this.find(this.allTasks(split)[0]!).read()));
  }

  interchangeableWords(): readonly (readonly string[])[] {
    return [carriedThings];
  }

  private load(task: AlfworldTask): Game {
    const stored = this.find(task);
    return this.loader.load(stored.read(), stored.where);
  }

  private find(task: AlfworldTask): StoredGame {
    const game = this.shelf(task.split).byId.get(task.id);
    if (game === undefined) {
      throw new ProxmoError(
        'environment',
        `alfworld: there is no game ${task.split}/${task.id}; take tasks from the same task set.`,
      );
    }
    return game;
  }

  private open(split: Split): SplitGames {
    let games = this.splits.get(split);
    if (games === undefined) this.splits.set(split, (games = this.choose(this.options.splits[split])));
    return games;
  }

  private choose(name: string): SplitGames {
    const { listing, byId } = this.shelf(name);
    const chosen = this.chosen?.get(name);
    const tasks: AlfworldTask[] = [];
    for (const { id } of listing.games) {
      const type = typeOfPath(id)!;
      if (this.types.includes(type) && (chosen?.has(id) ?? true)) tasks.push({ id, type, split: name });
    }
    const missing = [...(chosen ?? [])].filter((id) => !byId.has(id)).length;
    const { unsolvable, unsupported } = listing;
    return { tasks, counts: { tasks: tasks.length, unsolvable: unsolvable.length, unsupported, missing } };
  }

  /** The games of a split by the data's name of it; read once. */
  private shelf(name: string): Shelf {
    let shelf = this.shelves.get(name);
    if (shelf === undefined) {
      const listing = this.library.list(name);
      this.shelves.set(name, (shelf = { listing, byId: new Map(listing.games.map((game) => [game.id, game])) }));
    }
    return shelf;
  }
}

interface Shelf {
  readonly listing: Listing;
  readonly byId: ReadonlyMap<string, StoredGame>;
}

/** Paths, or paths by kind of task, as in AgentBench's lists. */
const listSchema = z.union([z.array(z.string()), z.record(z.string(), z.array(z.string()))]);

/** Ids of the games on a list, by the name of their split. */
function readList(file: string): ReadonlyMap<string, ReadonlySet<string>> {
  let paths: readonly string[];
  try {
    paths = Object.values(listSchema.parse(JSON.parse(readFileSync(file, 'utf8')))).flat();
  } catch (cause) {
    throw new ProxmoError('file', `alfworld: ${file} is no list of game paths in JSON; check the option list.`, {
      cause,
    });
  }
  const ids = new Map<string, Set<string>>();
  for (const path of paths) {
    const split = path.split(/[\\/]/).at(-4) ?? '';
    ids.set(split, (ids.get(split) ?? new Set()).add(idOfPath(path)));
  }
  return ids;
}

/**
 * The ALFWorld task set.
 *
 * @throws {ProxmoError} `config` on options that are unknown or out of range; `file` if the games are not where they
 * should be.
 */
export async function createAlfworldTaskSet(options: AlfworldOptions = {}): Promise<AlfworldTaskSet> {
  const resolved = resolveOptions(options);
  return new AlfworldTaskSet(resolved, openLibrary(resolved.data, Object.values(resolved.splits)));
}
