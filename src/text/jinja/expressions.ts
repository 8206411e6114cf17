/** Jinja's expressions, by its own grammar: which operators bind tighter is not as in Python everywhere. */
import type { Arguments, Expression } from './ast.ts';
import type { Token, TokenType } from './lexer.ts';
import { Float, JinjaError, UnsupportedError } from './values.ts';

const comparisons = ['==', '!=', '<', '<=', '>', '>='];
const noArguments: Arguments = { positional: [], named: [], spread: null, namedSpread: null };
const constants: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};

export class ExpressionParser {
  #at = 0;

  /** @param names filters and tests that are there, and those of Jinja that are not */
  constructor(
    private readonly tokens: readonly Token[],
    private readonly names: { readonly filters: NameCheck; readonly tests: NameCheck },
  ) {}

  get current(): Token {
    return this.tokens[this.#at] as Token;
  }

  protected get following(): Token {
    return this.tokens[Math.min(this.#at + 1, this.tokens.length - 1)] as Token;
  }

  fail(what: string): JinjaError {
    return new JinjaError(`line ${this.current.line}: ${what}`);
  }

  next(): Token {
    const token = this.current;
    if (token.type !== 'eof') this.#at++;
    return token;
  }

  is(type: TokenType, ...values: readonly string[]): boolean {
    return this.current.type === type && (values.length === 0 || values.includes(this.current.value));
  }

  skip(type: TokenType, value: string): boolean {
    if (!this.is(type, value)) return false;
    this.next();
    return true;
  }

  expect(type: TokenType, value?: string): Token {
    if (!this.is(type, ...(value === undefined ? [] : [value]))) {
      const found = this.is('eof') ? 'the end of the template' : JSON.stringify(this.current.value);
      throw this.fail(`${value ?? type} is due, not ${found}`);
    }
    return this.next();
  }

  expression(withCondition = true): Expression {
    return withCondition ? this.#condition() : this.#or();
  }

  /** One expression, or several with commas between. @param ends names that end it */
  tuple({
    parse = () => this.expression(),
    ends = [],
    inParentheses = false,
  }: {
    readonly parse?: () => Expression;
    readonly ends?: readonly string[];
    readonly inParentheses?: boolean;
  } = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    while (true) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.is('end') || this.is('operator', ')') || (ends.length > 0 && this.is('name', ...ends))) break;
      items.push(parse());
      if (!this.is('operator', ',')) break;
      isTuple = true;
    }
    if (isTuple) return { kind: 'tuple', items };
    const [only] = items;
    if (only) return only;
    if (!inParentheses) throw this.fail(`an expression is due, not ${JSON.stringify(this.current.value)}`);
    return { kind: 'tuple', items };
  }

  #condition(): Expression {
    let expression = this.#or();
    while (this.skip('name', 'if')) {
      const test = this.#or();
      const otherwise = this.skip('name', 'else') ? this.#condition() : null;
      expression = { kind: 'condition', test, value: expression, otherwise };
    }
    return expression;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.skip('name', 'or')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.skip('name', 'and')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    return this.skip('name', 'not') ? { kind: 'not', of: this.#not() } : this.#compare();
  }

  #compare(): Expression {
    const first = this.#sum();
    const rest: { operator: string; value: Expression }[] = [];
    while (true) {
      if (this.is('operator', ...comparisons)) rest.push({ operator: this.next().value, value: this.#sum() });
      else if (this.skip('name', 'in')) rest.push({ operator: 'in', value: this.#sum() });
      else if (this.is('name', 'not') && this.following.type === 'name' && this.following.value === 'in') {
        this.next();
        this.next();
        rest.push({ operator: 'not in', value: this.#sum() });
      } else break;
    }
    return rest.length > 0 ? { kind: 'compare', first, rest } : first;
  }

  #sum(): Expression {
    return this.#binary(['+', '-'], () => this.#concat());
  }

  #concat(): Expression {
    const items = [this.#product()];
    while (this.skip('operator', '~')) items.push(this.#product());
    return items.length > 1 ? { kind: 'concat', items } : items[0]!;
  }

  #product(): Expression {
    return this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.unary()));
  }

  #binary(operators: readonly string[], parse: () => Expression): Expression {
    let left = parse();
    while (this.is('operator', ...operators)) {
      const operator = this.next().value;
      left = { kind: 'binary', operator, left, right: parse() };
    }
    return left;
  }

  unary(withFilter = true): Expression {
    const sign = this.is('operator', '-') ? 'negative' : this.is('operator', '+') ? 'positive' : null;
    if (sign) this.next();
    const expression = this.#postfix(sign ? { kind: sign, of: this.unary(false) } : this.primary());
    return withFilter ? this.#filters(expression) : expression;
  }

  primary(): Expression {
    const token = this.next();
    if (token.type === 'name') {
      const { value: name } = token;
      return Object.hasOwn(constants, name)
        ? { kind: 'constant', value: constants[name] ?? null }
        : { kind: 'name', name };
    }
    if (token.type === 'string') {
      let text = token.value;
      while (this.is('string')) text += this.next().value;
      return { kind: 'constant', value: text };
    }
    if (token.type === 'integer') return { kind: 'constant', value: this.#integer(token.value) };
    if (token.type === 'float') return { kind: 'constant', value: new Float(Number(token.value)) };
    if (token.type === 'operator' && token.value === '(') {
      const inner = this.tuple({ inParentheses: true });
      this.expect('operator', ')');
      return inner;
    }
    if (token.type === 'operator' && token.value === '[')
      return { kind: 'list', items: this.#listed(']', () => this.expression()) };
    if (token.type === 'operator' && token.value === '{') {
      const entries = this.#listed('}', () => {
        const key = this.expression();
        this.expect('operator', ':');
        return [key, this.expression()] as const;
      });
      return { kind: 'dict', entries };
    }
    throw new JinjaError(`line ${token.line}: unexpected ${JSON.stringify(token.value)}`);
  }

  #integer(text: string): number {
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw new UnsupportedError('whole numbers beyond 2^53');
    return value;
  }

  #listed<T>(end: string, parse: () => T): T[] {
    const items: T[] = [];
    while (!this.is('operator', end)) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.is('operator', end)) break;
      items.push(parse());
    }
    this.expect('operator', end);
    return items;
  }

  #postfix(expression: Expression): Expression {
    let of = expression;
    while (true) {
      if (this.is('operator', '.', '[')) of = this.#subscript(of);
      else if (this.is('operator', '(')) of = { kind: 'call', of, args: this.callArguments() };
      else return of;
    }
  }

  #filters(expression: Expression): Expression {
    let of = expression;
    while (true) {
      if (this.skip('operator', '|')) of = this.filter(of);
      else if (this.skip('name', 'is')) of = this.#test(of);
      else if (this.is('operator', '(')) of = { kind: 'call', of, args: this.callArguments() };
      else return of;
    }
  }

  #subscript(of: Expression): Expression {
    if (this.next().value === '.') {
      const token = this.next();
      if (token.type === 'name') return { kind: 'attribute', of, name: token.value };
      if (token.type !== 'integer') throw new JinjaError(`line ${token.line}: a name or number is due after a dot`);
      return { kind: 'item', of, key: { kind: 'constant', value: this.#integer(token.value) } };
    }
    const keys = this.#listed(']', () => this.#subscribed());
    const [key] = keys;
    if (!key) throw this.fail('brackets need something in them');
    return { kind: 'item', of, key: keys.length === 1 ? key : { kind: 'tuple', items: keys } };
  }

  #subscribed(): Expression {
    const isColon = () => this.is('operator', ':');
    const isEnd = () => this.is('operator', ']', ',');
    const first = isColon() ? null : this.expression();
    if (first && !isColon()) return first;
    this.next();
    const second = isColon() || isEnd() ? null : this.expression();
    const third = this.skip('operator', ':') && !isEnd() ? this.expression() : null;
    return { kind: 'slice', parts: [first, second, third] };
  }

  callArguments(): Arguments {
    const positional: Expression[] = [];
    const named: (readonly [string, Expression])[] = [];
    let [spread, namedSpread]: (Expression | null)[] = [null, null];
    const ensure = (holds: boolean) => {
      if (!holds) throw this.fail('invalid syntax for function call expression');
    };
    this.expect('operator', '(');
    this.#listed(')', () => {
      if (this.skip('operator', '*')) {
        ensure(!spread && !namedSpread);
        spread = this.expression();
      } else if (this.skip('operator', '**')) {
        ensure(!namedSpread);
        namedSpread = this.expression();
      } else if (this.is('name') && this.following.type === 'operator' && this.following.value === '=') {
        ensure(!namedSpread);
        const key = this.next().value;
        this.next();
        named.push([key, this.expression()]);
      } else {
        ensure(!spread && !namedSpread && named.length === 0);
        positional.push(this.expression());
      }
    });
    return { positional, named, spread: spread ?? null, namedSpread: namedSpread ?? null };
  }

  #dottedName(): string {
    let found = this.expect('name').value;
    while (this.skip('operator', '.')) found += `.${this.expect('name').value}`;
    return found;
  }

  /** A filter, from its name on. @param of null in a filter block */
  filter(of: Expression | null): Expression {
    const found = this.#dottedName();
    this.names.filters(found, 'filter');
    const args = this.is('operator', '(') ? this.callArguments() : noArguments;
    return { kind: 'filter', of, name: found, args };
  }

  #test(of: Expression): Expression {
    const isNegated = this.skip('name', 'not');
    const found = this.#dottedName();
    this.names.tests(found, 'test');
    const begins =
      this.is('name') || this.is('string') || this.is('integer') || this.is('float') || this.is('operator', '[', '{');
    let args = noArguments;
    if (this.is('operator', '(')) args = this.callArguments();
    else if (begins && !this.is('name', 'else', 'or', 'and')) {
      if (this.is('name', 'is')) throw this.fail('tests cannot be chained with is');
      args = { ...noArguments, positional: [this.#postfix(this.primary())] };
    }
    const test: Expression = { kind: 'test', of, name: found, args };
    return isNegated ? { kind: 'not', of: test } : test;
  }
}

/** @throws {UnsupportedError} if Jinja has it, but this does not */
export type NameCheck = (name: string, kind: 'filter' | 'test') => void;
