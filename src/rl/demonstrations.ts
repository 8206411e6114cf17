/**
 * Demonstrations for the warm start: a teacher's episodes, as the policy would have read them, with the replies that it
 * should have given.
 */

import { ProxmoError } from '../base/errors.ts';
import { type Answer, Waits } from '../envs/answer.ts';
import type { Expert, Task, TaskSet, Turn } from '../envs/environment.ts';
import { askForTurn, closeEnvironment, type FaultLog } from '../envs/faults.ts';
import { openingProblem, turnProblem } from '../envs/turns.ts';
import type { TokenSequence } from '../nn/replies.ts';
import { Random } from '../tensor/random.ts';
import { type ActedTurn, actThrough, type Course, replyOf, type Scribe } from './acting.ts';
import { contextSequences, type TurnTokens } from './episodeMemory.ts';

export const teachers = ['expert', 'solution'] as const;
type Teacher = (typeof teachers)[number];

export interface DemonstrationOptions {
  /**
   * The task set's expert, which acts on what it sees; a task's recorded solution, action by action; or actions that
   * are recited, those of each task, `[tasks]`.
   */
  readonly teacher: Teacher | readonly (readonly string[])[];
  /**
   * Share of turns in which an admissible action is taken at random in place of the teacher's, so that the teacher's
   * way back is demonstrated too (noise injection: Laskey et al., arXiv 1703.09327). The random action is not to be
   * learned: a window shows what the teacher would have done there; in a transcript, where what was done must stand, it
   * is context alone.
   */
  readonly noise: number;
  readonly seed: number;
  /** Counts the faults of the whole run. */
  readonly faults: FaultLog;
  /** Actions with which the episode of each task begins, `[tasks]`, before the teacher takes over; none by default. */
  readonly beginnings?: readonly (readonly string[])[];
}

/** Environment or teacher failed in the middle of a demonstration. */
class Interrupted extends Error {
  constructor(
    readonly step: number,
    readonly reason: Error,
  ) {
    super(reason.message);
  }
}

function asInterrupted(error: unknown): Interrupted {
  if (error instanceof Interrupted) return error;
  throw error;
}

/**
 * Lets the teacher play each task once, until it is accomplished or the teacher thinks so. Tasks that it does not
 * finish, has no solution of, or cannot play because the environment fails every time, are left out.
 * @throws {ProxmoError} `config` if the task set has no such teacher, or recorded solutions are asked to err;
 * `environment` if there were too many faults, or more than half of the tasks could not be played
 */
export async function demonstrate(
  scribe: Scribe,
  taskSet: TaskSet,
  tasks: readonly Task[],
  options: DemonstrationOptions,
): Promise<TokenSequence[]> {
  return (await demonstrateEach(scribe, taskSet, tasks, options)).flat();
}

/** As `demonstrate`, with the sequences of each task by themselves, `[tasks]`; none of one that is left out. */
export async function demonstrateEach(
  scribe: Scribe,
  taskSet: TaskSet,
  tasks: readonly Task[],
  options: DemonstrationOptions,
): Promise<TokenSequence[][]> {
  const { noise, seed, faults, beginnings } = options;
  const playerOf = playersOf(taskSet, options);
  const sequences: TokenSequence[][] = tasks.map(() => []);
  const random = new Random(seed, 'demonstrations');
  const drawNoise = (offered: readonly string[] | null) =>
    random.uniform() < noise && offered?.length ? offered[random.below(offered.length)]! : null;
  let last: Error | null = null;
  let dropped = 0;
  for (const [index, task] of tasks.entries()) {
    const beginning = beginnings?.[index] ?? [];
    const stray: NonNullable<Course['stray']> = (turn, offered) => beginning[turn] ?? drawNoise(offered);
    for (let attempt = 1; ; attempt++) {
      const shown = await demonstrateOne(scribe, taskSet, task, () => playerOf(task, index), faults, stray).catch(
        asInterrupted,
      );
      if (!(shown instanceof Interrupted)) {
        sequences[index] = shown;
        break;
      }
      const { step, reason } = shown;
      last = reason;
      const delay = faults.note({ task, attempt, step, error: reason });
      if (delay === null) {
        dropped++;
        break;
      }
      await new Waits().start(delay).over;
    }
  }
  if (last && 2 * dropped > tasks.length) {
    throw new ProxmoError(
      'environment',
      `${dropped} of ${tasks.length} demonstrations failed on all of their tries, too many to go on; the last one: ${last.message}`,
      { cause: last },
    );
  }
  return sequences;
}

/** @throws {ProxmoError} `config` if the task set has no such teacher, or recorded solutions are asked to err */
export function checkTeacher(
  taskSet: TaskSet,
  { teacher, noise }: { readonly teacher: Teacher; readonly noise: number },
): void {
  if (teacher === 'expert' && !taskSet.createExpert) {
    throw new ProxmoError(
      'config',
      `The environment ${taskSet.name} has no expert to learn from; set warmStart.tasks to 0.`,
    );
  }
  if (teacher === 'solution' && (!taskSet.solution || noise > 0)) {
    const problem = taskSet.solution
      ? 'A recorded solution cannot go on after a random action'
      : `The environment ${taskSet.name} has no recorded solutions`;
    throw new ProxmoError(
      'config',
      `${problem}; set warmStart.${taskSet.solution ? 'noise to 0' : 'teacher to expert'}.`,
    );
  }
}

/** Who demonstrates each task; null if nobody can. @throws {ProxmoError} as `checkTeacher` */
function playersOf(
  taskSet: TaskSet,
  { teacher, noise }: DemonstrationOptions,
): (task: Task, index: number) => Expert | null {
  if (typeof teacher !== 'string') return (_, index) => reciter(teacher[index]!);
  checkTeacher(taskSet, { teacher, noise });
  return (task) => teacherOf(taskSet, task, teacher);
}

function teacherOf(taskSet: TaskSet, task: Task, teacher: Teacher): Expert | null {
  if (teacher === 'solution') return reciter(taskSet.solution!(task));
  return taskSet.createDemonstrator?.() ?? taskSet.createExpert!();
}

/** A player that recites recorded actions. */
function reciter(actions: readonly string[] | null): Expert | null {
  if (!actions) return null;
  let next = 0;
  return { reset: () => {}, act: () => actions[next++] ?? '' };
}

async function demonstrateOne(
  scribe: Scribe,
  taskSet: TaskSet,
  task: Task,
  createPlayer: () => Expert | null,
  faults: FaultLog,
  stray: NonNullable<Course['stray']>,
): Promise<TokenSequence[]> {
  const turns: TurnTokens[] = [];
  const attempt = async <T>(call: () => Answer<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw new Interrupted(turns.length, error instanceof Error ? error : new Error(String(error)));
    }
  };
  const ask = <T extends Turn>(call: () => Answer<T>, problemOf: (turn: T) => string | null): Promise<T> =>
    attempt(() => askForTurn(taskSet.name, faults.settings.stepTimeoutSeconds, call, problemOf));
  const player = await attempt(createPlayer);
  if (player === null) return [];
  const environment = await attempt(() => taskSet.createEnvironment());
  try {
    const opening = await ask(() => environment.reset(task), openingProblem);
    await attempt(() => player.reset(opening.instruction));
    const course: Course = {
      act: (turn, taken) => attempt(() => player.act(turn, taken)),
      isDone: () => player.done ?? false,
      step: (action) => ask(() => environment.step(action), turnProblem),
      stray,
    };
    const { success, isThoughtDone } = await actThrough(scribe, opening, taskSet.maxSteps, course, (turn) =>
      turns.push(asLearned(scribe, turn)),
    );
    return success || isThoughtDone ? contextSequences(turns) : [];
  } finally {
    const error = await closeEnvironment(environment);
    if (error) faults.noteClosing({ task, attempt: 1, step: turns.length, error });
  }
}

/** A window is to say what the teacher wanted, whatever was done; in a transcript stands what was done. */
function asLearned(scribe: Scribe, { reading, offered, wanted, action, reply }: ActedTurn): TurnTokens {
  const { tokens: prompt, context } = reading;
  if (scribe.memory === 'transcript') return { prompt, context, reply, untaught: action !== wanted };
  return { prompt, context, reply: replyOf(scribe, wanted, offered), untaught: false };
}
