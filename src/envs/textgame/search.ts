/**
 * Finds the assignments that satisfy a formula in a world. Binding a formula gives closures over the world's relations
 * and one frame of slots: a test reads the frame, a search fills the slots of its variables, one after another, and
 * calls back for every assignment. A search walks positive atoms first, the most selective next, and tests each other
 * part as soon as its slots are filled.
 */
import type { Formula, Variable } from './formula.ts';
import type { Relation } from './relation.ts';

/** What a formula is bound to. */
export interface Facts {
  /** By predicate number. */
  readonly relations: readonly Relation[];
  /** By type number: the objects of the type, ascending. */
  readonly members: readonly (readonly number[])[];
  /** By type number and object: 1 where the object is of the type. */
  readonly isMember: readonly Uint8Array[];
  readonly objects: number;
}

/** Reads the frame; true where the formula holds. */
export type Test = () => boolean;
/** Fills slots and calls the next step for each way to do so, until one answers true; answers whether one did. */
type Step = () => boolean;

/**
 * Binds a formula whose free slots will be filled when the test is called. A slot holding −1, a name that is no object,
 * satisfies no atom.
 */
export function bindTest(formula: Formula, facts: Facts, frame: Int32Array): Test {
  switch (formula.op) {
    case 'atom':
      return atomTest(facts.relations[formula.predicate]!, formula.slots, frame, () => true);
    case 'equal': {
      const [left, right] = formula.slots;
      return () => frame[left] === frame[right];
    }
    case 'not': {
      const operand = bindTest(formula.operand, facts, frame);
      return () => !operand();
    }
    case 'all': {
      const operands = formula.operands.map((operand) => bindTest(operand, facts, frame));
      return () => operands.every((operand) => operand());
    }
    case 'any': {
      const operands = formula.operands.map((operand) => bindTest(operand, facts, frame));
      return () => operands.some((operand) => operand());
    }
    case 'exists':
      return bindSearch(formula.variables, formula.body, facts, frame, () => true);
  }
}

/**
 * Binds a search for the values of `variables` that satisfy `formula`. Calling the result calls `found` with the frame
 * filled, once or more per assignment, until `found` answers true.
 */
export function bindSearch(
  variables: readonly Variable[],
  formula: Formula,
  facts: Facts,
  frame: Int32Array,
  found: Step,
): Step {
  const all = [...variables];
  const pending = flatten(formula, all);
  const types = new Map(all.map(({ slot, type }) => [slot, type]));
  const unbound = new Set(types.keys());
  const makers: ((next: Step) => Step)[] = [];
  while (pending.length > 0 || unbound.size > 0) {
    const next = pickTest(pending, unbound) ?? pickAtom(pending, unbound, facts);
    if (next === null) {
      const slot = smallestDomain(unbound, types, facts);
      unbound.delete(slot);
      const values = domainOf(types.get(slot) ?? null, facts);
      makers.push((step) => enumerate(values, slot, frame, step));
      continue;
    }
    const part = pending.splice(next, 1)[0]!;
    if (part.op === 'atom') {
      const relation = facts.relations[part.predicate]!;
      const filled = part.slots.map((slot) => !unbound.has(slot));
      for (const slot of part.slots) unbound.delete(slot);
      const checks = part.slots.map((slot) => memberTable(types.get(slot) ?? null, facts));
      if (filled.every(Boolean)) makers.push((step) => atomTest(relation, part.slots, frame, step));
      else makers.push((step) => matchAtom(relation, part.slots, filled, checks, frame, step));
    } else {
      const test = bindTest(part, facts, frame);
      makers.push((step) => () => test() && step());
    }
  }
  return makers.reduceRight((step, make) => make(step), found);
}

/** The conjuncts of a formula, with the variables of positive existentials hoisted into `variables`. */
function flatten(formula: Formula, variables: Variable[]): Formula[] {
  if (formula.op === 'all') return formula.operands.flatMap((operand) => flatten(operand, variables));
  if (formula.op !== 'exists') return [formula];
  variables.push(...formula.variables);
  return flatten(formula.body, variables);
}

/** Index of a part that can be tested now, or null. */
function pickTest(pending: readonly Formula[], unbound: ReadonlySet<number>): number | null {
  const index = pending.findIndex(({ free }) => free.every((slot) => !unbound.has(slot)));
  return index < 0 ? null : index;
}

/** Index of the atom with the fewest expected matches, or null. */
function pickAtom(pending: readonly Formula[], unbound: ReadonlySet<number>, facts: Facts): number | null {
  let best: number | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  pending.forEach((part, index) => {
    if (part.op !== 'atom') return;
    const open = part.slots.reduce((count, slot) => count + (unbound.has(slot) ? 1 : 0), 0);
    // Facts spread evenly over their arguments: each bound argument divides their number by the same factor.
    const expected = facts.relations[part.predicate]!.size ** (open / part.slots.length);
    if (expected < fewest) {
      fewest = expected;
      best = index;
    }
  });
  return best;
}

function smallestDomain(unbound: ReadonlySet<number>, types: ReadonlyMap<number, number | null>, facts: Facts): number {
  const size = (slot: number): number => {
    const type = types.get(slot) ?? null;
    return type === null ? facts.objects : facts.members[type]!.length;
  };
  return [...unbound].reduce((best, slot) => (size(slot) < size(best) ? slot : best));
}

function domainOf(type: number | null, facts: Facts): readonly number[] {
  return type === null ? Array.from({ length: facts.objects }, (_, object) => object) : facts.members[type]!;
}

function memberTable(type: number | null, facts: Facts): Uint8Array | null {
  return type === null ? null : facts.isMember[type]!;
}

function enumerate(values: readonly number[], slot: number, frame: Int32Array, next: Step): Step {
  return () => {
    for (const value of values) {
      frame[slot] = value;
      if (next()) return true;
    }
    return false;
  };
}

/** Goes on where the fact, all of whose slots are filled, holds. */
function atomTest(relation: Relation, slots: readonly number[], frame: Int32Array, next: Step): Step {
  const { strides } = relation;
  return () => {
    let fact = 0;
    for (let i = 0; i < slots.length; i++) {
      const object = frame[slots[i]!]!;
      if (object < 0) return false;
      fact += object * strides[i]!;
    }
    return relation.has(fact) && next();
  };
}

/** Goes on for each fact that agrees with the filled slots, filling the others. */
function matchAtom(
  relation: Relation,
  slots: readonly number[],
  filled: readonly boolean[],
  checks: readonly (Uint8Array | null)[],
  frame: Int32Array,
  next: Step,
): Step {
  const { strides } = relation;
  const positions = slots.map((_, position) => position);
  const given = positions.filter((position) => filled[position]);
  const open = positions.filter((position) => !filled[position]);
  const mask = given.reduce((bits, position) => bits | (1 << position), 0);
  // A variable that occurs twice is filled by its first occurrence and compared at the others.
  const repeats = open.map((position) => slots.indexOf(slots[position]!) !== position);
  return () => {
    let bound = 0;
    for (const position of given) {
      const object = frame[slots[position]!]!;
      if (object < 0) return false;
      bound += object * strides[position]!;
    }
    const candidates = relation.matching(mask, bound);
    search: for (let c = 0; c < candidates.length; c++) {
      const fact = candidates[c]!;
      for (let i = 0; i < open.length; i++) {
        const position = open[i]!;
        const slot = slots[position]!;
        const object = relation.argument(fact, position);
        if (repeats[i]) {
          if (frame[slot] !== object) continue search;
          continue;
        }
        const table = checks[position];
        if (table && table[object] === 0) continue search;
        frame[slot] = object;
      }
      if (next()) return true;
    }
    return false;
  };
}
