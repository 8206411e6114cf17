/** What the `env` commands share: naming an environment with its options, as a configuration would. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TaskSet } from '../../envs/environment.ts';
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import { isPlainObject } from '../../runs/json.ts';
import { parseYaml } from '../../runs/yaml.ts';

type Values = Readonly<Record<string, unknown>>;

export interface EnvironmentOptions {
  readonly option: Values;
}

/** Adds the argument and the option that name an environment. */
export function withEnvironment(command: Command): Command {
  return command
    .argument('<environment>', 'a name (proxmo env list) or the path of a module, as ./my-env.mjs')
    .addOption(
      new Option('--option <key=value>', 'an option of the environment; may be given several times')
        .argParser(addOption)
        .default({}, 'none'),
    );
}

/** Makes the task set, uses it, and frees what it holds. */
export async function withTaskSet<T>(
  name: string,
  { option }: EnvironmentOptions,
  use: (taskSet: TaskSet) => Promise<T>,
): Promise<T> {
  const taskSet = await createNamedTaskSet(name, option);
  try {
    return await use(taskSet);
  } finally {
    await taskSet.close?.();
  }
}

function addOption(assignment: string, previous: Values): Values {
  const split = assignment.indexOf('=');
  const keys = assignment.slice(0, Math.max(split, 0)).trim().split('.');
  if (keys.includes('')) throw new InvalidArgumentError('Write it as key=value, with dots between nested keys.');
  return assign(previous, keys, parseYaml(assignment.slice(split + 1), `--option ${assignment}`, 'usage').value);
}

function assign(values: Values, [key = '', ...rest]: readonly string[], value: unknown): Values {
  const inner = Object.hasOwn(values, key) ? values[key] : undefined;
  const assigned = rest.length === 0 ? value : assign(isPlainObject(inner) ? inner : {}, rest, value);
  // `fromEntries` makes every key an own property, also one like `__proto__`.
  return Object.fromEntries([...Object.entries(values).filter(([name]) => name !== key), [key, assigned]]);
}
