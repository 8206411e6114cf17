/** Assignments on the command line, `key.key=value`, whose values are YAML. */
import { type ErrorCode, ProxmoError } from '../base/errors.ts';
import { isPlainObject } from './json.ts';
import { parseYaml } from './yaml.ts';

type Values = Readonly<Record<string, unknown>>;

/**
 * The values that assignments come to, later ones over earlier ones.
 * @param option names them in messages, as `--set`
 * @throws {ProxmoError} of the code given if one is no assignment, or its value no YAML
 */
export function assignedValues(assignments: readonly string[], option: string, code: ErrorCode): Values {
  return assignments.reduce<Values>((values, assignment) => {
    const split = assignment.indexOf('=');
    const keys = assignment.slice(0, Math.max(split, 0)).trim().split('.');
    if (keys.includes('')) {
      throw new ProxmoError(
        code,
        `${option} ${assignment} is not an assignment; write key=value, with dots between nested keys.`,
      );
    }
    return assign(values, keys, parseYaml(assignment.slice(split + 1), `${option} ${assignment}`, code).value);
  }, {});
}

function assign(values: Values, [key = '', ...rest]: readonly string[], value: unknown): Values {
  const inner = Object.hasOwn(values, key) ? values[key] : undefined;
  const assigned = rest.length === 0 ? value : assign(isPlainObject(inner) ? inner : {}, rest, value);
  // `fromEntries` makes every key an own property, also one like `__proto__`.
  return Object.fromEntries([...Object.entries(values).filter(([name]) => name !== key), [key, assigned]]);
}
