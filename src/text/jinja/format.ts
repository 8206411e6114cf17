/** Python's two ways to put values into a text: `'%s' % value` and `'{}'.format(value)`. */
import { reprFloat, toDecimals } from './literals.ts';
import {
  Dict,
  Float,
  int,
  isInt,
  isList,
  JinjaError,
  type Named,
  numberOf,
  refuseMarkup,
  refuseUndefined,
  reprOf,
  Tuple,
  textOf,
  typeName,
  UnsupportedError,
  type Value,
} from './values.ts';

const percentPattern = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?([\s\S]?)/g;

/** `template % values`. @throws {JinjaError} if the values do not fit the template */
export function formatPercent(template: string, values: Value): string {
  const items = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const take = (key: string | undefined): Value => {
    if (key === undefined) {
      if (used >= items.length) throw new JinjaError('not enough arguments for format string');
      return items[used++] as Value;
    }
    if (!(values instanceof Dict)) throw new JinjaError('format requires a mapping');
    used = items.length;
    const value = values.get(key);
    if (value === undefined) throw new JinjaError(`KeyError: ${reprOf(key)}`);
    return value;
  };
  const result = template.replace(
    percentPattern,
    (_, key: string | undefined, flags: string, width = '', precision: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      if (kind === '') throw new JinjaError('incomplete format');
      if (width === '*' || precision === '*' || flags.includes('#'))
        throw new UnsupportedError(`the format %${flags}${width}${precision ?? ''}${kind}`);
      const value = take(key);
      const text = percentText(kind, value, precision === undefined ? undefined : Number(precision), flags);
      const isNumber = !'srac'.includes(kind);
      if (flags.includes('-')) return padded(text, Number(width), ' ', '<');
      return padded(
        text,
        Number(width),
        flags.includes('0') && isNumber ? '0' : ' ',
        isNumber && flags.includes('0') ? '=' : '>',
      );
    },
  );
  if (used < items.length && !(values instanceof Dict) && !isList(values))
    throw new JinjaError('not all arguments converted during string formatting');
  return result;
}

function percentText(kind: string, value: Value, precision: number | undefined, flags: string): string {
  refuseMarkup(value);
  const cut = (text: string) => (precision === undefined ? text : Array.from(text).slice(0, precision).join(''));
  if (kind === 's') return cut(textOf(value));
  if (kind === 'r') return cut(reprOf(value));
  if (kind === 'c' && typeof value === 'string' && Array.from(value).length === 1) return value;
  const number = numberOf(value);
  if (number === null) {
    refuseUndefined(value);
    throw new JinjaError(`%${kind} format: a number is required, not ${typeName(value)}`);
  }
  const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '-';
  if ('diu'.includes(kind)) return signed(padDigits(Math.trunc(number), precision), number < 0, sign);
  if ('xXo'.includes(kind)) {
    if (!isInt(value)) throw new JinjaError(`%${kind} format: an integer is required, not float`);
    return signed(radixText(Math.abs(number), kind), number < 0, sign);
  }
  if ('eEfFgG'.includes(kind)) return floatText(kind, number, precision ?? 6, sign);
  throw new UnsupportedError(`the format %${kind}`);
}

function padDigits(number: number, precision = 0): string {
  return String(Math.abs(number)).padStart(precision, '0');
}

function radixText(size: number, kind: string): string {
  const radix = kind === 'b' ? 2 : kind === 'o' ? 8 : 16;
  const text = size.toString(radix);
  return kind === 'X' ? text.toUpperCase() : text;
}

function signed(text: string, isNegative: boolean, sign: string): string {
  return isNegative ? `-${text}` : sign === '-' ? text : sign + text;
}

/** A number as the formats e, f, g and % write it. */
function floatText(kind: string, value: number, precision: number, sign: string): string {
  const size = Math.abs(value);
  const isNegative = value < 0 || Object.is(value, -0);
  const lower = kind.toLowerCase();
  let text: string;
  if (lower === 'f') text = toDecimals(size, precision);
  else if (lower === '%') text = `${toDecimals(size * 100, precision)}%`;
  else if (lower === 'e') text = exponential(size, precision);
  else {
    const digits = Math.max(1, precision);
    const exponent = size === 0 ? 0 : Number(size.toExponential(digits - 1).split('e')[1]);
    text =
      exponent < -4 || exponent >= digits
        ? exponential(size, digits - 1).replace(/\.?0+(?=e)/, '')
        : trimmed(toDecimals(size, digits - 1 - exponent));
  }
  return signed(kind === kind.toUpperCase() ? text.toUpperCase() : text, isNegative, sign);
}

function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function exponential(size: number, precision: number): string {
  const [mantissa = '', exponent = ''] = size.toExponential(precision).split('e');
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

function padded(text: string, width: number, fill: string, align: string): string {
  const missing = width - Array.from(text).length;
  if (!(missing > 0)) return text;
  if (align === '<') return text + fill.repeat(missing);
  if (align === '^') return fill.repeat(Math.floor(missing / 2)) + text + fill.repeat(Math.ceil(missing / 2));
  if (align !== '=') return fill.repeat(missing) + text;
  const [, sign = '', digits = ''] = /^([-+ ]?)([\s\S]*)$/.exec(text) ?? [];
  return sign + fill.repeat(missing) + digits;
}

/** Attributes and items of what a format names. */
export interface Lookup {
  attribute(of: Value, name: string): Value;
  item(of: Value, key: Value): Value;
}

/** `template.format(…)`. @throws {JinjaError} if the values do not fit the template */
export function formatBraces(template: string, args: readonly Value[], named: Named, lookup: Lookup): string {
  let automatic = 0;
  const find = (field: string): Value => {
    const [, first = '', rest = ''] = /^([^.[]*)([\s\S]*)$/.exec(field) ?? [];
    const index = first === '' ? automatic++ : /^\d+$/.test(first) ? Number(first) : null;
    let value = index === null ? named.get(first) : args[index];
    if (value === undefined) {
      throw new JinjaError(
        index === null
          ? `KeyError: ${reprOf(first)}`
          : `Replacement index ${index} out of range for positional args tuple`,
      );
    }
    for (const [part, attribute, key] of rest.matchAll(/\.([^.[]+)|\[([^\]]*)\]|[\s\S]/g)) {
      if (attribute !== undefined) value = lookup.attribute(value, attribute);
      else if (key !== undefined) value = lookup.item(value, /^\d+$/.test(key) ? Number(key) : key);
      else throw new JinjaError(`unexpected "${part}" in a format`);
    }
    return value;
  };
  return template.replace(
    /\{\{|\}\}|\{([^{}!:]*)(?:!([a-z]))?(?::([^{}]*))?\}|[{}]/g,
    (found, field?: string, conversion?: string, spec = '') => {
      if (found === '{{' || found === '}}') return found[0]!;
      if (field === undefined) {
        if (found === '{') throw new UnsupportedError('a format within a format, or one that is not closed');
        throw new JinjaError("Single '}' encountered in format string");
      }
      const value = find(field);
      if (conversion === 'a') throw new UnsupportedError('the conversion !a');
      if (conversion === 'r') return formatValue(reprOf(value), spec);
      return formatValue(conversion === 's' ? textOf(value) : value, spec);
    },
  );
}

const specPattern = /^(?:([\s\S])?([<>=^]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$/u;

/** Python's `format(value, spec)`. */
export function formatValue(value: Value, spec: string): string {
  refuseMarkup(value);
  if (spec === '') return textOf(value);
  const match = specPattern.exec(spec);
  if (!match || match[4]) throw new UnsupportedError(`the format "${spec}"`);
  const [, fill, align, sign = '', , zero, width, grouping = '', precision, kind = ''] = match;
  const number = numberOf(value);
  const isNumber = number !== null && !(typeof value === 'boolean' && kind === '');
  let text: string;
  if (!isNumber) {
    if (typeof value !== 'string' || (kind !== '' && kind !== 's') || sign || grouping)
      throw new JinjaError(`unsupported format string "${spec}" for ${typeName(value)}`);
    text = precision === undefined ? value : Array.from(value).slice(0, Number(precision)).join('');
  } else text = numberText(value, number, { kind, sign: sign || '-', grouping, precision });
  const side = align ?? (zero ? '=' : isNumber ? '>' : '<');
  if (side === '=' && !isNumber) throw new JinjaError("'=' alignment not allowed in string format specifier");
  return padded(text, Number(width), fill ?? (zero ? '0' : ' '), side);
}

function numberText(
  value: Value,
  number: number,
  { kind, sign, grouping, precision }: { kind: string; sign: string; grouping: string; precision: string | undefined },
): string {
  const isFloat = value instanceof Float;
  if (kind === 'n' || kind === 'c') throw new UnsupportedError(`the format ${kind}`);
  if ('dboxX'.includes(kind) && !isFloat) {
    if (precision !== undefined) throw new JinjaError('Precision not allowed in integer format specifier');
    const text = kind === '' || kind === 'd' ? String(Math.abs(int(number))) : radixText(Math.abs(number), kind);
    return signed(grouped(text, grouping, kind === '' || kind === 'd' ? 3 : 4), number < 0, sign);
  }
  if (isFloat && kind !== '' && 'dboxX'.includes(kind))
    throw new JinjaError(`Unknown format code '${kind}' for object of type 'float'`);
  if (kind === '' && precision !== undefined) throw new UnsupportedError('a precision without a type');
  const text = kind === '' ? reprFloat(number) : floatText(kind, number, Number(precision ?? 6), '-');
  const [, minus = '', whole = '', rest = ''] = /^(-?)(\d+)([\s\S]*)$/.exec(text) ?? [];
  return signed(grouped(whole, grouping, 3) + rest, minus !== '', sign);
}

function grouped(digits: string, separator: string, size: number): string {
  if (separator === '') return digits;
  return digits.replace(new RegExp(`\\B(?=(?:[0-9a-fA-F]{${size}})+$)`, 'g'), separator);
}
