/** Names and their values, from a loop's or macro's own out to those of the whole template. */
import type { Target } from './ast.ts';
import { iterate, JinjaError, Namespace, Undefined, type Value } from './values.ts';

export class Scope {
  readonly #values = new Map<string, Value>();

  constructor(private readonly parent: Scope | null) {}

  get(name: string): Value {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      const value = scope.#values.get(name);
      if (value !== undefined) return value;
    }
    return new Undefined(`'${name}' is undefined`);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  /** @throws {JinjaError} if the values are more or fewer than the names, or there is no such namespace */
  assign(target: Target, value: Value): void {
    if (target.kind === 'name') {
      this.set(target.name, value);
      return;
    }
    if (target.kind === 'attribute') {
      const namespace = this.get(target.namespace);
      if (!(namespace instanceof Namespace)) throw new JinjaError('cannot assign attribute on non-namespace object');
      namespace.attributes.set(checkedName(target.name), value);
      return;
    }
    const values = [...iterate(value)];
    const { items } = target;
    if (values.length > items.length) throw new JinjaError(`too many values to unpack (expected ${items.length})`);
    if (values.length < items.length)
      throw new JinjaError(`not enough values to unpack (expected ${items.length}, got ${values.length})`);
    for (const [index, item] of items.entries()) this.assign(item, values[index] as Value);
  }
}

/** @throws {JinjaError} for names that the sandbox keeps to itself */
export function checkedName(name: string): string {
  if (name.startsWith('_')) throw new JinjaError(`a namespace cannot have the attribute '${name}'`);
  return name;
}
