/**
 * A task set in a few lines. An episode is a generator function: it yields what the agent sees, gets the action back,
 * and returns how it ended; its state is in its own local variables. Splits, the vocabulary, rewards, the step limit
 * and everything else that an environment owes its callers come by themselves.
 *
 *   defineTaskSet({
 *     name: 'doors',
 *     maxSteps: 4,
 *     tasks: ['red', 'green', 'blue'].map((colour) => ({ id: colour, type: 'open', colour })),
 *     instruction: ({ colour }) => `open the ${colour} door.`,
 *     *play({ colour }) {
 *       const action = yield { observation: 'you see three doors.', actions: ['open red', 'open green', 'open blue'] };
 *       return { observation: 'the door opens.', success: action === `open ${colour}` };
 *     },
 *   });
 */
import { ProxmoError } from '../base/errors.ts';
import { type Answer, whenAnswered } from './answer.ts';
import type { Environment, Expert, Split, Task, TaskSet, Turn } from './environment.ts';
import { exploreWordsNow } from './exploration.ts';
import { chooseTasks, splits, splitTasks, type TasksBySplit } from './taskLists.ts';
import { EpisodeClock, show, taskProblem } from './turns.ts';

/** What the agent sees while the episode goes on. */
export interface Sight {
  readonly observation: string;
  /** Actions that would be accepted now; may be left out where any text is. */
  readonly actions?: readonly string[] | null;
  /** Reward of the action just taken. Default 0. */
  readonly reward?: number;
}

/** How an episode ended. */
export interface Ending {
  readonly observation: string;
  readonly success: boolean;
  /** Reward of the last action. Default `winReward` if it succeeded, else 0. */
  readonly reward?: number;
  /** Partial credit, from 0 to 1. */
  readonly score?: number;
  /** What the credit consists of, by name. */
  readonly components?: Readonly<Record<string, number>>;
}

/** The course of an episode: sights out, actions in, the ending at last. */
export type Play = Generator<Sight, Ending, string> | AsyncGenerator<Sight, Ending, string>;

export interface TaskSetDefinition<T extends Task> {
  readonly name: string;
  /** Most steps of an episode. */
  readonly maxSteps: number;
  /**
   * Every task there is, to be split by `heldOut`; or the tasks of each split; or a function that gives those of a
   * split, which is called when they are needed, and needs `types`.
   */
  readonly tasks: readonly T[] | TasksBySplit<T> | ((split: Split) => Iterable<T>);
  /** The task in words. */
  instruction(task: T): string;
  play(task: T): Play;
  /** Task types in the order of reports. Default: in the order in which they turn up. */
  readonly types?: readonly string[];
  /** Share of the tasks that is held out of training. Default 0.2. */
  readonly heldOut?: number;
  /** Reward of a success. Default 10. */
  readonly winReward?: number;
  /** A player that acts on observations alone, for a warm start. */
  readonly createExpert?: () => Expert;
  /** The actions that accomplish a task. */
  readonly solution?: (task: T) => readonly string[] | null;
  /**
   * Every word that the texts can hold. Default: those that turn up in episodes played at random; asynchronous worlds
   * must give theirs.
   */
  readonly words?: readonly string[];
}

const ending = '{ observation, success }';
/** Episodes that are played to find the words. */
const exploredEpisodes = 500;

/** @throws {ProxmoError} `config` if the definition does not hold together */
export function defineTaskSet<T extends Task>(definition: TaskSetDefinition<T>): TaskSet<T> {
  const problem = definitionProblem(definition);
  if (problem !== null) throw new ProxmoError('config', `defineTaskSet: ${problem}; correct the definition.`);
  const { name, maxSteps, createExpert, solution } = definition;
  const lists = new TaskLists(definition);
  let words: readonly string[] | undefined = definition.words;
  return {
    name,
    types: lists.types,
    maxSteps,
    tasks: (split, count, seed) => chooseTasks(name, split, lists.of(split), count, seed),
    allTasks: (split) => lists.of(split),
    createEnvironment: () => new PlayedEnvironment(definition),
    words() {
      words ??= exploreWordsNow(this, Math.min(exploredEpisodes, lists.of('train').length)) ?? [];
      return words;
    },
    ...(createExpert && { createExpert }),
    ...(solution && { solution }),
  };
}

/** What is wrong with a value that should be a definition, but for its tasks; null if nothing is. */
function definitionProblem<T extends Task>(definition: TaskSetDefinition<T>): string | null {
  if (typeof definition !== 'object' || definition === null)
    return `it got ${show(definition)}, not { name, maxSteps, tasks, instruction, play }`;
  const { name, tasks, types, maxSteps } = definition;
  if (typeof name !== 'string' || name === '') return `name is ${show(name)}, not text`;
  if (!Number.isSafeInteger(maxSteps) || maxSteps < 1)
    return `maxSteps is ${show(maxSteps)}, not a whole number of 1 or more`;
  const missing = (['instruction', 'play'] as const).find((key) => typeof definition[key] !== 'function');
  if (missing) return `${missing} is ${show(definition[missing])}, not a function`;
  if (typeof tasks === 'function' && !types) return 'tasks is a function, so it needs types, a list of the task types';
  if (typeof tasks === 'function' || Array.isArray(tasks)) return null;
  const lacking = splits.find((split) => !isIterable((tasks as Partial<TasksBySplit<Task>> | undefined)?.[split]));
  return lacking ? `tasks is ${show(tasks)}, neither a list nor { train, seen, unseen } with a list for each` : null;
}

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

/** The tasks of a definition by split; those that a function gives are asked for when they are needed, once. */
class TaskLists<T extends Task> {
  readonly types: readonly string[];
  private readonly known = new Map<Split, readonly T[]>();

  constructor(private readonly definition: TaskSetDefinition<T>) {
    const { name, tasks, types, heldOut = 0.2 } = definition;
    if (typeof tasks === 'function') {
      this.types = types ?? [];
      return;
    }
    const lists = isList<T>(tasks) ? splitTasks(tasks, heldOut) : tasks;
    const listed = splits.map((split) => [split, [...lists[split]]] as const);
    this.types = types ?? [...new Set(listed.flatMap(([, list]) => list.map((task) => task?.type)))];
    for (const [split, list] of listed) this.keep(split, list);
    if (lists.train.length === 0) throw wrongTasks(name, 'there is no task to train on');
  }

  /** @throws {ProxmoError} `config` if the list has to be asked for and does not hold together */
  of(split: Split): readonly T[] {
    const { tasks, name } = this.definition;
    const known = this.known.get(split);
    if (known !== undefined || typeof tasks !== 'function') return known ?? [];
    const list = tasks(split);
    if (!isIterable(list)) throw wrongTasks(name, `tasks("${split}") is ${show(list)}, not a list`);
    return this.keep(split, [...list]);
  }

  private keep(split: Split, list: readonly T[]): readonly T[] {
    const { name } = this.definition;
    const ids = new Set<string>();
    for (const task of list) {
      const problem = taskProblem(task, this.types);
      if (problem !== null) throw wrongTasks(name, problem);
      if (ids.has(task.id)) throw wrongTasks(name, `two tasks of the ${split} split have the id ${task.id}`);
      ids.add(task.id);
    }
    this.known.set(split, list);
    return list;
  }
}

function isList<T extends Task>(tasks: readonly T[] | TasksBySplit<T>): tasks is readonly T[] {
  return Array.isArray(tasks);
}

function wrongTasks(name: string, problem: string): ProxmoError {
  return new ProxmoError('config', `${name}: ${problem}; correct the definition of the task set.`);
}

/** Plays a definition's episodes. */
class PlayedEnvironment<T extends Task> implements Environment<T> {
  private play: Play | null = null;
  private readonly clock: EpisodeClock;

  constructor(private readonly definition: TaskSetDefinition<T>) {
    this.clock = new EpisodeClock(definition.maxSteps);
  }

  reset(task: T): Answer<Turn & { readonly instruction: string }> {
    return whenAnswered(this.leave(), () => this.enter(task));
  }

  /** @throws {ProxmoError} `environment` before the first reset */
  step(action: string): Answer<Turn> {
    if (this.clock.ending !== null) return this.clock.ending;
    const { name, winReward = 10 } = this.definition;
    if (this.play === null) throw new ProxmoError('environment', `${name}: step before reset; call reset first.`);
    return whenAnswered(this.play.next(action), (result) =>
      this.clock.count(
        result.done ? endingTurn(this.given(result.value, 'returned', ending), winReward) : this.sight(result.value),
      ),
    );
  }

  async close(): Promise<void> {
    await this.leave();
  }

  private enter(task: T): Answer<Turn & { readonly instruction: string }> {
    const { definition } = this;
    const { name } = definition;
    this.clock.start();
    const play = definition.play(task);
    if (typeof play?.next !== 'function')
      throw new ProxmoError(
        'environment',
        `${name}: play gave ${show(play)}; make it a generator, as *play(task) { … }.`,
      );
    this.play = play;
    return whenAnswered(play.next(), (result) => {
      if (result.done)
        throw new ProxmoError(
          'environment',
          `${name}: task ${task.id} ended before any action; yield what the agent sees.`,
        );
      return { ...this.sight(result.value), instruction: definition.instruction(task) };
    });
  }

  private sight(value: Sight): Turn {
    return sightTurn(this.given(value, 'yielded', '{ observation, actions }'));
  }

  /** What an episode gave, if it is an object. @throws {ProxmoError} `environment` if it is none */
  private given<T>(value: T, how: string, wanted: string): T {
    if (typeof value === 'object' && value !== null) return value;
    throw new ProxmoError('environment', `${this.definition.name}: play ${how} ${show(value)}, not ${wanted}.`);
  }

  /** Lets the episode run its `finally` blocks. What a generator that is ended gives is not looked at. */
  private leave(): Answer<unknown> {
    const { play } = this;
    this.play = null;
    return play?.return({ observation: '', success: false });
  }
}

function sightTurn({ observation, actions = null, reward = 0 }: Sight): Turn {
  return { observation, admissibleActions: actions, reward, done: false, success: false };
}

function endingTurn({ observation, success, reward, score, components }: Ending, winReward: number): Turn {
  return {
    observation,
    admissibleActions: [],
    reward: reward ?? (success ? winReward : 0),
    done: true,
    success,
    ...(score === undefined ? {} : { score }),
    ...(components === undefined ? {} : { components }),
  };
}
