/**
 * What the policy itself has done well, kept to be learned again beside the demonstrations. An update learns once from
 * each episode that was played, which is too little to find what many tasks have in common; over the run successes
 * become demonstrations of ever more tasks. (Self-imitation: Oh et al., arXiv 1806.05635; fine-tuning on own successes:
 * Yuan et al., arXiv 2308.01825.)
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import type { Task } from '../envs/environment.ts';
import type { TokenSequence } from '../nn/replies.ts';
import type { Episode } from './rollout.ts';

/** What goes into a checkpoint: the actions of a task's success, by the task's id. */
export const successesSchema = z.record(z.string(), z.array(z.string()));

interface Success {
  readonly task: Task;
  readonly actions: readonly string[];
  /** As sequences to learn from, once they were asked for. */
  sequences?: readonly TokenSequence[];
}

/** A success of each task that had one: that with the fewest actions, and of those the first. */
export class Successes {
  private readonly kept = new Map<string, Success>();

  /** @param pool lists the tasks that may be played */
  constructor(private readonly pool: () => readonly Task[]) {}

  note(episodes: readonly Pick<Episode, 'task' | 'success' | 'steps'>[]): void {
    for (const { task, success, steps } of episodes) {
      if (!success || steps.length >= (this.kept.get(task.id)?.actions.length ?? Number.POSITIVE_INFINITY)) continue;
      this.kept.set(task.id, { task, actions: steps.map(({ action }) => action) });
    }
  }

  /**
   * All that are kept, in the order in which tasks first succeeded.
   * @param recite plays actions again as demonstrations, `[tasks]`; called for those that it has not been called for
   */
  async sequences(
    recite: (successes: readonly Success[]) => Promise<readonly (readonly TokenSequence[])[]>,
  ): Promise<TokenSequence[]> {
    const unseen = [...this.kept.values()].filter(({ sequences }) => sequences === undefined);
    const recited = unseen.length > 0 ? await recite(unseen) : [];
    for (const [index, success] of unseen.entries()) success.sequences = recited[index]!;
    return [...this.kept.values()].flatMap(({ sequences }) => sequences!);
  }

  get state(): z.infer<typeof successesSchema> {
    return Object.fromEntries([...this.kept].map(([id, { actions }]) => [id, [...actions]]));
  }

  /** @throws {ProxmoError} `file` if a task is none of the pool */
  set state(saved: z.infer<typeof successesSchema>) {
    const byId = new Map(this.pool().map((task) => [task.id, task]));
    this.kept.clear();
    for (const [id, actions] of Object.entries(saved)) {
      const task = byId.get(id);
      if (task === undefined)
        throw new ProxmoError('file', `The checkpoint keeps a success of the task ${id}, which is none of this run's.`);
      this.kept.set(id, { task, actions });
    }
  }
}
