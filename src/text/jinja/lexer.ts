/**
 * Jinja's lexer, with the settings that chat templates are read with: `trim_blocks` (the line ending after a tag is
 * dropped) and `lstrip_blocks` (white space before a tag that begins a line is dropped). Line endings are LF, and one
 * at the end of the template is dropped.
 */
import { unescapeText } from './literals.ts';
import { JinjaError, UnsupportedError } from './values.ts';

export type TokenType = 'data' | 'name' | 'string' | 'integer' | 'float' | 'operator' | 'begin' | 'end' | 'eof';

export interface Token {
  readonly type: TokenType;
  /** Of `begin` and `end`, `block` or `variable`. */
  readonly value: string;
  readonly line: number;
}

const space = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const trailingSpace = new RegExp(`${space}+$`);
const onlySpace = new RegExp(`^${space}+$`);
const opening = new RegExp(`\\{%([-+]?)${space}*raw${space}*(?:-%\\}${space}*|%\\})|\\{([%#{])([-+]?)`, 'g');
const rawEnd = new RegExp(`\\{%([-+]?)${space}*endraw${space}*(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`, 'g');
const commentEnd = new RegExp(`\\+#\\}|-#\\}${space}*|#\\}\\n?`, 'g');
const blockEnd = new RegExp(`\\+%\\}|-%\\}${space}*|%\\}\\n?`, 'y');
const variableEnd = new RegExp(`-\\}\\}${space}*|\\}\\}`, 'y');
const skipped = new RegExp(`${space}+`, 'y');
const float = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const name = /[\p{L}\p{M}\p{N}\p{Pc}]+/uy;
const string = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const operator = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;

/** @throws {JinjaError} where the template cannot be read */
export function tokenize(template: string): Token[] {
  return new Lexer(template.replace(/\r\n?/g, '\n').replace(/\n$/, '')).run();
}

class Lexer {
  readonly tokens: Token[] = [];
  #at = 0;
  #isLineStart = true;
  /** Lines up to `#counted`. */
  #lines = 1;
  #counted = 0;

  constructor(private readonly source: string) {}

  run(): Token[] {
    while (this.#at < this.source.length) this.#root();
    this.#add('eof', '');
    return this.tokens;
  }

  get #line(): number {
    for (; this.#counted < this.#at; this.#counted++) if (this.source[this.#counted] === '\n') this.#lines++;
    return this.#lines;
  }

  #fail(what: string): JinjaError {
    return new JinjaError(`line ${this.#line}: ${what}`);
  }

  #add(type: TokenType, value: string): void {
    this.tokens.push({ type, value, line: this.#line });
  }

  /** Text up to the next tag, and the tag. */
  #root(): void {
    opening.lastIndex = this.#at;
    const match = opening.exec(this.source);
    const text = this.source.slice(this.#at, match?.index);
    if (!match) {
      this.#at = this.source.length;
      this.#data(text);
      return;
    }
    const [all, rawSign, kind, sign] = match;
    const stripped = this.#stripped(text, rawSign ?? sign ?? '', kind === '{');
    this.#at = match.index + all.length;
    this.#isLineStart = all.endsWith('\n');
    this.#data(stripped);
    if (kind === undefined) this.#raw();
    else if (kind === '#') this.#upTo(commentEnd, 'the end of a comment is missing');
    else this.#tag(kind === '%' ? 'block' : 'variable');
  }

  #data(text: string): void {
    if (text !== '') this.#add('data', text);
  }

  /** Text before a tag, as its sign and the settings ask for. */
  #stripped(text: string, sign: string, isVariable: boolean, isLineStart = this.#isLineStart): string {
    if (sign === '-') return text.replace(trailingSpace, '');
    if (sign === '+' || isVariable) return text;
    const lineStart = text.lastIndexOf('\n') + 1;
    if (lineStart === 0 && !isLineStart) return text;
    return onlySpace.test(text.slice(lineStart)) ? text.slice(0, lineStart) : text;
  }

  /** Goes behind a pattern, and gives what lies before it. */
  #upTo(pattern: RegExp, missing: string): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.source);
    if (!match) throw this.#fail(missing);
    this.#at = match.index + match[0].length;
    this.#isLineStart = match[0].endsWith('\n');
    return match;
  }

  #raw(): void {
    const [start, isLineStart] = [this.#at, this.#isLineStart];
    const match = this.#upTo(rawEnd, 'the end of a raw block is missing');
    const text = this.source.slice(start, match.index);
    this.#data(this.#stripped(text, match[1] ?? '', false, isLineStart));
  }

  #tag(kind: 'block' | 'variable'): void {
    this.#add('begin', kind);
    const brackets: string[] = [];
    const end = kind === 'block' ? blockEnd : variableEnd;
    while (this.#at < this.source.length) {
      const closed = brackets.length === 0 ? this.#take(end) : null;
      if (closed !== null) {
        this.#isLineStart = closed.endsWith('\n');
        this.#add('end', kind);
        return;
      }
      if (this.#take(skipped) === null) this.#inside(brackets);
    }
    throw this.#fail(`unexpected end of the template within a ${kind} tag`);
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.source)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  /** One token within a tag. */
  #inside(brackets: string[]): void {
    const number = this.#take(float);
    if (number !== null) {
      this.#add('float', number.replaceAll('_', ''));
      return;
    }
    const whole = this.#take(integer);
    if (whole !== null) {
      this.#add('integer', whole.replaceAll('_', ''));
      return;
    }
    const word = this.#take(name);
    if (word !== null) {
      if (!/^[\p{L}\p{Nl}_]/u.test(word)) throw this.#fail(`"${word}" is no name`);
      this.#add('name', word);
      return;
    }
    const text = this.#take(string);
    if (text !== null) {
      const fail = (what: string) => new UnsupportedError(what);
      this.#add('string', unescapeText(text.slice(1, -1), fail));
      return;
    }
    const sign = this.#take(operator);
    if (sign === null) throw this.#fail(`unexpected character ${JSON.stringify(this.source[this.#at])}`);
    const pairs: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };
    if (pairs[sign]) brackets.push(pairs[sign]);
    else if (Object.values(pairs).includes(sign) && brackets.pop() !== sign) throw this.#fail(`unexpected "${sign}"`);
    this.#add('operator', sign);
  }
}
