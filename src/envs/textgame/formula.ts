/**
 * Formulas with their names resolved. A scope gives every variable and every object name of an action (or goal) a slot
 * in one frame of object numbers, so that nothing looks up a name while a game runs. Resolving happens once per domain;
 * `search.ts` then binds the result to the facts of one world.
 */
import { ProxmoError } from '../../base/errors.ts';
import { type Atom, type Condition, type Domain, isVariable, ROOT_TYPE, type TypedName } from './pddl.ts';

/** A formula over slots. `free` lists the slots that must be filled before it can be tested. */
export type Formula =
  | {
      readonly op: 'atom';
      readonly predicate: number;
      readonly slots: readonly number[];
      readonly free: readonly number[];
    }
  | { readonly op: 'equal'; readonly slots: readonly [number, number]; readonly free: readonly number[] }
  | { readonly op: 'not'; readonly operand: Formula; readonly free: readonly number[] }
  | { readonly op: 'all' | 'any'; readonly operands: readonly Formula[]; readonly free: readonly number[] }
  | {
      readonly op: 'exists';
      readonly variables: readonly Variable[];
      readonly body: Formula;
      readonly free: readonly number[];
    };

/** A variable: its slot and the types that its values must have one of; null admits every object. */
export interface Variable {
  readonly slot: number;
  readonly type: number | null;
}

/** The names of a domain as numbers. */
export class Vocabulary {
  readonly predicates = new Map<string, number>();
  readonly arities: number[] = [];
  readonly types = new Map<string, number>();
  /** Per type: itself and its supertypes but the root. */
  readonly ancestors: (readonly number[])[] = [];

  constructor(domain: Domain) {
    for (const [name, arity] of domain.predicates) {
      this.predicates.set(name, this.arities.length);
      this.arities.push(arity);
    }
    for (const name of domain.types.keys()) this.types.set(name, this.types.size);
    for (const name of domain.types.keys()) {
      const line: number[] = [];
      for (let at = name; at !== ROOT_TYPE; at = domain.types.get(at)!) line.push(this.types.get(at)!);
      this.ancestors.push(line);
    }
  }

  /**
   * Number of a predicate.
   * @throws {ProxmoError} `parse` if it is not declared or takes another number of arguments.
   */
  predicate({ predicate, args }: Atom): number {
    const id = this.predicates.get(predicate);
    if (id === undefined)
      throw new ProxmoError('parse', `PDDL: predicate ${predicate} is not declared; declare it in the domain.`);
    if (this.arities[id] !== args.length) {
      throw new ProxmoError(
        'parse',
        `PDDL: predicate ${predicate} takes ${this.arities[id]} arguments, not ${args.length}; correct its use.`,
      );
    }
    return id;
  }
}

/** Hands out the slots of one action or goal. */
export class Scope {
  /** Object name → slot. */
  readonly objects = new Map<string, number>();
  private readonly variables = new Map<string, number>();
  private slots = 0;

  constructor(readonly vocabulary: Vocabulary) {}

  /** Number of slots handed out. */
  get size(): number {
    return this.slots;
  }

  /**
   * Slots for variables, or null if one is of an unknown type: such a type has no members.
   * The names stay known until `undeclare`.
   */
  declare(
    variables: readonly TypedName[],
  ): { declared: readonly Variable[]; shadowed: ReadonlyMap<string, number | undefined> } | null {
    const declared: Variable[] = [];
    const shadowed = new Map<string, number | undefined>();
    for (const { name, type } of variables) {
      const id = type === ROOT_TYPE ? null : this.vocabulary.types.get(type);
      if (id === undefined) {
        this.undeclare(shadowed);
        return null;
      }
      if (!shadowed.has(name)) shadowed.set(name, this.variables.get(name));
      const slot = this.slots++;
      this.variables.set(name, slot);
      declared.push({ slot, type: id });
    }
    return { declared, shadowed };
  }

  undeclare(shadowed: ReadonlyMap<string, number | undefined>): void {
    for (const [name, slot] of shadowed) {
      if (slot === undefined) this.variables.delete(name);
      else this.variables.set(name, slot);
    }
  }

  /**
   * Slot of a variable or object.
   * @throws {ProxmoError} `parse` if a variable is not declared.
   */
  term(name: string): number {
    if (isVariable(name)) {
      const slot = this.variables.get(name);
      if (slot === undefined)
        throw new ProxmoError('parse', `PDDL: variable ${name} is not declared; add it to the parameters.`);
      return slot;
    }
    let slot = this.objects.get(name);
    if (slot === undefined) this.objects.set(name, (slot = this.slots++));
    return slot;
  }
}

const TRUE: Formula = { op: 'all', operands: [], free: [] };
const FALSE: Formula = { op: 'any', operands: [], free: [] };

/**
 * Resolves a condition in a scope. Parts that are true or false whatever the facts are folded away, among them
 * quantifiers over unknown types.
 *
 * @throws {ProxmoError} `parse` on undeclared predicates or variables.
 */
export function resolve(condition: Condition, scope: Scope): Formula {
  switch (condition.kind) {
    case 'atom': {
      const slots = condition.args.map((arg) => scope.term(arg));
      return { op: 'atom', predicate: scope.vocabulary.predicate(condition), slots, free: unique(slots) };
    }
    case 'equal': {
      const slots = [scope.term(condition.left), scope.term(condition.right)] as const;
      return { op: 'equal', slots, free: unique(slots) };
    }
    case 'not':
      return negate(resolve(condition.operand, scope));
    case 'and':
      return combine(
        'all',
        condition.operands.map((operand) => resolve(operand, scope)),
      );
    case 'or':
      return combine(
        'any',
        condition.operands.map((operand) => resolve(operand, scope)),
      );
    case 'exists':
      return quantify(condition.variables, condition.body, false, scope);
    case 'forall':
      return negate(quantify(condition.variables, condition.body, true, scope));
  }
}

/** `exists variables (body)`, or `exists variables (not body)`. */
function quantify(variables: readonly TypedName[], body: Condition, negated: boolean, scope: Scope): Formula {
  const declaration = scope.declare(variables);
  if (declaration === null) return FALSE;
  const { declared, shadowed } = declaration;
  const inner = negated ? negate(resolve(body, scope)) : resolve(body, scope);
  scope.undeclare(shadowed);
  if (isFalse(inner)) return FALSE;
  const own = new Set(declared.map(({ slot }) => slot));
  return { op: 'exists', variables: declared, body: inner, free: inner.free.filter((slot) => !own.has(slot)) };
}

function negate(formula: Formula): Formula {
  if (isTrue(formula)) return FALSE;
  if (isFalse(formula)) return TRUE;
  return formula.op === 'not' ? formula.operand : { op: 'not', operand: formula, free: formula.free };
}

function combine(op: 'all' | 'any', operands: readonly Formula[]): Formula {
  const [neutral, absorbing] = op === 'all' ? [isTrue, isFalse] : [isFalse, isTrue];
  if (operands.some(absorbing)) return op === 'all' ? FALSE : TRUE;
  const rest = operands
    .filter((operand) => !neutral(operand))
    .flatMap((operand) => (operand.op === op ? operand.operands : [operand]));
  return rest.length === 1 ? rest[0]! : { op, operands: rest, free: unique(rest.flatMap(({ free }) => free)) };
}

/** Whether a formula holds whatever the facts. */
function isTrue(formula: Formula): boolean {
  return formula.op === 'all' && formula.operands.length === 0;
}

function isFalse(formula: Formula): boolean {
  return formula.op === 'any' && formula.operands.length === 0;
}

function unique(slots: readonly number[]): readonly number[] {
  return [...new Set(slots)];
}
