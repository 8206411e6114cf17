/**
 * Reads S-expressions, the outer shape of PDDL files: names and nested lists. Comments run from `;` to the end of the
 * line, names are split by whitespace and parentheses only, and everything is lower-cased, because PDDL does not tell
 * case apart.
 */
import { ProxmoError } from '../../base/errors.ts';

/** A name or a list. */
export type SExpression = string | readonly SExpression[];

/**
 * Deepest nesting accepted. Real files stay below 20; the bound lets later passes recurse without fear for the stack.
 */
const MAX_DEPTH = 200;

const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const NEWLINE = 0x0a;
const SPACE = 0x20;

/**
 * Reads the one list that a file consists of.
 *
 * @param what names the text in error messages, for example `domain`.
 * @throws {ProxmoError} `parse` on unbalanced parentheses, text outside the list, or nesting beyond 200.
 */
export function readSExpression(text: string, what: string): readonly SExpression[] {
  const source = text.toLowerCase();
  const stack: SExpression[][] = [];
  let result: SExpression[] | null = null;
  let position = 0;
  while (position < source.length) {
    const code = source.charCodeAt(position);
    if (code <= SPACE) {
      position++;
    } else if (code === SEMICOLON) {
      const end = source.indexOf('\n', position);
      position = end < 0 ? source.length : end + 1;
    } else if (result !== null) {
      throw fail(source, position, what, 'text follows the closing parenthesis');
    } else if (code === OPEN) {
      if (stack.length >= MAX_DEPTH) throw fail(source, position, what, `lists nest deeper than ${MAX_DEPTH}`);
      const list: SExpression[] = [];
      stack.at(-1)?.push(list);
      stack.push(list);
      position++;
    } else if (code === CLOSE) {
      const closed = stack.pop();
      if (closed === undefined) throw fail(source, position, what, 'a closing parenthesis has no opening one');
      if (stack.length === 0) result = closed;
      position++;
    } else {
      const end = endOfName(source, position);
      const parent = stack.at(-1);
      if (parent === undefined) throw fail(source, position, what, 'text stands outside parentheses');
      parent.push(source.slice(position, end));
      position = end;
    }
  }
  if (result === null) throw fail(source, position, what, 'a closing parenthesis is missing');
  return result;
}

function endOfName(source: string, start: number): number {
  let end = start + 1;
  for (; end < source.length; end++) {
    const code = source.charCodeAt(end);
    if (code <= SPACE || code === OPEN || code === CLOSE || code === SEMICOLON) break;
  }
  return end;
}

function fail(source: string, position: number, what: string, problem: string): ProxmoError {
  let line = 1;
  for (let i = 0; i < position; i++) if (source.charCodeAt(i) === NEWLINE) line++;
  return new ProxmoError('parse', `PDDL ${what}, line ${line}: ${problem}; correct the file.`);
}

/** A short rendering of an expression for error messages. */
export function showSExpression(expression: SExpression): string {
  const parts: string[] = [];
  let length = 0;
  const visit = (node: SExpression): void => {
    if (length > 60) return;
    if (typeof node === 'string') {
      parts.push(node);
      length += node.length + 1;
      return;
    }
    parts.push('(');
    for (const child of node) visit(child);
    parts.push(')');
    length += 2;
  };
  visit(expression);
  const text = parts.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
