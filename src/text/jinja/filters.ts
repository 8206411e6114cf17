/** Jinja's filters: what stands after `|`. */
import { attributeOf, pathOf } from './attributes.ts';
import { formatPercent } from './format.ts';
import { type JsonOptions, jsonOf } from './json.ts';
import { toDecimals } from './literals.ts';
import { binary } from './operators.ts';
import {
  asDict,
  asInt,
  asText,
  bound,
  capitalize,
  center,
  replaceText,
  spaceClass,
  splitLines,
  strip,
} from './strings.ts';
import {
  compare,
  Dict,
  Float,
  hashOf,
  int,
  isInt,
  isTrue,
  iterate,
  JinjaError,
  Lazy,
  lengthOf,
  Markup,
  type Named,
  numberOf,
  refuseMarkup,
  refuseUndefined,
  Tuple,
  textOf,
  typeName,
  Undefined,
  UnsupportedError,
  type Value,
} from './values.ts';

/** Filters and tests by name, for filters that apply others. */
export interface Applications {
  filter(name: string, value: Value, args: readonly Value[], named: Named): Value;
  test(name: string, value: Value, args: readonly Value[]): boolean;
}

type Filter = (value: Value, args: readonly Value[], named: Named, apply: Applications) => Value;

/** A filter whose arguments have these names. */
const withArguments =
  (
    name: string,
    names: readonly string[],
    apply: (value: Value, args: readonly (Value | undefined)[]) => Value,
  ): Filter =>
  (value, args, named) =>
    apply(value, bound(name, names, args, named));

const ofText = (change: (text: string) => Value): Filter =>
  withArguments('filter', [], (value) => change(plain(value)));

function plain(value: Value): string {
  refuseMarkup(value);
  return textOf(value);
}

const flag = (value: Value | undefined): boolean => value !== undefined && isTrue(value);

const folded = (value: Value, isCaseSensitive: boolean): Value =>
  typeof value === 'string' && !isCaseSensitive ? value.toLowerCase() : value;

/** Sorts by keys; equal ones keep their order, also the other way round. */
function sorted(items: Iterable<Value>, keyOf: (item: Value) => Value, isReverse: boolean): Value[] {
  const keyed = Array.from(items, (item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => (isReverse ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}

function extreme(name: string, isBetter: (order: number) => boolean): Filter {
  return withArguments(name, ['case_sensitive', 'attribute'], (value, [sensitive, attribute]) => {
    const keyOf = pathOf(attribute);
    const key = (item: Value) => folded(keyOf(item), flag(sensitive));
    const items = [...iterate(value)];
    const [first] = items;
    if (first === undefined) return new Undefined('No aggregated item, sequence was empty.');
    return items.reduce((best, item) => (isBetter(compare(key(item), key(best))) ? item : best), first);
  });
}

function lazily(make: () => Generator<Value>): Lazy {
  return new Lazy(make());
}

function selecting(isKept: boolean, hasAttribute: boolean): Filter {
  return (value, args, _, apply) =>
    lazily(function* () {
      if (!isTrue(value)) return;
      if (hasAttribute && args.length === 0) throw new JinjaError('Missing parameter for attribute name');
      const keyOf = hasAttribute ? pathOf(args[0]) : (item: Value) => item;
      const [test, ...others] = hasAttribute ? args.slice(1) : args;
      for (const item of iterate(value)) {
        const key = keyOf(item);
        const holds = test === undefined ? isTrue(key) : apply.test(asText(test, 'a test'), key, others);
        if (holds === isKept) yield item;
      }
    });
}

const map: Filter = (value, args, named, apply) =>
  lazily(function* () {
    if (!isTrue(value)) return;
    if (args.length === 0 && named.has('attribute')) {
      const [attribute, otherwise] = bound('map', ['attribute', 'default'], [], named);
      const parts = typeof attribute === 'string' ? attribute.split('.') : [attribute ?? null];
      for (const item of iterate(value)) {
        yield parts.reduce<Value>((found, part) => {
          const next = pathOf(part)(found);
          return next instanceof Undefined && otherwise !== undefined && otherwise !== null ? otherwise : next;
        }, item);
      }
      return;
    }
    const [name, ...others] = args;
    if (name === undefined) throw new JinjaError('map requires a filter argument');
    for (const item of iterate(value)) yield apply.filter(asText(name, 'map'), item, others, named);
  });

const tojson = withArguments(
  'tojson',
  ['ensure_ascii', 'indent', 'separators', 'sort_keys'],
  (value, [ascii, indent, separators, sorts]) => {
    refuseMarkup(value);
    const isLine = indent === undefined || indent === null;
    const pair = separators === undefined || separators === null ? null : [...iterate(separators)];
    const options: JsonOptions = {
      isAscii: flag(ascii),
      indent: isLine ? null : typeof indent === 'string' ? indent : ' '.repeat(Math.max(0, asInt(indent, 'tojson'))),
      separators: pair ? [asText(pair[0], 'separators'), asText(pair[1], 'separators')] : [isLine ? ', ' : ',', ': '],
      sortsKeys: flag(sorts),
    };
    return jsonOf(value, options);
  },
);

const indent = withArguments('indent', ['width', 'first', 'blank'], (value, [width, first, blank]) => {
  const by = typeof width === 'string' ? width : ' '.repeat(Math.max(0, asInt(width, 'indent', 4)));
  const lines = splitLines(`${asText(value, 'indent')}\n`);
  const [head = '', ...rest] = lines;
  const others = rest.map((line) => (line !== '' || flag(blank) ? by + line : line));
  return (flag(first) ? by : '') + [head, ...others].join('\n');
});

/** Python's `int(text)`, or null. */
function parsedInt(text: string, base: number): number | null {
  const found = /^([-+]?)(0[xX]|0[oO]|0[bB])?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/.exec(strip(text, null));
  if (!found) return null;
  const prefixBase = { x: 16, o: 8, b: 2 }[found[2]?.[1]?.toLowerCase() ?? ''];
  if (prefixBase !== undefined && prefixBase !== base) return null;
  const digits = found[3]!.replaceAll('_', '').toLowerCase();
  const value = Number.parseInt(digits, base);
  const isWhole = Array.from(digits).every((digit) => Number.parseInt(digit, 36) < base);
  return isWhole ? int(found[1] === '-' ? -value : value) : null;
}

/** Python's `float(text)`, or null. */
function parsedFloat(text: string): number | null {
  const trimmed = strip(text, null).replace(/(?<=\d)_(?=\d)/g, '');
  if (/^[-+]?(inf|infinity|nan)$/i.test(trimmed)) throw new UnsupportedError('numbers that are infinite');
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed) ? Number(trimmed) : null;
}

const toInt = withArguments('int', ['default', 'base'], (value, [otherwise = 0, base]) => {
  refuseUndefined(value);
  const number = numberOf(value);
  if (number !== null) return int(Math.trunc(number));
  if (typeof value !== 'string') return otherwise;
  const whole = parsedInt(value, asInt(base, 'int', 10));
  if (whole !== null) return whole;
  const float = parsedFloat(value);
  return float === null ? otherwise : int(Math.trunc(float));
});

const round = withArguments('round', ['precision', 'method'], (value, [precision, method = 'common']) => {
  const [number, digits] = [numberOf(value), asInt(precision, 'round', 0)];
  refuseUndefined(value);
  if (number === null) throw new JinjaError(`type ${typeName(value)} doesn't define __round__ method`);
  if (digits < 0) throw new UnsupportedError('rounding to tens');
  if (method === 'common') return isInt(value) ? number : new Float(Number(toDecimals(number, digits)));
  const factor = 10 ** digits;
  if (method === 'ceil') return new Float(Math.ceil(number * factor) / factor);
  if (method === 'floor') return new Float(Math.floor(number * factor) / factor);
  throw new JinjaError('method must be common, ceil or floor');
});

const dictsort = withArguments('dictsort', ['case_sensitive', 'by', 'reverse'], (value, [sensitive, by, reverse]) => {
  if (by !== undefined && by !== 'key' && by !== 'value')
    throw new JinjaError('You can only sort by either "key" or "value"');
  const entries = asDict(value)
    .entries()
    .map((entry) => new Tuple(entry));
  const place = by === 'value' ? 1 : 0;
  return sorted(entries, (entry) => folded((entry as Tuple).items[place]!, flag(sensitive)), flag(reverse));
});

function batches(value: Value, size: number, fill: Value | undefined): Lazy {
  return lazily(function* () {
    const items = [...iterate(value)];
    for (let start = 0; start < items.length; start += size) {
      const batch = items.slice(start, start + size);
      if (fill !== undefined && fill !== null) while (batch.length < size) batch.push(fill);
      yield batch;
    }
  });
}

function reversed(value: Value): Value {
  if (typeof value === 'string') return Array.from(value).reverse().join('');
  const items = [...iterate(value)].reverse();
  return lazily(function* () {
    yield* items;
  });
}

const length = withArguments('length', [], (value) => lengthOf(value));
const defaults = withArguments('default', ['default_value', 'boolean'], (value, [otherwise = '', boolean]) =>
  value instanceof Undefined || (flag(boolean) && !isTrue(value)) ? otherwise : value,
);
const escaped = withArguments('escape', [], (value) => {
  if (value instanceof Markup) return value;
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '>': '&gt;',
    '<': '&lt;',
    "'": '&#39;',
    '"': '&#34;',
  };
  return new Markup(textOf(value).replace(/[&<>'"]/g, (one) => entities[one]!));
});
const titleBreaks = new RegExp(`([-${spaceClass}({\\[<]+)`);
const title = (text: string) =>
  text
    .split(titleBreaks)
    .map((word) => {
      const [first = ''] = word;
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
    })
    .join('');

export const filters: Readonly<Record<string, Filter>> = {
  abs: withArguments('abs', [], (value) => {
    refuseUndefined(value);
    const number = numberOf(value);
    if (number === null) throw new JinjaError(`bad operand type for abs(): '${typeName(value)}'`);
    return isInt(value) ? Math.abs(number) : new Float(Math.abs(number));
  }),
  attr: withArguments('attr', ['name'], (value, [name]) => {
    if (value instanceof Dict) throw new UnsupportedError('the filter attr of a dict');
    return attributeOf(value, asText(name, 'attr'));
  }),
  batch: withArguments('batch', ['linecount', 'fill_with'], (value, [size, fill]) =>
    batches(value, asInt(size, 'batch'), fill),
  ),
  capitalize: ofText(capitalize),
  center: withArguments('center', ['width'], (value, [width]) => center(plain(value), asInt(width, 'center', 80))),
  count: length,
  d: defaults,
  default: defaults,
  dictsort,
  e: escaped,
  escape: escaped,
  first: withArguments('first', [], (value) => {
    for (const item of iterate(value)) return item;
    return new Undefined('No first item, sequence was empty.');
  }),
  float: withArguments('float', ['default'], (value, [otherwise = new Float(0)]) => {
    refuseUndefined(value);
    const number = typeof value === 'string' ? parsedFloat(value) : numberOf(value);
    return number === null ? otherwise : new Float(number);
  }),
  format: (value, args, named) => {
    if (args.length > 0 && named.size > 0)
      throw new JinjaError("can't handle positional and keyword arguments at the same time");
    return formatPercent(plain(value), named.size > 0 ? new Dict(named) : new Tuple(args));
  },
  indent,
  int: toInt,
  items: withArguments('items', [], (value) => {
    if (!(value instanceof Dict || value instanceof Undefined))
      throw new JinjaError('Can only get item pairs from a mapping.');
    const entries = value instanceof Dict ? value.entries() : [];
    return lazily(function* () {
      for (const entry of entries) yield new Tuple(entry);
    });
  }),
  join: withArguments('join', ['d', 'attribute'], (value, [separator = '', attribute]) =>
    Array.from(iterate(value), (item) => plain(pathOf(attribute)(item))).join(plain(separator)),
  ),
  last: withArguments('last', [], (value) => {
    if (value instanceof Lazy) throw new JinjaError("'generator' object is not reversible");
    const item = [...iterate(value)].at(-1);
    return item === undefined ? new Undefined('No last item, sequence was empty.') : item;
  }),
  length,
  list: withArguments('list', [], (value) => [...iterate(value)]),
  lower: ofText((text) => text.toLowerCase()),
  map,
  max: extreme('max', (order) => order > 0),
  min: extreme('min', (order) => order < 0),
  reject: selecting(false, false),
  rejectattr: selecting(false, true),
  replace: withArguments('replace', ['old', 'new', 'count'], (value, [old, by, count]) => {
    if (old === undefined || by === undefined) throw new JinjaError('replace needs an old and a new text');
    return replaceText(plain(value), plain(old), plain(by), asInt(count, 'replace', -1));
  }),
  reverse: withArguments('reverse', [], reversed),
  round,
  safe: withArguments('safe', [], (value) => (value instanceof Markup ? value : new Markup(textOf(value)))),
  select: selecting(true, false),
  selectattr: selecting(true, true),
  sort: withArguments('sort', ['reverse', 'case_sensitive', 'attribute'], (value, [reverse, sensitive, attribute]) => {
    const paths = typeof attribute === 'string' ? attribute.split(',').map(pathOf) : [pathOf(attribute)];
    const keyOf = (item: Value): Value => new Tuple(paths.map((path) => folded(path(item), flag(sensitive))));
    return sorted(iterate(value), keyOf, flag(reverse));
  }),
  string: withArguments('string', [], (value) => (value instanceof Markup ? value : textOf(value))),
  sum: withArguments('sum', ['attribute', 'start'], (value, [attribute, start = 0]) => {
    const keyOf = pathOf(attribute);
    if (typeof start === 'string') throw new JinjaError("sum() can't sum strings [use ''.join(seq) instead]");
    return [...iterate(value)].reduce<Value>((sum, item) => binary('+', sum, keyOf(item)), start);
  }),
  title: ofText(title),
  tojson,
  trim: withArguments('trim', ['chars'], (value, [characters]) =>
    strip(plain(value), characters === undefined || characters === null ? null : asText(characters, 'trim')),
  ),
  unique: withArguments('unique', ['case_sensitive', 'attribute'], (value, [sensitive, attribute]) =>
    lazily(function* () {
      const seen = new Set<string>();
      const keyOf = pathOf(attribute);
      for (const item of iterate(value)) {
        const key = hashOf(folded(keyOf(item), flag(sensitive)));
        if (!seen.has(key)) yield item;
        seen.add(key);
      }
    }),
  ),
  upper: ofText((text) => text.toUpperCase()),
  wordcount: ofText((text) => text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
};

/** Filters of Jinja that are not there. */
export const otherFilters: ReadonlySet<string> = new Set([
  ...['filesizeformat', 'forceescape', 'groupby', 'pprint', 'random', 'slice', 'striptags', 'truncate', 'urlencode'],
  ...['urlize', 'wordwrap', 'xmlattr'],
]);
