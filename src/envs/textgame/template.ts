/**
 * Right-hand sides of text grammars. A text is a sequence of literals, `#symbol#` (expand that symbol), `{expression}`,
 * `{expression | query}` (one copy per answer of the query) and `[{expression | query}]` (the copies as a list). As in
 * TextWorld, reading stops at the first character that fits nothing, and what was read until there is the text.
 */
import { ProxmoError } from '../../base/errors.ts';

/** A piece of text. */
export type Node =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'each'; readonly item: Node | Expression; readonly query: Query | null }
  | { readonly kind: 'list'; readonly each: Node & { readonly kind: 'each' } };

/** What braces compute: a part of an entity, a constant, a concatenation, or the first of two that is not empty. */
export type Expression =
  | { readonly kind: 'entity'; readonly variable: number; readonly part: EntityPart }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'concat' | 'or'; readonly operands: readonly Expression[] };

const ENTITY_PARTS = ['name', 'id', 'indefinite', 'definite'] as const;
export type EntityPart = (typeof ENTITY_PARTS)[number];

/** A conjunction of facts to look up, with the variables and types of their arguments. */
export interface Query {
  readonly atoms: readonly QueryAtom[];
  /** The distinct variables. */
  readonly variables: readonly number[];
}

export interface QueryAtom {
  /** Number in `Names.predicates`. */
  readonly predicate: number;
  readonly variables: readonly number[];
  /** Type names, null for the root or none. */
  readonly types: readonly (string | null)[];
}

/** Numbers the names that the texts of one grammar mention. */
export class Names {
  private readonly numbers = new Map<string, number>();
  readonly list: string[] = [];

  number(name: string): number {
    let number = this.numbers.get(name);
    if (number === undefined) {
      this.numbers.set(name, (number = this.list.length));
      this.list.push(name);
    }
    return number;
  }

  find(name: string): number | undefined {
    return this.numbers.get(name);
  }
}

/** Compiles the texts of one grammar, sharing the numbers of variables and predicates. */
export class TemplateCompiler {
  readonly variables = new Names();
  readonly predicates = new Names();

  /**
   * Compiles a right-hand side.
   * @throws {ProxmoError} `parse` on an expression or query that cannot be read.
   */
  compile(text: string): readonly Node[] {
    // TextWorld drops blank space at the start of the text, and tabs before every piece.
    const cursor = new Cursor(text.trimStart());
    const nodes: Node[] = [];
    for (let node = this.piece(cursor); node !== null; node = this.piece(cursor)) nodes.push(node);
    return nodes;
  }

  /**
   * Compiles `predicate(x:type, …) & …`.
   * @throws {ProxmoError} `parse`
   */
  compileQuery(text: string): Query {
    const atoms = text.split('&').map((part) => this.queryAtom(part.trim(), text));
    return { atoms, variables: [...new Set(atoms.flatMap(({ variables }) => variables))] };
  }

  /** The next piece, or null where none can be read. */
  private piece(cursor: Cursor): Node | null {
    cursor.take(/\t+/y);
    if (cursor.take(/\[\t*/y) !== null) {
      const each = this.each(cursor);
      return each !== null && cursor.take(/\t*\]/y) !== null ? { kind: 'list', each } : null;
    }
    const each = this.each(cursor);
    if (each !== null) return each;
    const symbol = cursor.take(SYMBOL);
    if (symbol !== null) return { kind: 'symbol', name: symbol.slice(1, -1).trimStart() };
    const quoted = cursor.take(/"[^;|"<>[\]#{}]*"/y);
    if (quoted !== null) return { kind: 'literal', text: quoted.slice(1, -1) };
    const literal = cursor.take(/[^;|"<>[\]#{}]+/y);
    return literal === null ? null : { kind: 'literal', text: literal };
  }

  /** `{expression}`, `{#symbol#}` or either with `| query`. */
  private each(cursor: Cursor): (Node & { kind: 'each' }) | null {
    if (cursor.take(/\{\t*/y) === null) return null;
    const symbol = cursor.take(SYMBOL);
    const statement = symbol === null ? cursor.take(/[^|[\]{}\n<>]+/y) : null;
    if (symbol === null && statement === null) return null;
    cursor.take(/\s+/y);
    const given = cursor.take(/\|[^;|{}\n[\]#]+/y);
    if (cursor.take(/\}/y) === null) return null;
    const item: Node | Expression =
      symbol === null ? this.expression(statement!) : { kind: 'symbol', name: symbol.slice(1, -1).trimStart() };
    return { kind: 'each', item, query: given === null ? null : this.compileQuery(given.slice(1)) };
  }

  /** `a + b or c`, where `or` binds loosest. */
  private expression(text: string): Expression {
    const alternatives = splitTokens(text).map((tokens) => this.concatenation(tokens, text));
    return alternatives.length === 1 ? alternatives[0]! : { kind: 'or', operands: alternatives };
  }

  private concatenation(tokens: readonly string[], text: string): Expression {
    if (tokens.length % 2 === 0 || tokens.some((token, index) => (token === '+') !== (index % 2 === 1)))
      throw badExpression(text);
    const operands = tokens.filter((token) => token !== '+').map((token) => this.operand(token, text));
    return operands.length === 1 ? operands[0]! : { kind: 'concat', operands };
  }

  private operand(token: string, text: string): Expression {
    if (token.startsWith("'") || token.startsWith('"')) return { kind: 'text', text: token.slice(1, -1) };
    const [variable, part, ...more] = token.split('.');
    const known = part === undefined ? 'name' : ENTITY_PARTS.find((name) => name === part);
    if (!variable || known === undefined || more.length > 0) throw badExpression(text);
    return { kind: 'entity', variable: this.variables.number(variable), part: known };
  }

  private queryAtom(text: string, query: string): QueryAtom {
    const match = /^([^\s()&,:]+)\s*\(([^()]*)\)$/.exec(text);
    if (match === null) throw badQuery(query);
    const args = match[2]!.trim() === '' ? [] : match[2]!.split(',');
    const variables: number[] = [];
    const types: (string | null)[] = [];
    for (const arg of args) {
      const parts = /^\s*([^\s:]+)\s*(?::\s*([^\s:]+)\s*)?$/.exec(arg);
      if (parts === null) throw badQuery(query);
      variables.push(this.variables.number(parts[1]!));
      types.push(parts[2] === undefined ? null : parts[2].toLowerCase());
    }
    return { predicate: this.predicates.number(match[1]!.toLowerCase()), variables, types };
  }
}

const SYMBOL = /#[\w()/!<>\-\s,.]+#/y;
const EXPRESSION_TOKEN = /\s*('[^']*'|"[^"]*"|\+|[A-Za-z_][\w.]*)/y;

/** Tokens of an expression, split at `or`. */
function splitTokens(text: string): string[][] {
  const groups: string[][] = [[]];
  const body = text.trimEnd();
  EXPRESSION_TOKEN.lastIndex = 0;
  while (EXPRESSION_TOKEN.lastIndex < body.length) {
    const match = EXPRESSION_TOKEN.exec(body);
    if (match === null) throw badExpression(text);
    if (match[1] === 'or') groups.push([]);
    else groups.at(-1)!.push(match[1]!);
  }
  return groups;
}

/** A place in a text. */
class Cursor {
  private position = 0;

  constructor(private readonly text: string) {}

  /** Takes what a sticky pattern matches here. */
  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.position = pattern.lastIndex;
    return match[0];
  }
}

function badExpression(text: string): ProxmoError {
  return new ProxmoError(
    'parse',
    `Text grammar: cannot read the expression {${text.slice(0, 60)}}; use x, x.name, x.id, 'text', + and or.`,
  );
}

function badQuery(text: string): ProxmoError {
  return new ProxmoError(
    'parse',
    `Text grammar: cannot read the query "${text.slice(0, 60)}"; write predicate(x:type, …) & ….`,
  );
}
