/** What the `env` commands share: naming an environment with its options, as a configuration would. */
import type { Command } from 'commander';
import type { TaskSet } from '../../envs/environment.ts';
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import { assignedValues } from '../../runs/assignments.ts';
import { repeatedOption } from '../arguments.ts';

export interface EnvironmentOptions {
  readonly option: readonly string[];
}

/** Adds the argument and the option that name an environment. */
export function withEnvironment(command: Command): Command {
  return command
    .argument('<environment>', 'a name (proxmo env list) or the path of a module, as ./my-env.mjs')
    .addOption(repeatedOption('--option <key=value>', 'an option of the environment'));
}

/** Makes the task set, uses it, and frees what it holds. */
export async function withTaskSet<T>(
  name: string,
  { option }: EnvironmentOptions,
  use: (taskSet: TaskSet) => Promise<T>,
): Promise<T> {
  const taskSet = await createNamedTaskSet(name, assignedValues(option, '--option', 'usage'));
  try {
    return await use(taskSet);
  } finally {
    await taskSet.close?.();
  }
}
