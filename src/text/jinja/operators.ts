/** Python's operators on a template's values. */
import { formatPercent } from './format.ts';
import {
  compare,
  Dict,
  Float,
  hashOf,
  int,
  isEqual,
  isInt,
  isList,
  iterate,
  JinjaError,
  Markup,
  numberOf,
  refuseMarkup,
  refuseUndefined,
  Tuple,
  textOf,
  typeName,
  UnsupportedError,
  type Value,
} from './values.ts';

/** @throws {JinjaError} if the operator does not take these types */
export function binary(operator: string, left: Value, right: Value): Value {
  refuseUndefined(left, right);
  refuseMarkup(left, right);
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right);
  const [x, y] = [numberOf(left), numberOf(right)];
  if (x !== null && y !== null) return arithmetic(operator, x, y, isInt(left) && isInt(right));
  const sequence = operator === '+' ? joined(left, right) : operator === '*' ? repeated(left, right) : undefined;
  if (sequence !== undefined) return sequence;
  if (operator === '+' && typeof left === 'string')
    throw new JinjaError(`can only concatenate str (not "${typeName(right)}") to str`);
  throw new JinjaError(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

function arithmetic(operator: string, x: number, y: number, isWhole: boolean): Value {
  const result = (value: number) => (isWhole ? int(value) : finite(value));
  if (y === 0 && ['/', '//', '%'].includes(operator)) throw new JinjaError('division by zero');
  switch (operator) {
    case '+':
      return result(x + y);
    case '-':
      return result(x - y);
    case '*':
      return result(x * y);
    case '/':
      return finite(x / y);
    case '//':
      return result(floorDivided(x, y));
    case '%':
      return result(modulo(x, y));
    default:
      if (x === 0 && y < 0) throw new JinjaError('0.0 cannot be raised to a negative power');
      if (x < 0 && !Number.isInteger(y)) throw new UnsupportedError('complex numbers');
      return isWhole && y >= 0 ? int(x ** y) : finite(x ** y);
  }
}

/** A remainder with the sign of the divisor, also where it is 0. */
function modulo(x: number, y: number): number {
  const rest = x % y;
  if (rest === 0) return y < 0 ? -0 : 0;
  return rest < 0 === y < 0 ? rest : rest + y;
}

function floorDivided(x: number, y: number): number {
  const quotient = (x - modulo(x, y)) / y;
  return quotient === 0 ? 0 * (x / y) : Math.round(quotient);
}

function finite(value: number): Float {
  if (!Number.isFinite(value)) throw new UnsupportedError('numbers that are infinite');
  return new Float(value);
}

function joined(left: Value, right: Value): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  if (isList(left) && isList(right)) return [...left, ...right];
  return left instanceof Tuple && right instanceof Tuple ? new Tuple([...left.items, ...right.items]) : undefined;
}

/** Longest text or list that `*` makes. */
const longest = 1_000_000;

function repeated(left: Value, right: Value): Value | undefined {
  if (isInt(left)) return isInt(right) ? undefined : repeated(right, left);
  if (!isInt(right)) return undefined;
  const count = Math.max(0, Number(right));
  const times = <T>(items: readonly T[]): T[] => {
    if (items.length * count > longest) throw new UnsupportedError(`texts and lists longer than ${longest}`);
    return Array.from({ length: count }, () => items).flat() as T[];
  };
  if (typeof left === 'string') return times([left]).join('');
  if (isList(left)) return times(left);
  return left instanceof Tuple ? new Tuple(times(left.items)) : undefined;
}

export function negative(value: Value, sign: -1 | 1): Value {
  refuseUndefined(value);
  const number = numberOf(value);
  if (number === null) throw new JinjaError(`bad operand type for unary ${sign < 0 ? '-' : '+'}: '${typeName(value)}'`);
  return isInt(value) ? int(sign * number) : new Float(sign * number);
}

/** `~`: the texts of both. */
export function concat(values: readonly Value[]): Value {
  if (values.some((value) => value instanceof Markup)) refuseMarkup(...values);
  return values.map(textOf).join('');
}

export function comparison(operator: string, left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
  }
  const order = compare(left, right, operator);
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

/** Python's `in`. */
export function contains(container: Value, item: Value): boolean {
  refuseMarkup(container, item);
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    throw new JinjaError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Dict) {
    hashOf(item);
    return container.has(item);
  }
  if (numberOf(container) !== null || container === null)
    throw new JinjaError(`argument of type '${typeName(container)}' is not iterable`);
  for (const each of iterate(container)) if (isEqual(each, item)) return true;
  return false;
}
