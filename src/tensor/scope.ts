/** Which part of a model a step belongs to, for profiles: steps that are made within a scope bear its name. */

let current = '';

/** The innermost scope; empty outside of all. */
export function currentScope(): string {
  return current;
}

/** What `build` returns; the steps that it makes belong to the scope. */
export function inScope<T>(scope: string, build: () => T): T {
  const outer = current;
  current = scope;
  try {
    return build();
  } finally {
    current = outer;
  }
}
