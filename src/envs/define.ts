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
import type { Environment, Expert, Task, TaskSet, Turn } from './environment.ts';
import { exploreWordsNow } from './exploration.ts';
import { chooseTasks, splits, splitTasks, type TasksBySplit } from './taskLists.ts';
import { EpisodeClock, taskProblem } from './turns.ts';

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
  /** Every task there is, to be split by `heldOut`; or the tasks of each split. */
  readonly tasks: readonly T[] | TasksBySplit<T>;
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

/** Episodes that are played to find the words. */
const exploredEpisodes = 500;

/** @throws {ProxmoError} `config` if the definition does not hold together */
export function defineTaskSet<T extends Task>(definition: TaskSetDefinition<T>): TaskSet<T> {
  const { name, maxSteps, createExpert, solution } = definition;
  const tasks = isList(definition.tasks) ? splitTasks(definition.tasks, definition.heldOut ?? 0.2) : definition.tasks;
  const types = definition.types ?? [...new Set(splits.flatMap((split) => tasks[split].map(({ type }) => type)))];
  checkTasks(name, tasks, types);
  let words: readonly string[] | undefined = definition.words;
  return {
    name,
    types,
    maxSteps,
    tasks: (split, count, seed) => chooseTasks(name, split, tasks[split], count, seed),
    allTasks: (split) => tasks[split],
    createEnvironment: () => new PlayedEnvironment(definition),
    words() {
      words ??= exploreWordsNow(this, Math.min(exploredEpisodes, tasks.train.length)) ?? [];
      return words;
    },
    ...(createExpert && { createExpert }),
    ...(solution && { solution }),
  };
}

function isList<T extends Task>(tasks: TaskSetDefinition<T>['tasks']): tasks is readonly T[] {
  return Array.isArray(tasks);
}

function checkTasks(name: string, tasks: TasksBySplit<Task>, types: readonly string[]): void {
  const wrong = (problem: string) =>
    new ProxmoError('config', `${name}: ${problem}; correct the definition of the task set.`);
  for (const split of splits) {
    const ids = new Set<string>();
    for (const task of tasks[split]) {
      const problem = taskProblem(task, types);
      if (problem !== null) throw wrong(problem);
      if (ids.has(task.id)) throw wrong(`two tasks of the ${split} split have the id ${task.id}`);
      ids.add(task.id);
    }
  }
  if (tasks.train.length === 0) throw wrong('there is no task to train on');
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
      this.clock.count(result.done ? endingTurn(result.value, winReward) : sightTurn(result.value)),
    );
  }

  async close(): Promise<void> {
    await this.leave();
  }

  private enter(task: T): Answer<Turn & { readonly instruction: string }> {
    const { play, instruction, name } = this.definition;
    this.clock.start();
    this.play = play(task);
    return whenAnswered(this.play.next(), (result) => {
      if (result.done)
        throw new ProxmoError(
          'environment',
          `${name}: task ${task.id} ended before any action; yield what the agent sees.`,
        );
      return { ...sightTurn(result.value), instruction: instruction(task) };
    });
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
