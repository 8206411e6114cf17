/** Task samplers of one's own. */
import { ProxmoError } from '../../base/errors.ts';
import type { Task } from '../../envs/environment.ts';
import { show } from '../../envs/turns.ts';
import { Random } from '../../tensor/random.ts';
import type { TaskSampler } from '../taskSampler.ts';
import { type OwnOptions, type OwnReference, OwnRegistry } from './registry.ts';

/** What a sampler is made with. */
export interface SamplerToolkit {
  /** The training tasks, at least `count`. */
  readonly pool: readonly Task[];
  /** Tasks of an iteration. */
  readonly count: number;
  /** Of the run. Chance that follows from it and from the iteration is the same after a stop. */
  readonly seed: number;
  readonly Random: typeof Random;
  readonly ProxmoError: typeof ProxmoError;
}

/** Makes a sampler from its options. What it knows of its tasks must be its `state`. */
export type TaskSamplerFactory = (options: OwnOptions, toolkit: SamplerToolkit) => OwnTaskSampler;

/** A sampler of one's own: `TaskSampler`, of which only `choose` is needed. */
export type OwnTaskSampler = Pick<TaskSampler, 'choose'> & Partial<TaskSampler>;

export const ownTaskSamplers = new OwnRegistry<TaskSamplerFactory>('task sampler', 'registerTaskSampler');

/**
 * Makes a task sampler of one's own known by a name, for `training: { taskSampler: { name } }`.
 * @throws {ProxmoError} `config` if there is no name, or no function
 * @example
 * registerTaskSampler('at random', (_, { pool, count, seed, Random }) => ({
 *   choose: (iteration) => new Random(seed, `tasks ${iteration}`).shuffle(pool).slice(0, count),
 * }));
 */
export function registerTaskSampler(name: string, factory: TaskSamplerFactory): void {
  ownTaskSamplers.add(name, factory);
}

/** @throws {ProxmoError} `config` if there is no such sampler, or it cannot be made */
export function makeOwnTaskSampler(
  reference: OwnReference,
  given: Pick<SamplerToolkit, 'pool' | 'count' | 'seed'>,
): TaskSampler {
  const { name } = reference;
  const sampler = ownTaskSamplers.make(reference, { ...given, Random, ProxmoError });
  if (typeof sampler?.choose !== 'function')
    throw new ProxmoError('config', `${name} makes no task sampler: what it gives has no function choose.`);
  const code = ownTaskSamplers.code(name);
  return {
    choose: (iteration) =>
      chosenTasks(
        code.run(`choose(${iteration})`, () => sampler.choose(iteration)),
        name,
        given,
      ),
    note: (tasks, episodes) => void code.run('note', () => sampler.note?.(tasks, episodes)),
    get state() {
      return sampler.state ?? null;
    },
    set state(state) {
      sampler.state = state;
    },
  };
}

/** The tasks of the pool that were chosen, as many as there are to be, and none twice. */
function chosenTasks(
  chosen: unknown,
  name: string,
  { pool, count }: Pick<SamplerToolkit, 'pool' | 'count'>,
): readonly Task[] {
  const refuse = (problem: string) =>
    new ProxmoError('config', `The task sampler ${name} ${problem}; choose ${count} different tasks of the pool.`);
  if (!Array.isArray(chosen)) throw refuse(`gives ${show(chosen)} and no list`);
  const known = new Set(pool);
  const stranger = chosen.find((task) => !known.has(task));
  if (stranger !== undefined) throw refuse(`gives ${show(stranger?.id ?? stranger)}, which is not in the pool`);
  if (new Set(chosen).size !== count || chosen.length !== count)
    throw refuse(`gives ${chosen.length} tasks, of which ${new Set(chosen).size} are different`);
  return chosen;
}
