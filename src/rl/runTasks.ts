/**
 * The tasks of a run. Each list is asked for once, when it is first needed, and looked at: a task that comes twice
 * would count twice and mix the episodes of two groups.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Split, Task, TaskSet } from '../envs/environment.ts';
import { taskProblem } from '../envs/turns.ts';
import type { TrainConfig } from './config.ts';

export class RunTasks {
  private readonly known = new Map<string, readonly Task[]>();
  /** How many tasks there are of each split that was asked for. */
  private readonly sizes = new Map<Split, number>();
  private played: readonly Task[] | undefined;

  constructor(
    private readonly taskSet: TaskSet,
    private readonly config: Pick<TrainConfig, 'training' | 'evaluation' | 'warmStart' | 'seed'>,
  ) {}

  /**
   * Those that iterations take in turn: as many as are asked for, or all that the split has behind those left out.
   * @throws {ProxmoError} `config` if that is less than one iteration takes; `environment` as for all lists
   */
  get training(): readonly Task[] {
    const { pool, tasks, skip } = this.config.training;
    if (this.played) return this.played;
    const there = this.sizeOf('train') - skip;
    if (there < tasks)
      throw new ProxmoError(
        'config',
        `The train split of ${this.taskSet.name} has ${this.sizeOf('train')} tasks${skip > 0 ? `, of which the first ${skip} are left out (training.skip)` : ''}, but an iteration takes ${tasks} (training.tasks); set ${skip > 0 ? 'one of them' : 'it'} lower, or give the environment more tasks.`,
      );
    this.played = this.ask('train', skip + Math.min(Math.max(pool, tasks), there), this.config.seed).slice(skip);
    return this.played;
  }

  /** Those that are demonstrated before: as many as are asked for, or all of the split; none without an expert. */
  get demonstrated(): readonly Task[] {
    const { warmStart, seed } = this.config;
    if (warmStart.tasks === 0 || this.lacksExpert) return [];
    return this.ask('train', Math.min(warmStart.tasks, this.sizeOf('train')), seed);
  }

  /** Those that evaluations play: as many as are asked for, or all of their split. */
  get heldOut(): readonly Task[] {
    const { split, tasks, seed } = this.config.evaluation;
    return this.ask(split, Math.min(tasks, this.sizeOf(split)), seed);
  }

  /** What the user should know of the tasks before the run begins, a sentence each. */
  get notes(): string[] {
    const { warmStart, training, evaluation } = this.config;
    const { name } = this.taskSet;
    const few = this.demonstrated.length;
    const notes = [
      warmStart.tasks > 0 && this.lacksExpert
        ? `${name} has no expert to learn from, so there is no warm start: the policy begins as it is. Set warmStart.tasks to 0 to leave this note out.`
        : null,
      few > 0 ? this.noteFewer('train', few, 'demonstrated', warmStart.tasks, 'warmStart.tasks') : null,
      this.noteFewer('train', this.training.length, 'trained on', training.pool, 'training.pool'),
      this.noteFewer(evaluation.split, this.heldOut.length, 'evaluated on', evaluation.tasks, 'evaluation.tasks'),
      this.leak,
    ];
    return notes.filter((note) => note !== null);
  }

  /** Whether an expert is to demonstrate where there is none. */
  get lacksExpert(): boolean {
    return this.config.warmStart.teacher === 'expert' && this.taskSet.createExpert === undefined;
  }

  /** What there is to say where the run learns from tasks that it is evaluated on; null if it does not. */
  get leak(): string | null {
    const { split } = this.config.evaluation;
    if (split === 'train') return null;
    const learned = new Set([...this.training, ...this.demonstrated].map(({ id }) => id));
    const shared = this.heldOut.filter(({ id }) => learned.has(id));
    const [first] = shared;
    return first === undefined
      ? null
      : `${shared.length} of the ${this.heldOut.length} ${split} tasks, as ${first.id}, are training tasks of this run too, so success on them says nothing of new tasks; separate the splits of ${this.taskSet.name}.`;
  }

  /** What there is to say where a list has fewer tasks than a setting asks for; null if it has as many. */
  private noteFewer(split: Split, count: number, use: string, wanted: number, setting: string): string | null {
    return count < wanted
      ? `The ${split} split of ${this.taskSet.name} has ${this.sizeOf(split)} tasks, so ${count} are ${use} and not ${wanted} (${setting}).`
      : null;
  }

  /** A split that cannot be listed has as many as are asked for. */
  private sizeOf(split: Split): number {
    let size = this.sizes.get(split);
    if (size === undefined)
      this.sizes.set(split, (size = this.taskSet.allTasks?.(split).length || Number.POSITIVE_INFINITY));
    return size;
  }

  private ask(split: Split, count: number, seed: number): readonly Task[] {
    const key = JSON.stringify([split, count, seed]);
    let tasks = this.known.get(key);
    if (tasks === undefined) this.known.set(key, (tasks = this.checked(split, count, seed)));
    return tasks;
  }

  /** @throws {ProxmoError} `environment` if there are fewer than asked for, one comes twice, or one is no task */
  private checked(split: Split, count: number, seed: number): readonly Task[] {
    const { name, types } = this.taskSet;
    const tasks = this.taskSet.tasks(split, count, seed);
    const wrong = (problem: string) =>
      new ProxmoError('environment', `${name}: ${problem}; proxmo env check says more.`);
    if (tasks.length < count) throw wrong(`the ${split} split gives ${tasks.length} tasks, not ${count}`);
    const ids = new Set<string>();
    for (const task of tasks) {
      const problem = taskProblem(task, types);
      if (problem !== null) throw wrong(problem);
      if (ids.has(task.id)) throw wrong(`the ${split} split gives the task ${task.id} twice`);
      ids.add(task.id);
    }
    return tasks;
  }
}

/** Tasks as a text, by whose hash other ones are noticed. */
export function taskListing(tasks: readonly Task[]): string {
  return JSON.stringify(tasks.map(({ id, type }) => [id, type]));
}
