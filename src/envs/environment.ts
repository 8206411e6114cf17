/**
 * The interface between the trainer and the worlds that its policies act in. An environment plays one episode at a
 * time; a task set hands out tasks and makes environments. All calls may be asynchronous, so that an environment can
 * live in another process.
 */
import type { PointerStyle } from '../text/pointers.ts';
import type { ThinkActionStyle } from '../text/promptTypes.ts';

/** One task: everything that started from it belongs to one group when advantages are computed. */
export interface Task {
  /** Unique within the task set; the group key of rollouts. */
  readonly id: string;
  /** Task type for reports, for example `heat`. */
  readonly type: string;
}

/** What the agent sees after `reset` or `step`. */
export interface Turn {
  /** The raw observation: no history, no action list. It is the anchor for step-level advantages. */
  readonly observation: string;
  /** Actions the environment would accept now, or null where it does not say. */
  readonly admissibleActions: readonly string[] | null;
  /** Reward of the action just taken, from -1e30 to 1e30; 0 after `reset`. */
  readonly reward: number;
  /** The episode is over. */
  readonly done: boolean;
  /** The task is accomplished; only ever true on the turn that ends the episode. */
  readonly success: boolean;
  /**
   * Partial credit for the episode, from 0 to 1, on the turn that ends it; absent where the environment knows success
   * alone.
   */
  readonly score?: number;
  /**
   * What the credit consists of, by name, for reports: evaluations and metrics have their means, in which an episode
   * that does not name one counts 0.
   */
  readonly components?: Readonly<Record<string, number>>;
}

/** One running world. */
export interface Environment<T extends Task = Task> {
  /** Starts the episode of a task and returns its first turn, with the instruction. */
  reset(task: T): (Turn & { readonly instruction: string }) | Promise<Turn & { readonly instruction: string }>;
  /** Takes an action. After the episode is over, returns the last turn again. */
  step(action: string): Turn | Promise<Turn>;
  /** Frees what the environment holds. */
  close?(): void | Promise<void>;
}

/** Names of the splits: tasks to train on, held-out tasks in seen rooms, held-out tasks in unseen rooms. */
export type Split = 'train' | 'seen' | 'unseen';

/** A source of tasks and of the worlds to play them in. */
export interface TaskSet<T extends Task = Task> {
  readonly name: string;
  /** Every task type there is, in report order. */
  readonly types: readonly string[];
  /** Most steps that an episode may take. */
  readonly maxSteps: number;
  /**
   * `count` tasks of a split, distinct, in an order fixed by the seed. Task types take turns.
   * @throws {ProxmoError} `config` if the split has fewer tasks.
   */
  tasks(split: Split, count: number, seed: number): readonly T[];
  /** Every task of a split, in a fixed order, for evaluating each once; absent where there is no end to them. */
  allTasks?(split: Split): readonly T[];
  /** Makes an environment for one episode. */
  createEnvironment(): Environment<T>;
  /** A hand-written player that acts on observations alone, for demonstrations; absent where there is none. */
  createExpert?(): Expert;
  /** Who demonstrates the next task, where that is not always the expert. */
  createDemonstrator?(): Expert;
  /** The actions of a recorded solution of a task, or null where there is none; absent where nothing is recorded. */
  solution?(task: T): readonly string[] | null;
  /** How turns are put to a language model in the `think-action` format; absent for the general form. */
  readonly thinkAction?: ThinkActionStyle;
  /** How its observations are written with pointers (`prompt.vocabulary`); absent where they cannot be. */
  readonly pointers?: PointerStyle;
  /** Every word that its texts can contain, for a word-level vocabulary; absent where the set does not know. */
  words?(): readonly string[];
  /**
   * Words of its texts that could change places without changing what is to be done, as the names of things that are
   * carried about; each list by itself. Absent where there are none.
   */
  interchangeableWords?(): readonly (readonly string[])[];
  /** Frees what the environments share, for example a child process. */
  close?(): void | Promise<void>;
}

/** A player that sees what the policy sees. */
export interface Expert {
  /** Called at the start of an episode. */
  reset(instruction: string): void;
  /**
   * The next action.
   * @param taken the action that led to this turn, null on the first; by default the one that this expert named last,
   * but a demonstration may have taken another
   */
  act(turn: Turn, taken?: string | null): string;
  /**
   * It thinks that the task is accomplished, rightly or not, and has nothing more to do; absent for those who go on
   * until the episode ends.
   */
  readonly done?: boolean;
}
