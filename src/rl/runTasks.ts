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
  /** Tasks of the train split. */
  private listed: number | undefined;
  private played: readonly Task[] | undefined;

  constructor(
    private readonly taskSet: TaskSet,
    private readonly config: Pick<TrainConfig, 'training' | 'evaluation' | 'warmStart' | 'seed'>,
  ) {}

  /** Those that iterations take in turn. */
  get training(): readonly Task[] {
    const { pool, tasks, skip } = this.config.training;
    const size = Math.max(pool, tasks);
    this.played ??= this.ask('train', skip + size, this.config.seed).slice(skip);
    return this.played;
  }

  /** Those that are demonstrated before: as many as are asked for, or all of the split; none without an expert. */
  get demonstrated(): readonly Task[] {
    const { warmStart, seed } = this.config;
    if (warmStart.tasks === 0 || this.lacksExpert) return [];
    // A split that cannot be listed has as many as are asked for.
    this.listed ??= this.taskSet.allTasks?.('train').length || Number.POSITIVE_INFINITY;
    return this.ask('train', Math.min(warmStart.tasks, this.listed), seed);
  }

  /** Those that evaluations play. */
  get heldOut(): readonly Task[] {
    const { split, tasks, seed } = this.config.evaluation;
    return this.ask(split, tasks, seed);
  }

  /** What the user should know of the tasks before the run begins, a sentence each. */
  get notes(): string[] {
    const { warmStart } = this.config;
    const { name } = this.taskSet;
    const few = this.demonstrated.length;
    const notes = [
      warmStart.tasks > 0 && this.lacksExpert
        ? `${name} has no expert to learn from, so there is no warm start: the policy begins as it is. Set warmStart.tasks to 0 to leave this note out.`
        : null,
      few > 0 && few < warmStart.tasks
        ? `The train split of ${name} has ${few} tasks, so ${few} are demonstrated and not ${warmStart.tasks} (warmStart.tasks).`
        : null,
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
