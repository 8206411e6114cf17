/**
 * The environments by name. Each factory takes plain options, as a configuration file gives them, and checks them
 * itself.
 */
import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from './environment.ts';
import { createHouseholdTaskSet } from './household/index.ts';

export type { Environment, Expert, Split, Task, TaskSet, Turn } from './environment.ts';
export { createHouseholdTaskSet, type HouseholdOptions, type HouseholdTask } from './household/index.ts';

/** Makes a task set from plain options; throws `ProxmoError` `config` on options it does not know. */
export type TaskSetFactory = (options: Readonly<Record<string, unknown>>) => TaskSet | Promise<TaskSet>;

/** Every environment, by the name that configurations use. */
export const environments: Readonly<Record<string, TaskSetFactory>> = {
  household: createHouseholdTaskSet,
};

/**
 * Makes the task set of a named environment.
 *
 * @throws {ProxmoError} `config` if there is no such environment or its options are not valid.
 */
export async function createTaskSet(name: string, options: Readonly<Record<string, unknown>> = {}): Promise<TaskSet> {
  const factory = Object.hasOwn(environments, name) ? environments[name] : undefined;
  if (factory === undefined) {
    throw new ProxmoError(
      'config',
      `There is no environment ${name}; choose one of ${Object.keys(environments).join(', ')}.`,
    );
  }
  return factory(options);
}
