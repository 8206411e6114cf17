/** Functions that every chat template can call. */

import { checkedName } from './scope.ts';
import { asInt, asText, bound } from './strings.ts';
import {
  Callable,
  Dict,
  iterate,
  JinjaError,
  type Named,
  Namespace,
  Range,
  textOf,
  UnsupportedError,
  type Value,
} from './values.ts';

/** Longest range that Jinja's sandbox lets through. */
const longestRange = 100_000;

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
  ...['August', 'September', 'October', 'November', 'December'],
];

/** @param now the time for `strftime_now`, local */
export function globals(now: () => Date): Readonly<Record<string, Callable>> {
  const functions: Readonly<Record<string, (args: readonly Value[], named: Named) => Value>> = {
    range: (args) => rangeOf(args),
    dict: (args, named) => new Dict([...entriesOf(args), ...named]),
    namespace: (args, named) =>
      new Namespace(
        new Map([...entriesOf(args), ...named].map(([name, value]) => [checkedName(asText(name, 'namespace')), value])),
      ),
    cycler: () => unsupportedGlobal('cycler'),
    joiner: (args, named) => {
      const [separator = ', '] = bound('joiner', ['sep'], args, named);
      let isUsed = false;
      return new Callable('joiner', () => {
        const wasUsed = isUsed;
        isUsed = true;
        return wasUsed ? separator : '';
      });
    },
    lipsum: () => unsupportedGlobal('lipsum'),
    raise_exception: ([message = '']) => {
      throw new JinjaError(textOf(message));
    },
    strftime_now: ([format]) => strftime(now(), asText(format, 'strftime_now()')),
  };
  return Object.fromEntries(Object.entries(functions).map(([name, call]) => [name, new Callable(name, call)]));
}

function unsupportedGlobal(name: string): never {
  throw new UnsupportedError(`the function ${name}`);
}

function entriesOf([given]: readonly Value[]): (readonly [Value, Value])[] {
  if (given === undefined) return [];
  if (given instanceof Dict) return given.entries();
  return Array.from(iterate(given), (pair) => {
    const [key, value, ...more] = iterate(pair);
    if (key === undefined || value === undefined || more.length > 0)
      throw new JinjaError('a dictionary takes pairs of a key and a value');
    return [key, value] as const;
  });
}

function rangeOf(args: readonly Value[]): Range {
  if (args.length === 0 || args.length > 3) throw new JinjaError(`range expected 1 to 3 arguments, got ${args.length}`);
  const [first = 0, second = 0, step = 1] = args.map((arg) => asInt(arg, 'range()'));
  if (step === 0) throw new JinjaError('range() arg 3 must not be zero');
  const range = args.length === 1 ? new Range(0, first, 1) : new Range(first, second, step);
  if (range.length > longestRange) throw new JinjaError(`Range too big: more than ${longestRange} numbers`);
  return range;
}

/** Python's `strftime` in its plain locale. */
function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const hour = date.getHours() % 12 || 12;
  const [day, month] = [days[date.getDay()]!, months[date.getMonth()]!];
  const parts: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    e: String(date.getDate()).padStart(2, ' '),
    B: month,
    b: month.slice(0, 3),
    h: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    H: two(date.getHours()),
    I: two(hour),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    '%': '%',
  };
  return format.replace(/%([\s\S]?)/g, (found, code: string) => {
    const part = parts[code];
    if (part === undefined) throw new UnsupportedError(`the date format ${found}`);
    return part;
  });
}
