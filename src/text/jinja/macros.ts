/** Macros and the bodies of call blocks: how arguments become their variables. */
import type { Block, Expression, Parameters, Statement, Target } from './ast.ts';
import type { Scope } from './scope.ts';
import { Dict, JinjaError, type Named, Tuple, Undefined, type Value } from './values.ts';

const special = ['caller', 'kwargs', 'varargs'] as const;
type Special = (typeof special)[number];

export interface MacroForm {
  readonly name: string;
  readonly parameters: Parameters;
  /** Which of the special names the body reads. */
  readonly accesses: ReadonlySet<Special>;
}

/**
 * Sets a macro's variables.
 * @param evaluate a default in the macro's scope, after the parameters before it
 * @throws {JinjaError} if there are more arguments than parameters, or one that it does not have
 */
export function bindParameters(
  { name, parameters: { names, defaults }, accesses }: MacroForm,
  args: readonly Value[],
  named: Named,
  scope: Scope,
  evaluate: (expression: Expression) => Value,
): void {
  const others = new Map(named);
  const firstDefault = names.length - defaults.length;
  const missing: number[] = [];
  for (const [index, parameter] of names.entries()) {
    const value = index < args.length ? args[index] : others.get(parameter);
    if (index >= args.length) others.delete(parameter);
    scope.set(parameter, value === undefined ? new Undefined(`parameter '${parameter}' was not provided`) : value);
    if (value === undefined) missing.push(index);
  }
  if (accesses.has('caller') && !names.includes('caller')) {
    scope.set('caller', others.get('caller') ?? new Undefined('No caller defined'));
    others.delete('caller');
  }
  if (accesses.has('kwargs')) scope.set('kwargs', new Dict(others));
  else if (others.size > 0)
    throw new JinjaError(`macro '${name}' takes no keyword argument '${others.keys().next().value}'`);
  if (accesses.has('varargs')) scope.set('varargs', new Tuple(args.slice(names.length)));
  else if (args.length > names.length)
    throw new JinjaError(`macro '${name}' takes not more than ${names.length} argument(s)`);
  for (const index of missing) {
    const value = defaults[index - firstDefault];
    if (value) scope.set(names[index]!, evaluate(value));
  }
}

/** The special names that a body reads before it sets them. */
export function accessesOf({ names }: Parameters, body: Block): ReadonlySet<Special> {
  const found = new Set<Special>();
  const own = new Set(names);
  visit(body, (name, isRead) => {
    if (!isRead) own.add(name);
    else if (!own.has(name) && special.includes(name as Special)) found.add(name as Special);
  });
  return found;
}

type Node = Statement | Expression | Target | Block | readonly unknown[] | object;

/** Tells of every name that is read or set, in the order of the template. */
function visit(node: Node, tell: (name: string, isRead: boolean) => void): void {
  for (const [key, child] of Object.entries(node)) {
    if (key === 'target') visitTargets(child, tell);
    else if (key === 'targets') {
      for (const [target, value] of child as readonly (readonly [Target, Expression])[]) {
        visit(value, tell);
        visitTargets(target, tell);
      }
    } else if (typeof child === 'object' && child !== null) visit(child, tell);
  }
  const { kind, name } = node as { readonly kind?: string; readonly name?: string };
  if (kind === 'name' && name !== undefined) tell(name, true);
}

function visitTargets(node: unknown, tell: (name: string, isRead: boolean) => void): void {
  if (typeof node !== 'object' || node === null) return;
  const { kind, name } = node as { readonly kind?: string; readonly name?: string };
  if (kind === 'name' && name !== undefined) tell(name, false);
  else for (const child of Object.values(node)) visitTargets(child, tell);
}
