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
import { type ActionFormat, matchAction } from '../text/actionFormat.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { contextSequences, createMemory, type MemoryForm, type TurnTokens } from './episodeMemory.ts';

/** How demonstrations are written as tokens. */
export interface Scribe {
  readonly tokenizer: Tokenizer;
  readonly prompts: PromptBuilder;
  /** `window` by default. */
  readonly memory?: MemoryForm;
  readonly format: ActionFormat;
}

export const teachers = ['expert', 'solution'] as const;

export interface DemonstrationOptions {
  /** The task set's expert, which acts on what it sees; or a task's recorded solution, action by action. */
  readonly teacher: (typeof teachers)[number];
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
  const { teacher, noise, seed, faults, beginnings } = options;
  checkTeacher(taskSet, options);
  const sequences: TokenSequence[] = [];
  const random = new Random(seed, 'demonstrations');
  const drawNoise = (offered: readonly string[] | null) =>
    random.uniform() < noise && offered?.length ? offered[random.below(offered.length)]! : null;
  let last: Error | null = null;
  let dropped = 0;
  for (const [index, task] of tasks.entries()) {
    const beginning = beginnings?.[index] ?? [];
    const stray: Stray = (turn, offered) => beginning[turn] ?? drawNoise(offered);
    for (let attempt = 1; ; attempt++) {
      const shown = await demonstrateOne(scribe, taskSet, task, teacher, faults, stray).catch(asInterrupted);
      if (!(shown instanceof Interrupted)) {
        sequences.push(...shown);
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
  { teacher, noise }: Pick<DemonstrationOptions, 'teacher' | 'noise'>,
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

/** Who demonstrates a task; null if nobody can. */
function teacherOf(taskSet: TaskSet, task: Task, teacher: DemonstrationOptions['teacher']): Expert | null {
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
  teacher: DemonstrationOptions['teacher'],
  faults: FaultLog,
  stray: Stray,
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
  const player = await attempt(() => teacherOf(taskSet, task, teacher));
  if (player === null) return [];
  const environment = await attempt(() => taskSet.createEnvironment());
  try {
    const opening = await ask(() => environment.reset(task), openingProblem);
    await attempt(() => player.reset(opening.instruction));
    return await demonstrateTurns(scribe, opening, turns, taskSet.maxSteps, {
      act: (turn, taken) => attempt(() => player.act(turn, taken)),
      isDone: () => player.done ?? false,
      step: (action) => ask(() => environment.step(action), turnProblem),
      stray,
    });
  } finally {
    const error = await closeEnvironment(environment);
    if (error) faults.noteClosing({ task, attempt: 1, step: turns.length, error });
  }
}

/** The action that is taken in place of the teacher's in a turn, counted from 0; null for the teacher's. */
type Stray = (turn: number, offered: readonly string[] | null) => string | null;

/** What a demonstration calls upon, turn by turn. */
interface Course {
  act(turn: Turn, taken: string | null): Promise<string>;
  isDone(): boolean;
  step(action: string): Promise<Turn>;
  readonly stray: Stray;
}

/** @param turns gets the turns of the episode as they come */
async function demonstrateTurns(
  { tokenizer, format, prompts, memory: form = 'window' }: Scribe,
  opening: Turn & { readonly instruction: string },
  turns: TurnTokens[],
  maxSteps: number,
  { act, isDone, step, stray }: Course,
): Promise<TokenSequence[]> {
  const memory = createMemory(form, prompts, [tokenizer.endId]);
  const tokensOf = (action: string, offered: Turn['admissibleActions']) =>
    replyOf({ tokenizer, format, prompts }, action, offered);
  let turn: Turn = opening;
  let taken: string | null = null;
  while (!turn.done && turns.length < maxSteps) {
    const { observation, admissibleActions } = turn;
    const named = await act(turn, taken);
    // The call has shown the teacher what its last action came to.
    if (isDone()) return contextSequences(turns);
    const wanted = matchAction(named, admissibleActions) ?? named;
    const action = stray(turns.length, admissibleActions) ?? wanted;
    const { tokens, context } = memory.read({ instruction: opening.instruction, observation, admissibleActions });
    const written = tokensOf(action, admissibleActions);
    memory.wrote(written, action);
    turn = await step(action);
    turns.push({
      prompt: tokens,
      context,
      reply: form === 'window' ? tokensOf(wanted, admissibleActions) : written,
      untaught: form === 'transcript' && action !== wanted,
    });
    taken = action;
  }
  return turn.success ? contextSequences(turns) : [];
}

/** The tokens of the reply that is an action. */
export function replyOf(
  { tokenizer, format, prompts }: Scribe,
  action: string,
  offered: Turn['admissibleActions'],
): number[] {
  const text =
    format === 'plain' ? prompts.writing.action(action, offered) : tokenizer.encode(thinkActionReply(action));
  return [...text, tokenizer.endId];
}

/** An action as the policy must write it. An expert has no thoughts to show, so its think tags are empty. */
function thinkActionReply(action: string): string {
  return `<think></think><action>${action}</action>`;
}
