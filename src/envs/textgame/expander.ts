/**
 * Writes the texts of a running game: expands symbols by the first rule whose condition the facts meet, and looks up
 * queries. A query is answered by nested loops over its atoms, left to right, each over its facts in the order of their
 * argument ids. Variables that are bound already keep their objects, and distinct variables of one query get distinct
 * objects.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Relation } from './relation.ts';
import type { EntityPart, Expression, Node, Query } from './template.ts';

/** A rule ready to be expanded. */
export interface Rule {
  readonly condition: Query | null;
  readonly text: readonly Node[];
}

/**
 * What the text layer knows of one world. All tables are by object number, predicate number or variable number of the
 * grammar.
 */
export interface TextWorld {
  /** Text facts by the grammar's predicate numbers; null for a predicate that has none and never will. */
  readonly relations: readonly (Relation | null)[];
  readonly names: readonly string[];
  readonly ids: readonly string[];
  /** Symbols of this game: those of the grammar, some replaced. */
  readonly rules: (symbol: string) => readonly Rule[] | undefined;
  /** Members of a type by object, or null for the root; undefined if the type is unknown. */
  readonly isMember: (type: string) => Uint8Array | null | undefined;
}

/** Deepest nesting of symbols, and most pieces in one text: bounds for grammars that expand without end. */
const MAX_DEPTH = 100;
const MAX_PIECES = 100_000;

export class Expander {
  /** Object per variable, −1 where unbound. */
  readonly bindings: Int32Array;
  private pieces = 0;

  constructor(
    private readonly world: TextWorld,
    private readonly variableNames: readonly string[],
  ) {
    this.bindings = new Int32Array(variableNames.length).fill(-1);
  }

  /**
   * The text of a template under the current bindings.
   * @throws {ProxmoError} `environment` if it mentions an undefined symbol or an unbound variable, or expands without
   * end.
   */
  expand(template: readonly Node[]): string {
    this.pieces = 0;
    return this.nodes(template, 0);
  }

  private nodes(nodes: readonly Node[], depth: number): string {
    let text = '';
    for (const node of nodes) text += this.node(node, depth);
    return text;
  }

  private node(node: Node, depth: number): string {
    if (++this.pieces > MAX_PIECES)
      throw new ProxmoError('environment', 'Text grammar: a text grows without end; break the circle of symbols.');
    switch (node.kind) {
      case 'literal':
        return node.text;
      case 'symbol':
        return this.symbol(node.name, depth + 1);
      case 'each':
        return this.copies(node, depth).join('');
      case 'list':
        return this.list(this.copies(node.each, depth), depth + 1);
    }
  }

  private symbol(name: string, depth: number): string {
    if (depth > MAX_DEPTH)
      throw new ProxmoError('environment', `Text grammar: symbol #${name}# expands into itself; break the circle.`);
    const rules = this.world.rules(name);
    if (rules === undefined)
      throw new ProxmoError('environment', `Text grammar: symbol #${name}# is not defined; define it.`);
    const rule = rules.find(({ condition }) => condition === null || this.assignments(condition, () => true));
    if (rule === undefined)
      throw new ProxmoError(
        'environment',
        `Text grammar: no rule of symbol #${name}# applies; add one without a condition.`,
      );
    return this.nodes(rule.text, depth);
  }

  private copies(each: Node & { readonly kind: 'each' }, depth: number): readonly string[] {
    if (each.query === null) return [this.item(each.item, depth)];
    const copies: string[] = [];
    this.assignments(each.query, () => {
      copies.push(this.item(each.item, depth));
      return false;
    });
    return copies;
  }

  private item(item: Node | Expression, depth: number): string {
    switch (item.kind) {
      case 'entity':
      case 'text':
      case 'concat':
      case 'or':
        return this.evaluate(item);
      default:
        return this.node(item, depth);
    }
  }

  private evaluate(expression: Expression): string {
    switch (expression.kind) {
      case 'text':
        return expression.text;
      case 'entity':
        return this.entity(expression.variable, expression.part);
      case 'concat':
        return expression.operands.map((operand) => this.evaluate(operand)).join('');
      case 'or': {
        let value = '';
        for (const operand of expression.operands) if ((value = this.evaluate(operand)) !== '') break;
        return value;
      }
    }
  }

  private entity(variable: number, part: EntityPart): string {
    const object = this.bindings[variable]!;
    if (object < 0) {
      throw new ProxmoError(
        'environment',
        `Text grammar: ${this.variableNames[variable]} stands for nothing here; bind it with a query.`,
      );
    }
    switch (part) {
      case 'name':
        return this.world.names[object]!;
      case 'id':
        return this.world.ids[object]!;
      case 'indefinite':
        return 'a';
      case 'definite':
        return 'the';
    }
  }

  private list(items: readonly string[], depth: number): string {
    if (items.length === 0) return this.symbol('list_empty', depth);
    if (items.length === 1) return items[0]!;
    const separator = this.symbol('list_separator', depth);
    return items.slice(0, -1).join(separator) + this.symbol('list_last_separator', depth) + items.at(-1)!;
  }

  /**
   * Calls `visit` for each answer of a query, with its variables bound, until it answers true; answers whether it did.
   */
  private assignments(query: Query, visit: () => boolean, index = 0): boolean {
    const atom = query.atoms[index];
    if (atom === undefined) return visit();
    const relation = this.world.relations[atom.predicate];
    if (!relation || relation.arity !== atom.variables.length) return false;
    let mask = 0;
    let bound = 0;
    for (let i = 0; i < atom.variables.length; i++) {
      const object = this.bindings[atom.variables[i]!]!;
      if (object < 0) continue;
      mask |= 1 << i;
      bound += object * relation.strides[i]!;
    }
    const opened: number[] = [];
    for (const fact of relation.matching(mask, bound)) {
      const stop = this.bind(query, index, relation, fact, opened) && this.assignments(query, visit, index + 1);
      for (const variable of opened) this.bindings[variable] = -1;
      opened.length = 0;
      if (stop) return true;
    }
    return false;
  }

  /**
   * Binds the unbound variables of an atom to a fact's objects, noting them in `opened`; answers whether the fact fits.
   */
  private bind(query: Query, index: number, relation: Relation, fact: number, opened: number[]): boolean {
    const { variables, types } = query.atoms[index]!;
    for (let i = 0; i < variables.length; i++) {
      const variable = variables[i]!;
      const object = relation.argument(fact, i);
      const type = types[i];
      if (type) {
        const members = this.world.isMember(type);
        if (members === undefined || (members !== null && members[object] === 0)) return false;
      }
      const current = this.bindings[variable]!;
      if (current === object) continue;
      if (current >= 0) return false;
      for (const other of query.variables) if (this.bindings[other] === object) return false;
      this.bindings[variable] = object;
      opened.push(variable);
    }
    return true;
  }
}
