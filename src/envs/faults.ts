/**
 * Faults of environments. A world that throws, hangs, dies or answers nonsense says nothing about who acts in it: its
 * episode is played again from the start, after a wait that doubles each time, and the fault is counted. An episode
 * that fails every time is left out, or ends the run. Too many faults are no accident any more, and end the run too.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { type Answer, withinTime } from './answer.ts';
import type { Environment, Task, Turn } from './environment.ts';
import { rewardProblem } from './turns.ts';

/** What becomes of an episode whose world fails every time: it is left out, or the run stops. */
export const failureModes = ['drop', 'stop'] as const;

/** The settings of fault handling, as a configuration has them. */
export const faultSettingsShape = {
  stepTimeoutSeconds: z
    .number()
    .positive()
    .default(60)
    .describe(
      'Longest wait for an answer of an environment in another process, in seconds. A world in this process that never ' +
        'returns cannot be stopped.',
    ),
  maxAttempts: z.int().min(1).default(4).describe('How often an episode is tried whose world fails.'),
  onFailure: z
    .enum(failureModes)
    .default('drop')
    .describe('What comes after the last try: `drop` leaves the episode out and tells so, `stop` ends the run.'),
  maxFaults: z
    .int()
    .min(0)
    .default(100)
    .describe('Faults of a run, after which it stops. Those of one task count `maxAttempts` times at most.'),
  retryDelaySeconds: z
    .number()
    .min(0)
    .default(0.5)
    .describe(
      'Wait before an episode is tried again, in seconds; doubles with each of its faults, up to half a minute.',
    ),
};

const faultSettingsSchema = z.object(faultSettingsShape);
/** What happens when an environment fails: how long to wait, how often to try again, when to give up. */
export type FaultSettings = z.output<typeof faultSettingsSchema>;

/** One fault. */
export interface Fault {
  readonly task: Task;
  /** Which try of the episode, counted from 1. */
  readonly attempt: number;
  /** Steps taken before it. */
  readonly step: number;
  readonly error: Error;
}

/**
 * Tasks with rewards that cannot be learned from, after which a run stops. By then it is no accident of one task, and
 * to leave episodes out for what they were rewarded with would leave out one outcome and keep the other.
 */
const tasksWithBadRewards = 3;

/** What becomes of the episode of a fault. One whose world only failed to close has been played to its end. */
export type FaultOutcome = 'played again' | 'given up' | 'it counts';

const longestDelaySeconds = 30;
/** How long an environment may take to close. */
const closingSeconds = 5;

/**
 * Counts the faults of a run, and knows when there were too many.
 * @example
 * const faults = new FaultLog({ maxFaults: 10 }, (fault) => console.log(fault));
 */
export class FaultLog {
  readonly settings: FaultSettings;
  private total = 0;
  /** Faults of each task that count. */
  private readonly ofTask = new Map<string, number>();
  private readonly badRewards = new Set<string>();
  /** Failures to close that were told. */
  private readonly closings = new Set<string>();

  /** @param onFault told of every fault, and of what comes of it */
  constructor(
    settings: Partial<FaultSettings> = {},
    private readonly onFault?: (fault: Fault, outcome: FaultOutcome) => void,
  ) {
    this.settings = faultSettingsSchema.parse(settings);
  }

  /** Faults so far, as `maxFaults` counts them. */
  get count(): number {
    return this.total;
  }

  /** Goes on from the faults of an earlier part of the run. */
  resumeFrom(count: number): void {
    this.total = count;
  }

  /**
   * Notes a fault.
   * @returns seconds to wait before the episode is tried again; null if it is given up
   * @throws {ProxmoError} `environment` if the episode had its last try and is not to be left out, or the run had too
   * many faults; `non-finite` if rewards of several tasks cannot be learned from
   */
  note(fault: Fault): number | null {
    const { maxAttempts, maxFaults, onFailure, retryDelaySeconds } = this.settings;
    const { attempt, error } = fault;
    this.countOnce(fault);
    const isLast = attempt >= maxAttempts;
    this.onFault?.(fault, isLast ? 'given up' : 'played again');
    if (isLast && onFailure === 'stop') {
      const tries = attempt === 1 ? 'on its only try' : `on all of its ${attempt} tries`;
      throw new ProxmoError(
        'environment',
        `The environment failed an episode ${tries} (environment.onFailure drop would leave it out); the last one, ${describeFault(fault)}`,
        { cause: error },
      );
    }
    if (error instanceof ProxmoError && error.code === 'non-finite') this.badRewards.add(fault.task.id);
    if (this.badRewards.size >= tasksWithBadRewards) {
      throw new ProxmoError(
        'non-finite',
        `The environment answered rewards that cannot be learned from in ${this.badRewards.size} tasks; the last one, ${describeFault(fault)}`,
        { cause: error },
      );
    }
    if (this.total > maxFaults) {
      throw new ProxmoError(
        'environment',
        `The environment failed ${this.total} times in this run, more than environment.maxFaults (${maxFaults}) allows; the last one, ${describeFault(fault)}`,
        { cause: error },
      );
    }
    return isLast ? null : Math.min(longestDelaySeconds, retryDelaySeconds * 2 ** (attempt - 1));
  }

  /** Tells, once for each message, that a world failed to close. Its episode was over, so nothing comes of it. */
  noteClosing(fault: Fault): void {
    const { message } = fault.error;
    if (this.closings.has(message)) return;
    this.closings.add(message);
    this.onFault?.(fault, 'it counts');
  }

  /** One task that always fails must not use up what the whole run may. */
  private countOnce({ task }: Fault): void {
    const before = this.ofTask.get(task.id) ?? 0;
    if (before >= this.settings.maxAttempts) return;
    this.ofTask.set(task.id, before + 1);
    this.total++;
  }
}

/** Where a fault was, and what, on one line: `in task t3 after 2 steps: the disk is full`. */
export function describeFault({ task, step, error }: Fault): string {
  const place = step === 0 ? 'at its start' : `after ${step} ${step === 1 ? 'step' : 'steps'}`;
  return `in task ${task.id} ${place}: ${error.message.replace(/\s*\n\s*/g, ' ')}`;
}

/** A fault and what came of it, for a line of its own. */
export function tellFault(fault: Fault, outcome: FaultOutcome): string {
  return `environment fault ${describeFault(fault)} (try ${fault.attempt} of this episode; ${outcome})`;
}

/** What to throw where an environment gives a turn that is not as it should be. */
export function nonsense(name: string, problem: string, turn: Turn): ProxmoError {
  const code = problem === rewardProblem(turn?.reward) ? 'non-finite' : 'environment';
  return new ProxmoError(code, `${name} answered nonsense: ${problem}.`);
}

/**
 * Asks an environment for a turn, and looks at it.
 * @param name of the task set, for the message
 * @throws {ProxmoError} `environment` if it does not answer in time, throws anything, or answers nonsense
 */
export async function askForTurn<T extends Turn>(
  name: string,
  seconds: number,
  call: () => Answer<T>,
  problemOf: (turn: T) => string | null,
): Promise<T> {
  let turn: T;
  try {
    turn = await withinTime(call(), seconds, () => name);
  } catch (error) {
    if (error instanceof ProxmoError) throw error;
    throw new ProxmoError('environment', `The environment ${name} failed: ${String(error)}`, { cause: error });
  }
  const problem = problemOf(turn);
  if (problem !== null) throw nonsense(name, problem, turn);
  return turn;
}

/** Closes an environment, whose episode is over or given up. @returns why it could not; null if it could */
export async function closeEnvironment(environment: Environment): Promise<Error | null> {
  try {
    await withinTime(environment.close?.(), closingSeconds, () => 'close()');
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
