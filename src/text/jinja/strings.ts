/** The methods of Python's `str`. Characters are code points, white space is Python's. */
import {
  Dict,
  isList,
  iterate,
  JinjaError,
  lengthOf,
  type Named,
  numberOf,
  refuseMarkup,
  refuseUndefined,
  Tuple,
  typeName,
  UnsupportedError,
  type Value,
} from './values.ts';

export const spaceClass = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const lineEndClass = '\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029';
const spaces = new RegExp(`[${spaceClass}]+`, 'g');
const lineEnds = new RegExp(`\r\n|[${lineEndClass}]`, 'g');

export type Method = (text: string, args: readonly Value[], named: Named) => Value;

/**
 * Arguments by position or name, in the order of the names.
 * @throws {JinjaError} for too many, or of a name that is not known
 */
export function bound(
  what: string,
  names: readonly string[],
  args: readonly Value[],
  named: Named,
): (Value | undefined)[] {
  if (args.length > names.length)
    throw new JinjaError(`${what}() takes at most ${names.length} arguments (${args.length} given)`);
  const result: (Value | undefined)[] = names.map((_, index) => args[index]);
  for (const [name, value] of named) {
    const index = names.indexOf(name);
    if (index < 0) throw new JinjaError(`${what}() got an unexpected keyword argument '${name}'`);
    if (result[index] !== undefined) throw new JinjaError(`${what}() got multiple values for argument '${name}'`);
    result[index] = value;
  }
  return result;
}

export function asText(value: Value | undefined, what: string): string {
  if (typeof value === 'string') return value;
  if (value === undefined) throw new JinjaError(`${what} misses an argument`);
  refuseUndefined(value);
  refuseMarkup(value);
  throw new JinjaError(`${what} takes a str, not ${typeName(value)}`);
}

export function asInt(value: Value | undefined, what: string, otherwise?: number): number {
  if (value === undefined || (value === null && otherwise !== undefined)) {
    if (otherwise !== undefined) return otherwise;
    throw new JinjaError(`${what} misses an argument`);
  }
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
  refuseUndefined(value);
  throw new JinjaError(`${what} takes an int, not ${typeName(value)}`);
}

export function strip(text: string, characters: string | null, sides: 'both' | 'left' | 'right' = 'both'): string {
  const items = Array.from(text);
  const isStripped =
    characters === null ? (one: string) => spaces.test(one) : (one: string) => characters.includes(one);
  const test = (one: string) => {
    spaces.lastIndex = 0;
    return isStripped(one);
  };
  let [start, end] = [0, items.length];
  if (sides !== 'right') while (start < end && test(items[start]!)) start++;
  if (sides !== 'left') while (end > start && test(items[end - 1]!)) end--;
  return items.slice(start, end).join('');
}

export function splitLines(text: string, keepsEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const match of text.matchAll(lineEnds)) {
    const end = match.index + match[0].length;
    lines.push(text.slice(start, keepsEnds ? end : match.index));
    start = end;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** The first letter as a title has it (`ß` becomes `Ss`), the others small. */
export function capitalize(text: string): string {
  const [first = ''] = text;
  const [upper = '', ...more] = first.toUpperCase();
  return upper + more.join('').toLowerCase() + text.slice(first.length).toLowerCase();
}

function title(text: string): string {
  return text.replace(/[\p{Lu}\p{Ll}\p{Lt}]+/gu, capitalize);
}

function split(text: string, separator: Value | undefined, limit: number, fromRight: boolean): string[] {
  if (separator !== undefined && separator !== null)
    return splitBy(text, asText(separator, 'split()'), limit, fromRight);
  const words = text.split(new RegExp(`[${spaceClass}]+`)).filter((word) => word !== '');
  if (limit < 0 || words.length <= limit) return words;
  if (fromRight) {
    let rest = strip(text, null, 'right');
    for (const word of words.slice(words.length - limit).reverse())
      rest = strip(rest.slice(0, rest.length - word.length), null, 'right');
    return [rest, ...words.slice(words.length - limit)];
  }
  let rest = strip(text, null, 'left');
  const parts: string[] = [];
  while (parts.length < limit) {
    const word = words[parts.length]!;
    parts.push(word);
    rest = strip(rest.slice(word.length), null, 'left');
  }
  return [...parts, rest];
}

function splitBy(text: string, separator: string, limit: number, fromRight: boolean): string[] {
  if (separator === '') throw new JinjaError('empty separator');
  const parts = text.split(separator);
  if (limit < 0 || parts.length <= limit + 1) return parts;
  return fromRight
    ? [parts.slice(0, parts.length - limit).join(separator), ...parts.slice(parts.length - limit)]
    : [...parts.slice(0, limit), parts.slice(limit).join(separator)];
}

export function replaceText(text: string, old: string, by: string, count: number): string {
  const pieces = old === '' ? ['', ...Array.from(text), ''] : text.split(old);
  const most = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  let result = pieces[0]!;
  for (let index = 1; index < pieces.length; index++) result += (index <= most ? by : old) + pieces[index]!;
  return result;
}

export function center(text: string, width: number, fill = ' '): string {
  const missing = width - lengthOf(text);
  if (missing <= 0) return text;
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

function justify(side: 'left' | 'right'): Method {
  return (text, args, named) => {
    const [width, fill = ' '] = bound('justify', ['width', 'fillchar'], args, named);
    const rest = asText(fill, 'justify()').repeat(Math.max(0, asInt(width, 'justify()') - lengthOf(text)));
    return side === 'left' ? text + rest : rest + text;
  };
}

/** Offsets count in characters. */
function find(name: string, fromRight: boolean, isStrict: boolean): Method {
  return (text, args) => {
    const [part, start, stop] = args;
    const { inner, from } = within(text, start, stop);
    const sought = asText(part, `${name}()`);
    const at = fromRight ? inner.lastIndexOf(sought) : inner.indexOf(sought);
    if (at < 0 && isStrict) throw new JinjaError('substring not found');
    return at < 0 ? -1 : from + lengthOf(inner.slice(0, at));
  };
}

function within(text: string, start: Value | undefined, stop: Value | undefined) {
  const items = Array.from(text);
  const place = (value: Value | undefined, otherwise: number) => {
    const index = asInt(value, 'an index', otherwise);
    return Math.min(items.length, index < 0 ? Math.max(0, index + items.length) : index);
  };
  const from = place(start, 0);
  return { inner: items.slice(from, place(stop, items.length)).join(''), from };
}

function affix(name: string, holds: (text: string, part: string) => boolean): Method {
  return (text, args) => {
    const [given, start, stop] = args;
    const { inner } = within(text, start, stop);
    if (given instanceof Tuple) return given.items.some((part) => holds(inner, asText(part, `${name}()`)));
    return holds(inner, asText(given, `${name}()`));
  };
}

function partition(fromRight: boolean): Method {
  return (text, args) => {
    const separator = asText(args[0], 'partition()');
    if (separator === '') throw new JinjaError('empty separator');
    const at = fromRight ? text.lastIndexOf(separator) : text.indexOf(separator);
    if (at < 0) return new Tuple(fromRight ? ['', '', text] : [text, '', '']);
    return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)]);
  };
}

const every =
  (pattern: RegExp): Method =>
  (text) =>
    text !== '' && Array.from(text).every((one) => pattern.test(one));

/** Whether all letters with a case have this one, and there is one. */
export function hasCase(text: string, change: (text: string) => string): boolean {
  const letters = Array.from(text).filter((one) => one.toLowerCase() !== one.toUpperCase());
  return letters.length > 0 && letters.every((one) => change(one) === one);
}

const splitter =
  (fromRight: boolean): Method =>
  (text, args, named) => {
    const [separator, limit] = bound('split', ['sep', 'maxsplit'], args, named);
    return split(text, separator, asInt(limit, 'split()', -1), fromRight);
  };
const stripper =
  (sides: 'both' | 'left' | 'right'): Method =>
  (text, args) => {
    const [characters] = args;
    return strip(text, characters === undefined || characters === null ? null : asText(characters, 'strip()'), sides);
  };

export const stringMethods: Readonly<Record<string, Method>> = {
  capitalize: (text) => capitalize(text),
  center: (text, [width, fill = ' ']) => center(text, asInt(width, 'center()'), asText(fill, 'center()')),
  count: (text, [part, start, stop]) => {
    const { inner } = within(text, start, stop);
    const sought = asText(part, 'count()');
    return sought === '' ? lengthOf(inner) + 1 : inner.split(sought).length - 1;
  },
  endswith: affix('endswith', (text, part) => text.endsWith(part)),
  find: find('find', false, false),
  index: find('index', false, true),
  isalnum: every(/^[\p{L}\p{N}]$/u),
  isalpha: every(/^\p{L}$/u),
  isascii: (text) => /^[\0-\x7f]*$/.test(text),
  isdecimal: every(/^\p{Nd}$/u),
  islower: (text) => hasCase(text, (one) => one.toLowerCase()),
  isspace: every(new RegExp(`^[${spaceClass}]$`)),
  isupper: (text) => hasCase(text, (one) => one.toUpperCase()),
  join: (text, [items]) => {
    if (items === undefined) throw new JinjaError('join() misses an argument');
    return Array.from(iterate(items), (item, index) => {
      if (typeof item !== 'string')
        throw new JinjaError(`sequence item ${index}: expected str instance, ${typeName(item)} found`);
      return item;
    }).join(text);
  },
  ljust: justify('left'),
  lower: (text) => text.toLowerCase(),
  lstrip: stripper('left'),
  partition: partition(false),
  removeprefix: (text, [part]) => {
    const prefix = asText(part, 'removeprefix()');
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  },
  removesuffix: (text, [part]) => {
    const suffix = asText(part, 'removesuffix()');
    return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
  },
  replace: (text, args, named) => {
    const [old, by, count] = bound('replace', ['old', 'new', 'count'], args, named);
    return replaceText(text, asText(old, 'replace()'), asText(by, 'replace()'), asInt(count, 'replace()', -1));
  },
  rfind: find('rfind', true, false),
  rindex: find('rindex', true, true),
  rjust: justify('right'),
  rpartition: partition(true),
  rsplit: splitter(true),
  rstrip: stripper('right'),
  split: splitter(false),
  splitlines: (text, args, named) => {
    const [keeps] = bound('splitlines', ['keepends'], args, named);
    return splitLines(text, keeps !== undefined && numberOf(keeps) !== 0);
  },
  startswith: affix('startswith', (text, part) => text.startsWith(part)),
  strip: stripper('both'),
  swapcase: (text) =>
    Array.from(text, (one) => (one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase())).join(''),
  title: (text) => title(text),
  upper: (text) => text.toUpperCase(),
  zfill: (text, [width]) => {
    const [, sign = '', digits = ''] = /^([-+]?)([\s\S]*)$/.exec(text) ?? [];
    return sign + '0'.repeat(Math.max(0, asInt(width, 'zfill()') - lengthOf(text))) + digits;
  },
};

/** Methods of `str` that are not there. */
export const otherStringMethods: ReadonlySet<string> = new Set([
  ...['casefold', 'encode', 'expandtabs', 'format_map', 'isdigit', 'isidentifier', 'isnumeric', 'isprintable'],
  ...['istitle', 'maketrans', 'translate'],
]);

/** Items of a list or a tuple, for methods that both have. */
export function sequenceItems(value: Value): readonly Value[] | null {
  return isList(value) ? value : value instanceof Tuple ? value.items : null;
}

export function refuseMethod(type: string, name: string): never {
  throw new UnsupportedError(`the method ${type}.${name}`);
}

export function asDict(value: Value): Dict {
  if (value instanceof Dict) return value;
  refuseUndefined(value);
  throw new JinjaError(`a dict is due, not ${typeName(value)}`);
}
