/** Jinja's statements. What a chat template has no use for, as other templates, is refused by its name. */
import type { Block, Expression, Parameters, Statement, Target } from './ast.ts';
import { ExpressionParser, type NameCheck } from './expressions.ts';
import { tokenize } from './lexer.ts';
import { UnsupportedError } from './values.ts';

const unsupportedTags = ['block', 'extends', 'include', 'import', 'from', 'autoescape', 'trans', 'do', 'debug'];

/**
 * @throws {JinjaError} if the template cannot be read
 * @throws {UnsupportedError} for a part of the language that is not there
 */
export function parse(template: string, names: { readonly filters: NameCheck; readonly tests: NameCheck }): Block {
  const parser = new StatementParser(tokenize(template), names);
  return parser.block([]);
}

class StatementParser extends ExpressionParser {
  /** How many loops enclose the place, within its macro. */
  #loops = 0;

  /** Statements up to a tag of these names, which is not taken. */
  block(ends: readonly string[]): Block {
    const statements: Statement[] = [];
    while (!this.is('eof')) {
      const token = this.next();
      if (token.type === 'data') statements.push({ kind: 'text', text: token.value });
      else if (token.value === 'variable') {
        statements.push({ kind: 'output', value: this.tuple() });
        this.expect('end', 'variable');
      } else {
        if (this.is('name', ...ends) && ends.length > 0) return statements;
        statements.push(...this.#statement());
        this.expect('end', 'block');
      }
    }
    if (ends.length > 0) throw this.fail(`${ends.join(' or ')} is due, not the end of the template`);
    return statements;
  }

  /** The body of a tag, from the end of the tag to one of the ends, which is taken and given. */
  #body(...ends: readonly string[]): { readonly body: Block; readonly end: string } {
    this.skip('operator', ':');
    this.expect('end', 'block');
    const body = this.block(ends);
    return { body, end: this.next().value };
  }

  #statement(): Statement[] {
    const { value: tag } = this.expect('name');
    switch (tag) {
      case 'if':
        return [this.#if()];
      case 'for':
        return [this.#for()];
      case 'set':
        return [this.#set()];
      case 'with':
        return [this.#with()];
      case 'macro':
        return [this.#macro()];
      case 'call':
        return [this.#call()];
      case 'filter': {
        const filter = this.#pipeline(this.filter(null));
        return [{ kind: 'filterBlock', filter, body: this.#body('endfilter').body }];
      }
      case 'generation':
        return [{ kind: 'generation', body: this.#function(() => this.#body('endgeneration').body) }];
      case 'print':
        return this.#print();
      case 'break':
      case 'continue':
        if (this.#loops === 0) throw this.fail(`"${tag}" stands outside of a loop`);
        return [{ kind: tag }];
    }
    if (unsupportedTags.includes(tag)) throw new UnsupportedError(`the tag "${tag}"`);
    throw this.fail(`unknown tag "${tag}"`);
  }

  #if(): Statement {
    const test = this.tuple({ parse: () => this.expression(false) });
    const { body, end } = this.#body('elif', 'else', 'endif');
    const otherwise = end === 'elif' ? [this.#if()] : end === 'else' ? this.#body('endif').body : [];
    return { kind: 'if', test, body, otherwise };
  }

  #for(): Statement {
    const target = this.#target(['in']);
    this.expect('name', 'in');
    const over = this.tuple({ parse: () => this.expression(false), ends: ['recursive'] });
    const filter = this.skip('name', 'if') ? this.expression() : null;
    const isRecursive = this.skip('name', 'recursive');
    this.#loops++;
    const { body, end } = this.#body('endfor', 'else');
    this.#loops--;
    const otherwise = end === 'else' ? this.#body('endfor').body : [];
    return { kind: 'for', target, over, filter, isRecursive, body, otherwise };
  }

  #set(): Statement {
    const target = this.#target();
    if (this.skip('operator', '=')) return { kind: 'set', target, value: this.tuple() };
    const filter = this.skip('operator', '|') ? this.#pipeline(this.filter(null)) : null;
    return { kind: 'setBlock', target, filter, body: this.#body('endset').body };
  }

  #pipeline(first: Expression): Expression {
    let filter = first;
    while (this.skip('operator', '|')) filter = this.filter(filter);
    return filter;
  }

  #with(): Statement {
    const targets: (readonly [Target, Expression])[] = [];
    while (!this.is('end')) {
      if (targets.length > 0) this.expect('operator', ',');
      const target = this.#target();
      this.expect('operator', '=');
      targets.push([target, this.expression()]);
    }
    return { kind: 'with', targets, body: this.#body('endwith').body };
  }

  #macro(): Statement {
    const name = this.expect('name').value;
    const parameters = this.#parameters();
    return { kind: 'macro', name, parameters, body: this.#function(() => this.#body('endmacro').body) };
  }

  #call(): Statement {
    const parameters = this.is('operator', '(') ? this.#parameters() : { names: [], defaults: [] };
    const call = this.expression();
    if (call.kind !== 'call') throw this.fail('a call is due');
    return { kind: 'call', call, parameters, body: this.#function(() => this.#body('endcall').body) };
  }

  #print(): Statement[] {
    const statements: Statement[] = [];
    while (!this.is('end')) {
      if (statements.length > 0) this.expect('operator', ',');
      statements.push({ kind: 'output', value: this.expression() });
    }
    return statements;
  }

  /** The loops around a function's body are none of its own. */
  #function<T>(parseBody: () => T): T {
    const loops = this.#loops;
    this.#loops = 0;
    const result = parseBody();
    this.#loops = loops;
    return result;
  }

  #parameters(): Parameters {
    const names: string[] = [];
    const defaults: Expression[] = [];
    this.expect('operator', '(');
    while (!this.is('operator', ')')) {
      if (names.length > 0) this.expect('operator', ',');
      names.push(this.expect('name').value);
      if (this.skip('operator', '=')) defaults.push(this.expression());
      else if (defaults.length > 0) throw this.fail('a parameter without a default follows one with a default');
    }
    this.expect('operator', ')');
    return { names, defaults };
  }

  #target(ends: readonly string[] = []): Target {
    const parsePart = (): Expression => {
      const token = this.current;
      if (token.type !== 'name' || this.following.value !== '.' || this.following.type !== 'operator')
        return this.primary();
      this.next();
      this.next();
      return { kind: 'attribute', of: { kind: 'name', name: token.value }, name: this.expect('name').value };
    };
    return this.#asTarget(this.tuple({ parse: parsePart, ends }));
  }

  #asTarget(expression: Expression): Target {
    if (expression.kind === 'name') return expression;
    if (expression.kind === 'tuple')
      return { kind: 'tuple', items: expression.items.map((item) => this.#asTarget(item)) };
    if (expression.kind === 'attribute' && expression.of.kind === 'name')
      return { kind: 'attribute', namespace: expression.of.name, name: expression.name };
    throw this.fail(`a ${expression.kind} cannot be assigned to`);
  }
}
