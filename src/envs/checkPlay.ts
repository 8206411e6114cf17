/**
 * Playing an environment under observation, for `check.ts`: every call has a time limit, and every turn is looked at.
 */
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { type Answer, withinTime } from './answer.ts';
import type { Environment, Task, TaskSet, Turn } from './environment.ts';
import { nonsenseAction } from './exploration.ts';
import { hashText, RandomStream } from './random.ts';
import { openingProblem, turnProblem } from './turns.ts';

/** What breaks the contract, in words. */
export class Broken extends Error {
  /** @param place where it was found; the same problem in another place is no news */
  constructor(
    readonly problem: string,
    place?: string,
  ) {
    super(place === undefined ? problem : `${place}: ${problem}`);
  }
}

/** An episode as it was played. */
export interface Recording {
  readonly task: Task;
  readonly instruction: string;
  /** The first turn, then one for each action. */
  readonly turns: readonly Turn[];
  readonly actions: readonly string[];
}

/** The next action after a turn; null to stop. */
export type Chooser = (turn: Turn, step: number) => string | null;

export class Observer {
  /** Steps taken so far. */
  steps = 0;

  constructor(
    readonly taskSet: TaskSet,
    private readonly seconds: number,
  ) {}

  /** Starts an episode. @throws {Broken} if its first turn is not right */
  async open(environment: Environment, task: Task): Promise<Turn & { readonly instruction: string }> {
    const turn = await this.attempt('reset', `task ${task.id}`, () => environment.reset(task));
    const problem = openingProblem(turn);
    if (problem !== null) throw new Broken(problem, `task ${task.id}, first turn`);
    return turn;
  }

  /** Takes a step. @throws {Broken} if its turn is not right */
  async step(environment: Environment, action: string, where: string): Promise<Turn> {
    this.steps++;
    const turn = await this.attempt(`step "${action}"`, where, () => environment.step(action));
    const problem = turnProblem(turn);
    if (problem !== null) throw new Broken(problem, `${where}, after "${action}"`);
    return turn;
  }

  /**
   * Plays an episode until it is done, the chooser stops, or there are no more steps.
   * @throws {Broken} at the first thing that is not right
   */
  async play(environment: Environment, task: Task, choose: Chooser): Promise<Recording> {
    const first = await this.open(environment, task);
    const turns: Turn[] = [first];
    const actions: string[] = [];
    for (let turn: Turn = first; !turn.done && actions.length < this.taskSet.maxSteps; ) {
      const action = choose(turn, actions.length);
      if (action === null) break;
      turn = await this.step(environment, action, `task ${task.id}, step ${actions.length + 1}`);
      turns.push(turn);
      actions.push(action);
    }
    return { task, instruction: first.instruction, turns, actions };
  }

  /** Uses a new environment, and closes it. */
  async withEnvironment<T>(use: (environment: Environment) => Promise<T>): Promise<T> {
    const environment = await this.attempt('createEnvironment', undefined, () => this.taskSet.createEnvironment());
    try {
      return await use(environment);
    } finally {
      await this.attempt('close', undefined, () => environment.close?.());
    }
  }

  private async attempt<T>(what: string, place: string | undefined, call: () => Answer<T>): Promise<T> {
    try {
      return await withinTime(call(), this.seconds, () => what);
    } catch (error) {
      if (error instanceof Broken) throw error;
      if (error instanceof ProxmoError) throw new Broken(error.message, place);
      throw new Broken(`${what} failed: ${errorMessage(error)}`, place);
    }
  }
}

/** Random admissible actions, the same for a task and a seed; now and then one that does not exist. */
export function wander(task: Task, seed: number): Chooser {
  const random = new RandomStream(seed, hashText(task.id));
  return ({ admissibleActions }) =>
    admissibleActions?.length && random.below(8) > 0 ? random.pick(admissibleActions) : nonsenseAction;
}

/** Takes these actions in turn, then stops. */
export function script(actions: readonly string[]): Chooser {
  return (_, step) => actions[step] ?? null;
}

/** Where two turns differ, as `observation is "a" and then "b"`; null if they do not. */
export function turnDifference(a: Turn, b: Turn): string | null {
  for (const field of [
    'observation',
    'admissibleActions',
    'reward',
    'done',
    'success',
    'score',
    'components',
  ] as const) {
    const [x, y] = [JSON.stringify(a[field]), JSON.stringify(b[field])];
    if (x !== y) return `${field} is ${shorten(x)} and then ${shorten(y)}`;
  }
  return null;
}

/** Where two recordings of the same actions differ; null if they do not. */
export function recordingDifference(a: Recording, b: Recording): string | null {
  if (a.instruction !== b.instruction)
    return `instruction is ${shorten(a.instruction)} and then ${shorten(b.instruction)}`;
  for (const [step, turn] of a.turns.entries()) {
    const other = b.turns[step];
    if (!other) return `step ${step}: the episode has ended already`;
    const difference = turnDifference(turn, other);
    if (difference !== null)
      return step === 0 ? `first turn: ${difference}` : `step ${step} ("${a.actions[step - 1]}"): ${difference}`;
  }
  return null;
}

function shorten(text: string | undefined): string {
  if (text === undefined) return 'absent';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
