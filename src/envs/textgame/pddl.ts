/**
 * PDDL: the syntax trees of domains and problems and the parsers that make them. The subset is the one that TextWorld's
 * PDDL games use: typing, `and or not exists forall when =`, and action costs, which are read over. Derived predicates,
 * `:constants` and `either` types are refused. All names are lower-case; variables keep their leading `?`.
 */
import { ProxmoError } from '../../base/errors.ts';
import { readSExpression, type SExpression, showSExpression } from './sexpr.ts';

/** The type that every other type descends from. */
export const ROOT_TYPE = 'object';

/** Longest line of supertypes. */
const MAX_TYPE_DEPTH = 100;

/** A variable or object with its declared type. */
export interface TypedName {
  readonly name: string;
  readonly type: string;
}

/** A predicate applied to variables (`?x`) and objects. */
export interface Atom {
  readonly predicate: string;
  readonly args: readonly string[];
}

/** A formula. An empty `and` is true, an empty `or` is false. */
export type Condition =
  | ({ readonly kind: 'atom' } & Atom)
  | { readonly kind: 'equal'; readonly left: string; readonly right: string }
  | { readonly kind: 'not'; readonly operand: Condition }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Condition[] }
  | { readonly kind: 'exists' | 'forall'; readonly variables: readonly TypedName[]; readonly body: Condition };

/** One literal that an action makes true or false, where its condition (if any) held before the action. */
export interface Effect {
  readonly condition: Condition | null;
  readonly positive: boolean;
  readonly atom: Atom;
}

export interface Action {
  readonly name: string;
  readonly parameters: readonly TypedName[];
  readonly precondition: Condition;
  /** In file order. */
  readonly effects: readonly Effect[];
}

export interface Domain {
  readonly name: string;
  /** Type → its supertype. The root `object` is not a key. */
  readonly types: ReadonlyMap<string, string>;
  /** Predicate → number of arguments. */
  readonly predicates: ReadonlyMap<string, number>;
  readonly actions: readonly Action[];
}

export interface Problem {
  readonly domain: string;
  /** An object may be listed more than once, with several types. */
  readonly objects: readonly TypedName[];
  readonly init: readonly Atom[];
  readonly goal: Condition;
}

/**
 * Parses a PDDL domain.
 *
 * @throws {ProxmoError} `parse`
 */
export function parseDomain(text: string): Domain {
  const { name, sections } = readDefinition(text, 'domain', 'domain');
  const types = new Map<string, string>();
  const predicates = new Map<string, number>();
  const actions: Action[] = [];
  for (const section of sections) {
    switch (section[0]) {
      case ':requirements':
      case ':functions':
        break;
      case ':types':
        for (const { name: type, type: parent } of typedList(section.slice(1)))
          if (type !== ROOT_TYPE) types.set(type, parent);
        break;
      case ':predicates':
        for (const entry of section.slice(1)) {
          const declaration = asList(entry, 'a predicate declaration');
          predicates.set(asName(declaration[0], 'a predicate name'), typedList(declaration.slice(1)).length);
        }
        break;
      case ':action':
        actions.push(parseAction(section));
        break;
      default:
        throw unsupported(section, 'domain section');
    }
  }
  checkTypes(types);
  return { name, types, predicates, actions };
}

/**
 * Parses a PDDL problem.
 *
 * @throws {ProxmoError} `parse`
 */
export function parseProblem(text: string): Problem {
  const { sections } = readDefinition(text, 'problem', 'problem');
  let domain = '';
  let objects: readonly TypedName[] = [];
  let init: readonly Atom[] = [];
  let goal: Condition | null = null;
  for (const section of sections) {
    switch (section[0]) {
      case ':domain':
        domain = asName(section[1], 'the domain name');
        break;
      case ':objects':
        objects = typedList(section.slice(1));
        break;
      case ':init':
        init = parseInit(section.slice(1));
        break;
      case ':goal':
        if (section.length !== 2) throw unsupported(section, 'goal with other than one formula');
        goal = parseCondition(section[1]!);
        break;
      case ':requirements':
      case ':metric': // For planners, as are costs.
        break;
      default:
        throw unsupported(section, 'problem section');
    }
  }
  if (goal === null) throw new ProxmoError('parse', 'PDDL problem: it has no (:goal …); add one.');
  return { domain, objects, init, goal };
}

/** Splits `(define (domain|problem NAME) SECTION…)`. */
function readDefinition(
  text: string,
  what: string,
  keyword: string,
): { name: string; sections: readonly (readonly SExpression[])[] } {
  const [define, header, ...rest] = readSExpression(text, what);
  const [kind, name] = define === 'define' && Array.isArray(header) ? (header as readonly SExpression[]) : [];
  if (kind !== keyword)
    throw new ProxmoError(
      'parse',
      `PDDL ${what}: expected (define (${keyword} NAME) …); check that it is the right file.`,
    );
  return {
    name: asName(name, `the ${keyword}'s name`),
    sections: rest.map((section) => asList(section, `a section of the ${what}`)),
  };
}

function parseAction(section: readonly SExpression[]): Action {
  const name = asName(section[1], 'an action name');
  let parameters: readonly TypedName[] = [];
  let precondition: Condition = { kind: 'and', operands: [] };
  const effects: Effect[] = [];
  for (let i = 2; i < section.length; i += 2) {
    const value = section[i + 1];
    if (value === undefined) throw unsupported(section, `action ${name}: a part without a value`);
    switch (section[i]) {
      case ':parameters':
        parameters = typedList(asList(value, `the parameters of action ${name}`));
        break;
      case ':precondition':
        precondition = parseCondition(value);
        break;
      case ':effect':
        collectEffects(value, null, effects);
        break;
      default:
        throw unsupported(section[i]!, `part of action ${name}`);
    }
  }
  for (const { name: parameter } of parameters)
    if (!isVariable(parameter)) throw unsupported(parameter, `parameter of action ${name}`);
  return { name, parameters, precondition, effects };
}

/** Formulas: `()` is true. */
function parseCondition(expression: SExpression): Condition {
  const list = asList(expression, 'a formula');
  const [head, ...rest] = list;
  if (head === undefined) return { kind: 'and', operands: [] };
  switch (head) {
    case 'and':
    case 'or':
      return { kind: head, operands: rest.map(parseCondition) };
    case 'not':
      if (rest.length !== 1) throw unsupported(list, 'not with other than one formula');
      return { kind: 'not', operand: parseCondition(rest[0]!) };
    case 'exists':
    case 'forall': {
      if (rest.length !== 2) throw unsupported(list, `${head} without variables and one formula`);
      const variables = typedList(asList(rest[0]!, 'quantified variables'));
      for (const { name } of variables) if (!isVariable(name)) throw unsupported(name, 'quantified variable');
      return { kind: head, variables, body: parseCondition(rest[1]!) };
    }
    case '=':
      if (rest.length !== 2) throw unsupported(list, '= with other than two terms');
      return { kind: 'equal', left: asName(rest[0], 'a term'), right: asName(rest[1], 'a term') };
    case 'when':
    case 'imply':
      throw unsupported(list, 'formula');
    default:
      return { kind: 'atom', ...parseAtom(list) };
  }
}

function collectEffects(expression: SExpression, condition: Condition | null, into: Effect[]): void {
  const list = asList(expression, 'an effect');
  const [head, ...rest] = list;
  switch (head) {
    case undefined:
    case 'increase': // Costs are for planners; nothing here reads them.
      return;
    case 'and':
      for (const part of rest) collectEffects(part, condition, into);
      return;
    case 'when':
      if (condition !== null || rest.length !== 2) throw unsupported(list, 'conditional effect');
      collectEffects(rest[1]!, parseCondition(rest[0]!), into);
      return;
    case 'not':
      if (rest.length !== 1) throw unsupported(list, 'not with other than one atom');
      into.push({ condition, positive: false, atom: parseAtom(asList(rest[0]!, 'an atom')) });
      return;
    case 'forall':
    case 'exists':
    case 'or':
    case '=':
      throw unsupported(list, 'effect');
    default:
      into.push({ condition, positive: true, atom: parseAtom(list) });
  }
}

/** Facts that hold at the start. Numeric fluents, `(= (total-cost) 0)`, are read over. */
function parseInit(entries: readonly SExpression[]): readonly Atom[] {
  const atoms: Atom[] = [];
  for (const entry of entries) {
    const list = asList(entry, 'an initial fact');
    if (list[0] === '=') continue;
    if (list[0] === 'not') throw unsupported(list, 'initial fact (what is not listed is false)');
    atoms.push(parseAtom(list));
  }
  return atoms;
}

function parseAtom(list: readonly SExpression[]): Atom {
  return { predicate: asName(list[0], 'a predicate'), args: list.slice(1).map((arg) => asName(arg, 'an argument')) };
}

/** `a b - t c` is a and b of type t, and c of the root type. */
function typedList(entries: readonly SExpression[]): readonly TypedName[] {
  const result: TypedName[] = [];
  let pending: string[] = [];
  for (let i = 0; i < entries.length; i++) {
    const name = asName(entries[i], 'a name in a typed list');
    if (name !== '-') {
      pending.push(name);
      continue;
    }
    const type = asName(entries[++i], 'a type');
    for (const typed of pending) result.push({ name: typed, type });
    pending = [];
  }
  for (const name of pending) result.push({ name, type: ROOT_TYPE });
  return result;
}

function checkTypes(types: Map<string, string>): void {
  for (const [type, parent] of types) {
    if (parent !== ROOT_TYPE && !types.has(parent)) {
      throw new ProxmoError(
        'parse',
        `PDDL domain: type ${type} descends from ${parent}, which is not declared; declare it.`,
      );
    }
    let depth = 0;
    for (let at: string | undefined = type; at !== undefined && at !== ROOT_TYPE; at = types.get(at)) {
      if (++depth > MAX_TYPE_DEPTH) {
        throw new ProxmoError(
          'parse',
          `PDDL domain: type ${type} descends from itself, or has too many ancestors; shorten the line.`,
        );
      }
    }
  }
}

/** Whether a term is a variable. */
export function isVariable(term: string): boolean {
  return term.startsWith('?');
}

function asList(expression: SExpression | undefined, what: string): readonly SExpression[] {
  if (expression === undefined || typeof expression === 'string') {
    throw new ProxmoError(
      'parse',
      `PDDL: expected ${what} in parentheses, found ${expression ?? 'nothing'}; correct the file.`,
    );
  }
  return expression;
}

function asName(expression: SExpression | undefined, what: string): string {
  if (typeof expression !== 'string') {
    const found = expression === undefined ? 'nothing' : showSExpression(expression);
    throw new ProxmoError('parse', `PDDL: expected ${what}, found ${found}; correct the file.`);
  }
  return expression;
}

function unsupported(expression: SExpression, what: string): ProxmoError {
  return new ProxmoError(
    'parse',
    `PDDL: unsupported ${what}: ${showSExpression(expression)}; rewrite it in the supported subset.`,
  );
}
