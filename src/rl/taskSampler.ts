/** Which tasks of the pool an iteration plays. */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { groupBy } from '../base/groupBy.ts';
import { checked } from '../base/schemaProblems.ts';
import type { Task } from '../envs/environment.ts';
import type { TrainConfig } from './config.ts';
import { makeOwnTaskSampler } from './own/taskSampler.ts';
import type { Episode } from './rollout.ts';

export const taskSamplers = ['in-turn', 'mixed-outcomes'] as const;

/** What is known of a task type. */
const typeStateSchema = z.object({
  /** How much the outcomes of a group differ, from 0 to 1: a moving average. */
  difference: z.number().min(0).max(1),
  /** Groups that the type has earned and not had yet. */
  credit: z.number(),
  /** Its tasks that were played so far. */
  played: z.number().int().min(0),
});

/** What of `mixed-outcomes` goes into a checkpoint, by task type. */
const typeStatesSchema = z.record(z.string(), typeStateSchema);

/** What of a sampler goes into a checkpoint: anything that JSON holds. */
export const samplerStateSchema = z.json();

/** Chooses the tasks of iterations. What it learned of them is its state, so that a resumed run chooses alike. */
export interface TaskSampler {
  /**
   * The tasks of an iteration, `training.tasks` of them, all different. Asked again, it gives the same.
   * @param iteration counted from 0
   */
  choose(iteration: number): readonly Task[];
  /** Takes note of the episodes of an iteration that is learned. */
  note(tasks: readonly Task[], episodes: readonly Pick<Episode, 'task' | 'score'>[]): void;
  /** Null where there is nothing to know. When it is set: @throws {ProxmoError} `file` if it is not this sampler's */
  state: z.infer<typeof samplerStateSchema>;
}

/**
 * The sampler of the settings.
 * @param pool the training tasks, at least `training.tasks`
 * @throws {ProxmoError} `config` if it is of a user's own and not there
 */
export function taskSampler(
  pool: readonly Task[],
  {
    training,
    seed,
  }: { readonly training: Pick<TrainConfig['training'], 'tasks' | 'taskSampler'>; readonly seed: number },
): TaskSampler {
  const { tasks: count, taskSampler: named } = training;
  if (typeof named !== 'string') return makeOwnTaskSampler(named, { pool, count, seed });
  return named === 'in-turn' ? inTurn(pool, count) : new MixedOutcomes(pool, count);
}

function inTurn(pool: readonly Task[], count: number): TaskSampler {
  return {
    choose: (iteration) => Array.from({ length: count }, (_, i) => pool[(iteration * count + i) % pool.length]!),
    note: () => {},
    state: null,
  };
}

/** Weight of a group in the moving average of its type. */
const groupWeight = 0.1;
/** Least share of its full weight that a type keeps, so that it is still tried now and then. */
const leastDifference = 0.05;

/**
 * Plays more of the task types in which the episodes of a group come to different ends: a group whose episodes all
 * succeed, or all fail, has no episode advantage to learn from. (Dynamic sampling of DAPO, arXiv 2503.14476, plays such
 * groups and throws them away; here they are played less.) A type counts as much as its mean difference; until it is
 * known, fully. Types get their groups by their credit, which carries over, so that small shares come to their turn.
 */
class MixedOutcomes implements TaskSampler {
  private readonly byType: ReadonlyMap<string, readonly Task[]>;
  private known = new Map<string, z.infer<typeof typeStateSchema>>();

  constructor(
    pool: readonly Task[],
    private readonly count: number,
  ) {
    this.byType = groupBy(pool, ({ type }) => type);
    this.state = {};
  }

  get state(): z.infer<typeof samplerStateSchema> {
    return Object.fromEntries(this.known);
  }

  set state(given: z.infer<typeof samplerStateSchema>) {
    const state = checked(
      typeStatesSchema,
      given,
      (problem) =>
        new ProxmoError(
          'file',
          `The checkpoint's state of the task sampler is not valid: ${problem}; take another one.`,
        ),
    );
    const unknown = { difference: 1, credit: 0, played: 0 };
    this.known = new Map([...this.byType.keys()].map((type) => [type, state[type] ?? unknown]));
  }

  choose(): readonly Task[] {
    const credits = this.earned();
    const chosen = new Map([...this.byType.keys()].map((type) => [type, 0]));
    return Array.from({ length: this.count }, () => {
      const [type, tasks] = [...this.byType]
        .filter(([name, { length }]) => chosen.get(name)! < length)
        .reduce((best, next) => (credits.get(next[0])! > credits.get(best[0])! ? next : best));
      const index = this.known.get(type)!.played + chosen.get(type)!;
      chosen.set(type, chosen.get(type)! + 1);
      credits.set(type, credits.get(type)! - 1);
      return tasks[index % tasks.length]!;
    });
  }

  note(tasks: readonly Task[], episodes: readonly Pick<Episode, 'task' | 'score'>[]): void {
    const groups = groupBy(episodes, ({ task }) => task.id);
    const credits = this.earned();
    for (const [type, state] of this.known) {
      const played = tasks.filter((task) => task.type === type);
      const differences = played.flatMap(({ id }) => {
        const group = groups.get(id);
        return group ? [spread(group.map(({ score }) => score))] : [];
      });
      this.known.set(type, {
        difference: differences.reduce((mean, value) => mean + groupWeight * (value - mean), state.difference),
        credit: credits.get(type)! - played.length,
        played: state.played + played.length,
      });
    }
  }

  /** Credits with what an iteration adds: its groups, shared out by weight. */
  private earned(): Map<string, number> {
    const weights = new Map([...this.known].map(([type, { difference }]) => [type, leastDifference + difference]));
    const sum = [...weights.values()].reduce((total, weight) => total + weight, 0);
    return new Map(
      [...this.known].map(([type, { credit }]) => [type, credit + (this.count * weights.get(type)!) / sum]),
    );
  }
}

/** Variance of scores as a share of the largest that scores from 0 to 1 can have, ¼. */
function spread(scores: readonly number[]): number {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  return (4 * scores.reduce((sum, score) => sum + (score - mean) ** 2, 0)) / scores.length;
}
