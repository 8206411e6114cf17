import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolve, Scope, Vocabulary } from '../../../src/envs/textgame/formula.ts';
import { type Condition, parseDomain, type TypedName } from '../../../src/envs/textgame/pddl.ts';
import { Relation } from '../../../src/envs/textgame/relation.ts';
import { bindSearch, type Facts } from '../../../src/envs/textgame/search.ts';

const DOMAIN = parseDomain('(define (domain d) (:types a - object b - a) (:predicates (p ?x) (q ?x ?y) (none)))');
const OBJECTS = ['o0', 'o1', 'o2', 'o3'];
/** o0 and o1 are of type a, o1 also of its subtype b. */
const TYPES: Readonly<Record<string, readonly number[]>> = { object: [0, 1, 2, 3], a: [0, 1], b: [1], unknown: [] };

interface State {
  readonly p: ReadonlySet<number>;
  readonly q: ReadonlySet<number>;
  readonly none: boolean;
}

const stateArbitrary: fc.Arbitrary<State> = fc.record({
  p: fc.array(fc.nat(3)).map((facts) => new Set(facts)),
  q: fc.array(fc.nat(15)).map((facts) => new Set(facts)),
  none: fc.boolean(),
});

/** Truth by definition: try everything. */
function holds(condition: Condition, state: State, values: ReadonlyMap<string, number>): boolean {
  const value = (term: string): number => values.get(term) ?? OBJECTS.indexOf(term);
  switch (condition.kind) {
    case 'atom': {
      const [x, y] = condition.args.map(value);
      if (condition.predicate === 'none') return state.none;
      return condition.predicate === 'p' ? state.p.has(x!) : state.q.has(4 * x! + y!);
    }
    case 'equal':
      return value(condition.left) === value(condition.right);
    case 'not':
      return !holds(condition.operand, state, values);
    case 'and':
      return condition.operands.every((operand) => holds(operand, state, values));
    case 'or':
      return condition.operands.some((operand) => holds(operand, state, values));
    case 'exists':
      return assignments(condition.variables, values).some((inner) => holds(condition.body, state, inner));
    case 'forall':
      return assignments(condition.variables, values).every((inner) => holds(condition.body, state, inner));
  }
}

function assignments(
  variables: readonly TypedName[],
  values: ReadonlyMap<string, number>,
): ReadonlyMap<string, number>[] {
  return variables.reduce<ReadonlyMap<string, number>[]>(
    (all, { name, type }) => all.flatMap((map) => TYPES[type]!.map((object) => new Map([...map, [name, object]]))),
    [values],
  );
}

function factsOf(state: State): Facts {
  const relations = [new Relation(1, 4), new Relation(2, 4), new Relation(0, 4)];
  for (const fact of state.p) relations[0]!.initialise(fact);
  for (const fact of state.q) relations[1]!.initialise(fact);
  if (state.none) relations[2]!.initialise(0);
  return {
    relations,
    objects: 4,
    members: [[0, 1], [1]],
    isMember: [Uint8Array.of(1, 1, 0, 0), Uint8Array.of(0, 1, 0, 0)],
  };
}

const PARAMETERS: readonly TypedName[] = [
  { name: '?x', type: 'object' },
  { name: '?y', type: 'a' },
];

const term = fc.constantFrom('?x', '?y', 'o0', 'o2');
const quantified = fc.uniqueArray(
  fc.record({ name: fc.constantFrom('?x', '?z', '?w'), type: fc.constantFrom('object', 'a', 'b', 'unknown') }),
  {
    minLength: 1,
    maxLength: 2,
    selector: ({ name }) => name,
  },
);

/** Random formulas over the parameters; quantified variables may shadow them. */
function formulas(depth: number): fc.Arbitrary<Condition> {
  const leaf: fc.Arbitrary<Condition> = fc.oneof(
    term.map((x): Condition => ({ kind: 'atom', predicate: 'p', args: [x] })),
    fc.tuple(term, term).map(([x, y]): Condition => ({ kind: 'atom', predicate: 'q', args: [x, y] })),
    fc.tuple(term, term).map(([left, right]): Condition => ({ kind: 'equal', left, right })),
    fc.constant<Condition>({ kind: 'atom', predicate: 'none', args: [] }),
  );
  if (depth === 0) return leaf;
  const inner = formulas(depth - 1);
  return fc.oneof(
    leaf,
    inner.map((operand): Condition => ({ kind: 'not', operand })),
    fc
      .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(inner, { maxLength: 3 }))
      .map(([kind, operands]) => ({ kind, operands })),
    fc
      .tuple(fc.constantFrom('exists' as const, 'forall' as const), quantified, inner)
      .map(([kind, variables, body]): Condition => {
        const [first] = variables;
        const bound: Condition = { kind: 'atom', predicate: 'p', args: [first!.name] };
        return { kind, variables, body: { kind: 'and', operands: [bound, body] } };
      }),
  );
}

describe('bindSearch', () => {
  it('finds exactly the assignments that satisfy a formula', () => {
    fc.assert(
      fc.property(formulas(3), stateArbitrary, (condition, state) => {
        const scope = new Scope(new Vocabulary(DOMAIN));
        const { declared } = scope.declare(PARAMETERS)!;
        const formula = resolve(condition, scope);
        const frame = new Int32Array(scope.size);
        for (const [name, slot] of scope.objects) frame[slot] = OBJECTS.indexOf(name);
        const found = new Set<string>();
        const search = bindSearch(declared, formula, factsOf(state), frame, () => {
          found.add(`${frame[0]} ${frame[1]}`);
          return false;
        });
        search();
        const expected = assignments(PARAMETERS, new Map()).filter((values) => holds(condition, state, values));
        expect([...found].sort()).toEqual(expected.map((values) => `${values.get('?x')} ${values.get('?y')}`).sort());
      }),
      { numRuns: 2000 },
    );
  });

  it('takes a name that is no object for one that satisfies nothing', () => {
    const scope = new Scope(new Vocabulary(DOMAIN));
    scope.declare(PARAMETERS);
    const formula = resolve({ kind: 'atom', predicate: 'q', args: ['?x', 'nowhere'] }, scope);
    const frame = new Int32Array(scope.size).fill(-1);
    const facts = factsOf({ p: new Set(), q: new Set([0, 5]), none: false });
    expect(bindSearch([{ slot: 0, type: null }], formula, facts, frame, () => true)()).toBe(false);
  });
});
