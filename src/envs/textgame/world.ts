/**
 * One problem bound to the logic of its domain: objects numbered in the order of their ids, facts in relations, actions
 * as searches. The world keeps two stores. The state decides which actions apply and whether the goal holds. The text
 * store is what texts look up: it begins with the initial facts and notes each effect of an action taken, also those
 * whose condition was not met, as `p` or `not_p`. So `not_p` holds only of what an action has made false.
 */
import { ProxmoError } from '../../base/errors.ts';
import { resolve, Scope } from './formula.ts';
import type { GameLogic, Schema } from './logic.ts';
import { compareCodePoints, type NamingRule } from './naming.ts';
import { type Atom, type Problem, ROOT_TYPE } from './pddl.ts';
import { Relation } from './relation.ts';
import { bindSearch, bindTest, type Facts, type Test } from './search.ts';

/** What differs from the initial state: per relation that can change, the facts whose truth is the opposite. */
export type Difference = readonly (readonly number[])[];

/** A schema bound to the world. */
export interface BoundAction {
  /** Place in the logic's schemas. */
  readonly index: number;
  readonly schema: Schema;
  readonly frame: Int32Array;
  /** Calls `found` of the world's constructor for each assignment of the parameters that meets the precondition. */
  readonly search: () => boolean;
  readonly effects: readonly BoundEffect[];
}

interface BoundEffect {
  readonly relation: Relation;
  readonly slots: readonly number[];
  readonly positive: boolean;
  readonly condition: Test | null;
  /** Where the text store notes that the literal holds, and that its opposite does; null where no text asks. */
  readonly holds: Relation | null;
  readonly opposite: Relation | null;
}

export class World implements Facts {
  readonly ids: readonly string[];
  readonly names: readonly string[];
  readonly relations: readonly Relation[];
  readonly members: readonly (readonly number[])[];
  readonly isMember: readonly Uint8Array[];
  /** By the grammar's predicate numbers. */
  readonly textRelations: readonly (Relation | null)[];
  readonly actions: readonly BoundAction[];
  /** Whether the goal holds. */
  readonly won: Test;
  private readonly numbers = new Map<string, number>();
  private readonly changing: readonly Relation[];

  /**
   * @param found is called by the searches of `actions` with the action whose frame is filled.
   * @throws {ProxmoError} `parse` if the problem does not fit the domain.
   */
  constructor(logic: GameLogic, problem: Problem, naming: NamingRule, found: (action: BoundAction) => void) {
    this.ids = [...new Set(problem.objects.map(({ name }) => name))].sort(compareCodePoints);
    this.ids.forEach((id, number) => {
      this.numbers.set(id, number);
    });
    [this.members, this.isMember] = this.sortByType(logic, problem);
    this.relations = logic.vocabulary.arities.map((arity) => new Relation(arity, this.ids.length));
    const text = new TextStore(logic, this.relations, this.ids.length);
    const named = new Set<string>();
    for (const atom of problem.init) {
      const predicate = logic.vocabulary.predicate(atom);
      const fact = this.factOf(atom, this.relations[predicate]!);
      this.relations[predicate]!.initialise(fact);
      text.initialise(predicate, fact);
      for (const id of atom.args) named.add(id);
    }
    this.textRelations = text.relations;
    this.names = this.nameObjects(named, naming);
    this.changing = [...this.relations.filter((_, predicate) => logic.fluent[predicate]), ...text.own];
    this.actions = logic.schemas.map((schema, index) => this.bindAction(schema, index, text, found));
    this.won = this.bindGoal(logic, problem);
  }

  get objects(): number {
    return this.ids.length;
  }

  /** Takes an action: conditions are read first, then facts are deleted, then added. */
  apply(action: BoundAction): void {
    const { frame, effects } = action;
    const active = effects.filter(({ condition }) => condition === null || condition());
    for (const effect of active) if (!effect.positive) effect.relation.set(factAt(effect, frame), false);
    for (const effect of active) if (effect.positive) effect.relation.set(factAt(effect, frame), true);
    for (const effect of effects) {
      const fact = factAt(effect, frame);
      effect.holds?.set(fact, true);
      effect.opposite?.set(fact, false);
    }
  }

  difference(): Difference {
    return this.changing.map((relation) => relation.difference());
  }

  restore(difference: Difference): void {
    this.changing.forEach((relation, index) => {
      relation.restore(difference[index] ?? []);
    });
  }

  private sortByType(logic: GameLogic, problem: Problem): [number[][], Uint8Array[]] {
    const { types, ancestors } = logic.vocabulary;
    const isMember = ancestors.map(() => new Uint8Array(this.ids.length));
    for (const { name, type } of problem.objects) {
      if (type === ROOT_TYPE) continue;
      const id = types.get(type);
      if (id === undefined) {
        throw new ProxmoError(
          'parse',
          `PDDL problem: object ${name} is of type ${type}, which the domain does not declare; declare it.`,
        );
      }
      for (const ancestor of ancestors[id]!) isMember[ancestor]![this.numbers.get(name)!] = 1;
    }
    const members = isMember.map((table) => this.ids.flatMap((_, number) => (table[number] === 1 ? [number] : [])));
    return [members, isMember];
  }

  private nameObjects(named: ReadonlySet<string>, naming: NamingRule): readonly string[] {
    const ids = this.ids.filter((id) => named.has(id));
    const names = naming(ids);
    const nameOf = new Map(ids.map((id, index) => [id, names[index]!]));
    return this.ids.map((id) => nameOf.get(id) ?? id);
  }

  private factOf(atom: Atom, relation: Relation): number {
    return atom.args.reduce((fact, arg, position) => fact + this.numberOf(arg) * relation.strides[position]!, 0);
  }

  private numberOf(id: string): number {
    const number = this.numbers.get(id);
    if (number === undefined)
      throw new ProxmoError('parse', `PDDL problem: object ${id} is used but not listed; add it to :objects.`);
    return number;
  }

  private bindAction(
    schema: Schema,
    index: number,
    text: TextStore,
    found: (action: BoundAction) => void,
  ): BoundAction {
    const frame = new Int32Array(schema.frameSize);
    // An action may name objects that this problem lacks; −1 satisfies no atom.
    for (const [id, slot] of schema.objects) frame[slot] = this.numbers.get(id) ?? -1;
    const effects = schema.effects.map(({ predicate, slots, positive, condition }) => ({
      relation: this.relations[predicate]!,
      slots,
      positive,
      condition: condition === null ? null : bindTest(condition, this, frame),
      holds: text.store(predicate, positive),
      opposite: text.store(predicate, !positive),
    }));
    const search = bindSearch(schema.parameters, schema.precondition, this, frame, () => {
      found(action);
      return false;
    });
    const action: BoundAction = { index, schema, frame, search, effects };
    return action;
  }

  private bindGoal(logic: GameLogic, problem: Problem): Test {
    const scope = new Scope(logic.vocabulary);
    const goal = resolve(problem.goal, scope);
    const frame = new Int32Array(scope.size);
    for (const [id, slot] of scope.objects) frame[slot] = this.numberOf(id);
    return bindTest(goal, this, frame);
  }
}

function factAt({ relation, slots }: BoundEffect, frame: Int32Array): number {
  let fact = 0;
  for (let i = 0; i < slots.length; i++) fact += frame[slots[i]!]! * relation.strides[i]!;
  return fact;
}

/** The relations that texts look up: those of the state where no action changes them, own ones elsewhere. */
class TextStore {
  /** By the grammar's predicate numbers. */
  readonly relations: readonly (Relation | null)[];
  readonly own: Relation[] = [];
  /** By the domain's predicate numbers. */
  private readonly positive = new Map<number, Relation>();
  private readonly negative = new Map<number, Relation>();

  constructor(logic: GameLogic, state: readonly Relation[], objects: number) {
    const { predicates, arities } = logic.vocabulary;
    const make = (predicate: number, into: Map<number, Relation>): Relation => {
      const relation = new Relation(arities[predicate]!, objects);
      this.own.push(relation);
      into.set(predicate, relation);
      return relation;
    };
    this.relations = logic.compiler.predicates.list.map((name) => {
      const predicate = predicates.get(name);
      if (predicate !== undefined) return logic.fluent[predicate] ? make(predicate, this.positive) : state[predicate]!;
      const denied = name.startsWith('not_') ? predicates.get(name.slice('not_'.length)) : undefined;
      return denied !== undefined && logic.fluent[denied] ? make(denied, this.negative) : null;
    });
  }

  initialise(predicate: number, fact: number): void {
    this.positive.get(predicate)?.initialise(fact);
  }

  /** Where it is noted that a predicate holds, or was made false; null where no text asks. */
  store(predicate: number, positive: boolean): Relation | null {
    return (positive ? this.positive : this.negative).get(predicate) ?? null;
  }
}
