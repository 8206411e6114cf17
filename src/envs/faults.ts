/**
 * Faults of environments. A world that throws, hangs, dies or answers nonsense says nothing about who acts in it: its
 * episode is played again from the start, after a wait that doubles each time, and the fault is counted. Too many
 * faults are no accident any more, and end the run.
 */
import { z } from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { type Answer, withinTime } from './answer.ts';
import type { Task } from './environment.ts';

/** The settings of fault handling, as a configuration has them. */
export const faultSettingsShape = {
  /**
   * Longest wait for an answer of an environment in another process, in seconds. A world in this process that never
   * returns cannot be stopped.
   */
  stepTimeoutSeconds: z.number().positive().default(60),
  /** How often an episode is tried before the run stops. */
  maxAttempts: z.int().min(1).default(4),
  /** Faults of all episodes together, after which the run stops. */
  maxFaults: z.int().min(0).default(100),
  /** Wait before an episode is tried again, in seconds; doubles with each of its faults, up to half a minute. */
  retryDelaySeconds: z.number().min(0).default(0.5),
};

const faultSettingsSchema = z.object(faultSettingsShape);
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

const longestDelaySeconds = 30;

/** Counts the faults of a run, and knows when there were too many. */
export class FaultLog {
  readonly settings: FaultSettings;
  private total = 0;

  /** @param onFault told of every fault */
  constructor(
    settings: Partial<FaultSettings> = {},
    private readonly onFault?: (fault: Fault) => void,
  ) {
    this.settings = faultSettingsSchema.parse(settings);
  }

  /** Faults so far. */
  get count(): number {
    return this.total;
  }

  /**
   * Notes a fault.
   * @returns seconds to wait before the episode is tried again
   * @throws {ProxmoError} `environment` if the episode, or the run, had too many
   */
  note(fault: Fault): number {
    const { maxAttempts, maxFaults, retryDelaySeconds } = this.settings;
    const { task, attempt, step, error } = fault;
    this.total++;
    this.onFault?.(fault);
    const last = `the last one, in task ${task.id} ${step === 0 ? 'at its start' : `after ${step} steps`}: ${error.message}`;
    if (attempt >= maxAttempts) {
      const tries = attempt === 1 ? 'on its only try' : `on all of its ${attempt} tries`;
      throw new ProxmoError('environment', `The environment failed an episode ${tries}; ${last}`, { cause: error });
    }
    if (this.total > maxFaults) {
      throw new ProxmoError(
        'environment',
        `The environment failed ${this.total} times in this run, more than environment.maxFaults (${maxFaults}) allows; ${last}`,
        { cause: error },
      );
    }
    return Math.min(longestDelaySeconds, retryDelaySeconds * 2 ** (attempt - 1));
  }
}

/**
 * Asks an environment something where there is no second try, as when someone plays by hand.
 * @param name of the task set, for the message
 * @throws {ProxmoError} `environment` if it does not answer in time or throws anything
 */
export async function askOnce<T>(name: string, seconds: number, call: () => Answer<T>): Promise<T> {
  try {
    return await withinTime(call(), seconds, () => name);
  } catch (error) {
    if (error instanceof ProxmoError) throw error;
    throw new ProxmoError('environment', `The environment ${name} failed: ${String(error)}`, { cause: error });
  }
}
