/** Renders a parsed template. */
import type { Arguments, Block, Expression, Parameters, Statement } from './ast.ts';
import { attributeOf, call, itemOf } from './attributes.ts';
import { type Applications, filters } from './filters.ts';
import { globals } from './globals.ts';
import { Loop } from './loop.ts';
import { accessesOf, bindParameters } from './macros.ts';
import { binary, comparison, concat, negative } from './operators.ts';
import { Scope } from './scope.ts';
import { asDict, asText } from './strings.ts';
import { tests } from './tests.ts';
import {
  Callable,
  Dict,
  isTrue,
  iterate,
  JinjaError,
  Lazy,
  type Named,
  Slice,
  Tuple,
  textOf,
  Undefined,
  UnsupportedError,
  type Value,
} from './values.ts';

/** How a block ended: at its end, or because its loop is to go on or to stop. */
type Ending = 'end' | 'break' | 'continue';

export class Interpreter implements Applications {
  /** Text of the blocks that are being rendered, the innermost last. */
  #outputs: string[][] = [];

  constructor(private readonly now: () => Date) {}

  /** @param variables by name; before functions of the same name */
  render(template: Block, variables: Readonly<Record<string, Value>>): string {
    const context = new Scope(null);
    for (const [name, value] of Object.entries({ ...globals(this.now), ...variables })) context.set(name, value);
    return this.#capture(template, new Scope(context)).text;
  }

  filter(name: string, value: Value, args: readonly Value[], named: Named): Value {
    const found = Object.hasOwn(filters, name) ? filters[name] : undefined;
    if (!found) throw new JinjaError(`No filter named '${name}'.`);
    return found(value, args, named, this);
  }

  test(name: string, value: Value, args: readonly Value[]): boolean {
    if (name === 'filter') return Object.hasOwn(filters, asText(value, 'the test filter'));
    if (name === 'test') return Object.hasOwn(tests, asText(value, 'the test test'));
    const found = Object.hasOwn(tests, name) ? tests[name] : undefined;
    if (!found) throw new JinjaError(`No test named '${name}'.`);
    return found(value, ...args);
  }

  /** The text of a block, and how it ended. */
  #capture(block: Block, scope: Scope): { readonly text: string; readonly ending: Ending } {
    const output: string[] = [];
    this.#outputs.push(output);
    try {
      const ending = this.#run(block, scope);
      return { text: output.join(''), ending };
    } finally {
      this.#outputs.pop();
    }
  }

  #write(text: string): void {
    this.#outputs.at(-1)!.push(text);
  }

  #run(block: Block, scope: Scope): Ending {
    for (const statement of block) {
      const ending = this.#statement(statement, scope);
      if (ending !== 'end') return ending;
    }
    return 'end';
  }

  #statement(statement: Statement, scope: Scope): Ending {
    switch (statement.kind) {
      case 'text':
        this.#write(statement.text);
        return 'end';
      case 'output':
        this.#write(this.#printed(this.#value(statement.value, scope)));
        return 'end';
      case 'if':
        return this.#run(isTrue(this.#value(statement.test, scope)) ? statement.body : statement.otherwise, scope);
      case 'for':
        return this.#for(statement, scope, this.#value(statement.over, scope), 0);
      case 'set':
        scope.assign(statement.target, this.#value(statement.value, scope));
        return 'end';
      case 'with': {
        const inner = new Scope(scope);
        for (const [target, value] of statement.targets) inner.assign(target, this.#value(value, scope));
        return this.#run(statement.body, inner);
      }
      case 'macro':
        scope.set(statement.name, this.#macro(statement.name, statement.parameters, statement.body, scope));
        return 'end';
      case 'call': {
        const { call: called, parameters, body } = statement;
        const caller = this.#macro('caller', parameters, body, scope);
        this.#write(this.#printed(this.#call(called, scope, [['caller', caller]])));
        return 'end';
      }
      case 'generation':
        this.#write(this.#capture(statement.body, new Scope(scope)).text);
        return 'end';
      case 'break':
      case 'continue':
        return statement.kind;
      default:
        return this.#captured(statement, scope);
    }
  }

  /** A block whose text goes through filters or into a variable. */
  #captured(statement: Statement & { readonly kind: 'setBlock' | 'filterBlock' }, scope: Scope): Ending {
    const { text, ending } = this.#capture(statement.body, new Scope(scope));
    if (ending !== 'end') return ending;
    const value = statement.filter ? this.#value(statement.filter, scope, text) : text;
    if (statement.kind === 'setBlock') scope.assign(statement.target, value);
    else this.#write(this.#printed(value));
    return 'end';
  }

  #printed(value: Value): string {
    if (value instanceof Lazy || value instanceof Callable)
      throw new UnsupportedError('printing a generator or function');
    return textOf(value);
  }

  #for(statement: Statement & { readonly kind: 'for' }, scope: Scope, over: Value, depth: number): Ending {
    const { target, body, otherwise, isRecursive } = statement;
    const items = this.#filtered(statement, scope, over);
    const recurse = (inner: Value): string => {
      this.#outputs.push([]);
      try {
        this.#for(statement, scope, inner, depth + 1);
        return this.#outputs.at(-1)!.join('');
      } finally {
        this.#outputs.pop();
      }
    };
    const loop = new Loop(items, depth, isRecursive ? recurse : null);
    let isWhole = false;
    for (const item of items) {
      loop.advance();
      const inner = new Scope(scope);
      inner.set('loop', loop.value);
      inner.assign(target, item);
      const ending = this.#run(body, inner);
      if (ending === 'break') break;
      if (ending === 'end') isWhole = true;
    }
    return isWhole ? 'end' : this.#run(otherwise, new Scope(scope));
  }

  #filtered({ target, filter }: Statement & { readonly kind: 'for' }, scope: Scope, over: Value): readonly Value[] {
    const items = [...iterate(over)];
    if (!filter) return items;
    return items.filter((item) => {
      const inner = new Scope(scope);
      inner.assign(target, item);
      return isTrue(this.#value(filter, inner));
    });
  }

  #macro(name: string, parameters: Parameters, body: Block, scope: Scope): Callable {
    const accesses = accessesOf(parameters, body);
    const run = (args: readonly Value[], named: Named): Value => {
      const inner = new Scope(scope);
      bindParameters({ name, parameters, accesses }, args, named, inner, (value) => this.#value(value, inner));
      return this.#capture(body, inner).text;
    };
    return new Callable(name, run);
  }

  #call(
    expression: Expression & { readonly kind: 'call' },
    scope: Scope,
    more: readonly [string, Value][] = [],
  ): Value {
    const called = this.#value(expression.of, scope);
    const { args, named } = this.#arguments(expression.args, scope);
    return call(called, args, new Map([...named, ...more]));
  }

  #arguments(given: Arguments, scope: Scope): { readonly args: readonly Value[]; readonly named: Named } {
    const args = given.positional.map((each) => this.#value(each, scope));
    const named = new Map(given.named.map(([name, each]) => [name, this.#value(each, scope)]));
    if (given.spread) args.push(...iterate(this.#value(given.spread, scope)));
    if (given.namedSpread) {
      for (const [key, value] of asDict(this.#value(given.namedSpread, scope)).entries()) {
        const name = asText(key, 'a keyword');
        if (named.has(name)) throw new JinjaError(`got multiple values for keyword argument '${name}'`);
        named.set(name, value);
      }
    }
    return { args, named };
  }

  /** @param text what a filter without a value is applied to */
  #value(expression: Expression, scope: Scope, text = ''): Value {
    const value = (each: Expression) => this.#value(each, scope);
    switch (expression.kind) {
      case 'constant':
        return expression.value;
      case 'name':
        return scope.get(expression.name);
      case 'list':
        return expression.items.map(value);
      case 'tuple':
        return new Tuple(expression.items.map(value));
      case 'concat':
        return concat(expression.items.map(value));
      case 'dict':
        return new Dict(expression.entries.map(([key, item]) => [value(key), value(item)] as const));
      case 'attribute':
        return attributeOf(value(expression.of), expression.name);
      case 'item':
        return itemOf(value(expression.of), value(expression.key));
      case 'slice': {
        const [start = null, stop = null, step = null] = expression.parts.map((part) => part && value(part));
        return new Slice(start, stop, step);
      }
      case 'call':
        return this.#call(expression, scope);
      case 'filter': {
        const operand = expression.of ? this.#value(expression.of, scope, text) : text;
        const { args, named } = this.#arguments(expression.args, scope);
        return this.filter(expression.name, operand, args, named);
      }
      case 'test': {
        const operand = value(expression.of);
        const { args, named } = this.#arguments(expression.args, scope);
        return this.test(expression.name, operand, [...args, ...named.values()]);
      }
      default:
        return this.#operation(expression, value);
    }
  }

  #operation(expression: Expression, value: (each: Expression) => Value): Value {
    switch (expression.kind) {
      case 'not':
        return !isTrue(value(expression.of));
      case 'negative':
        return negative(value(expression.of), -1);
      case 'positive':
        return negative(value(expression.of), 1);
      case 'binary':
        return binary(expression.operator, value(expression.left), value(expression.right));
      case 'and': {
        const left = value(expression.left);
        return isTrue(left) ? value(expression.right) : left;
      }
      case 'or': {
        const left = value(expression.left);
        return isTrue(left) ? left : value(expression.right);
      }
      case 'compare': {
        let left = value(expression.first);
        for (const { operator, value: other } of expression.rest) {
          const right = value(other);
          if (!comparison(operator, left, right)) return false;
          left = right;
        }
        return true;
      }
      case 'condition':
        if (isTrue(value(expression.test))) return value(expression.value);
        return expression.otherwise
          ? value(expression.otherwise)
          : new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      default:
        throw new UnsupportedError(`the expression ${expression.kind}`);
    }
  }
}
