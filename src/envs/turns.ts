/**
 * What every episode must keep to: turns of the right shape, an end after `maxSteps`, and the last turn again for
 * whoever steps on.
 */
import type { Task, TaskSet, Turn } from './environment.ts';

/**
 * Largest size of a reward. Sums over an episode and a group then stay far within float32, in which policies learn
 * from them.
 */
export const largestReward = 1e30;

/**
 * What is wrong with a value that should be a turn, as `reward is NaN, not a number`; null for a turn that is right.
 */
export function turnProblem(turn: Turn): string | null {
  if (typeof turn !== 'object' || turn === null) return `the turn is ${show(turn)}, not an object`;
  const { observation, admissibleActions, reward, done, success, score, components } = turn;
  if (typeof observation !== 'string') return `observation is ${show(observation)}, not text`;
  if (admissibleActions !== null && !Array.isArray(admissibleActions))
    return `admissibleActions is ${show(admissibleActions)}, neither a list nor null`;
  const wrong = admissibleActions?.find((action) => typeof action !== 'string' || action.trim() === '');
  if (wrong !== undefined) return `admissibleActions holds ${show(wrong)}, which is no action`;
  const rewardIs = rewardProblem(reward);
  if (rewardIs !== null) return rewardIs;
  if (typeof done !== 'boolean') return `done is ${show(done)}, neither true nor false`;
  if (typeof success !== 'boolean') return `success is ${show(success)}, neither true nor false`;
  if (success && !done) return 'success is true before the episode is done';
  if (score !== undefined && !(score >= 0 && score <= 1)) return `score is ${show(score)}, not a number from 0 to 1`;
  const part = Object.entries(components ?? {}).find(([, value]) => !Number.isFinite(value));
  return part === undefined ? null : `components.${part[0]} is ${show(part[1])}, not a number`;
}

/** What is wrong with a reward, as a policy learns from it; null if nothing is. */
export function rewardProblem(reward: unknown): string | null {
  if (!Number.isFinite(reward)) return `reward is ${show(reward)}, not a number`;
  return Math.abs(reward as number) > largestReward
    ? `reward is ${show(reward)}, larger than ${largestReward} in size`
    : null;
}

/** What is wrong with the first turn of an episode; null if nothing is. */
export function openingProblem(turn: Turn & { readonly instruction: string }): string | null {
  const problem = turnProblem(turn);
  if (problem !== null) return problem;
  if (typeof turn.instruction !== 'string' || turn.instruction === '')
    return `instruction is ${show(turn.instruction)}, not text`;
  if (turn.reward !== 0) return `reward is ${turn.reward} before any action, not 0`;
  return turn.done ? 'the episode is done before any action' : null;
}

/** What is wrong with a value that should be a task set; null if nothing is. */
export function taskSetProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return `it is ${show(value)}, not an object`;
  const set = value as Partial<TaskSet>;
  if (typeof set.name !== 'string' || set.name === '') return `its name is ${show(set.name)}, not text`;
  if (!Number.isSafeInteger(set.maxSteps) || set.maxSteps! < 1)
    return `its maxSteps is ${show(set.maxSteps)}, not a whole number of 1 or more`;
  if (
    !Array.isArray(set.types) ||
    set.types.length === 0 ||
    set.types.some((type) => typeof type !== 'string' || type === '')
  )
    return `its types are ${show(set.types)}, not a list of names`;
  if (new Set(set.types).size < set.types.length) return `its types ${set.types.join(', ')} repeat`;
  if (typeof set.tasks !== 'function') return 'it has no method tasks';
  return typeof set.createEnvironment === 'function' ? null : 'it has no method createEnvironment';
}

/** What is wrong with a value that should be a task of one of these types; null if nothing is. */
export function taskProblem(task: Task, types: readonly string[]): string | null {
  if (typeof task !== 'object' || task === null) return `the task is ${show(task)}, not an object`;
  if (typeof task.id !== 'string' || task.id === '') return `a task's id is ${show(task.id)}, not text`;
  return types.includes(task.type)
    ? null
    : `the type of task ${task.id} is ${show(task.type)}, not one of ${types.join(', ')}`;
}

/** Ends an episode at its last step, and remembers how it ended. */
export class EpisodeClock {
  private steps = 0;
  private last: Turn | null = null;

  constructor(private readonly maxSteps: number) {}

  /** The first turn of a new episode. */
  start(): void {
    this.steps = 0;
    this.last = null;
  }

  /** The turn that ended the episode; null while it runs. */
  get ending(): Turn | null {
    return this.last;
  }

  /**
   * Counts a step: its turn, done if it was the last that there is.
   * @param atEnd what the turn says besides if it ends the episode
   */
  count(turn: Turn, atEnd: Pick<Turn, 'score'> = {}): Turn {
    this.steps++;
    if (!turn.done && this.steps < this.maxSteps) return turn;
    this.last = { ...turn, ...atEnd, done: true };
    return this.last;
  }
}

/** A value in words, in short. */
export function show(value: unknown): string {
  const text = typeof value === 'object' || typeof value === 'string' ? json(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A circle, or a number without end, has no JSON.
    return 'an object';
  }
}
