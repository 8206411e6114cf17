/** Jinja's tests: what stands after `is`. */
import { comparison, contains } from './operators.ts';
import { asInt, hasCase } from './strings.ts';
import {
  Callable,
  Dict,
  Float,
  isInt,
  isList,
  JinjaError,
  Lazy,
  Markup,
  numberOf,
  Range,
  refuseUndefined,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.ts';

type Test = (value: Value, ...args: readonly Value[]) => boolean;

const sized = (value: Value) =>
  typeof value === 'string' ||
  value instanceof Markup ||
  isList(value) ||
  [Tuple, Dict, Range, Undefined].some((type) => value instanceof type);

const remainder = (value: Value, by: Value | undefined): number => {
  refuseUndefined(value);
  const [number, divisor] = [numberOf(value), asInt(by, 'a test')];
  if (number === null) throw new JinjaError(`unsupported operand type(s) for %: '${typeName(value)}' and 'int'`);
  if (divisor === 0) throw new JinjaError('integer modulo by zero');
  return ((number % divisor) + divisor) % divisor;
};
const compared =
  (operator: string): Test =>
  (value, other) => {
    if (other === undefined) throw new JinjaError(`the test "${operator}" needs a value to compare with`);
    return comparison(operator, value, other);
  };

/** Tests that look up other tests and filters are in the interpreter. */
export const tests: Readonly<Record<string, Test>> = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) => value instanceof Callable,
  defined: (value) => !(value instanceof Undefined),
  divisibleby: (value, by) => remainder(value, by) === 0,
  eq: compared('=='),
  equalto: compared('=='),
  '==': compared('=='),
  escaped: (value) => value instanceof Markup,
  even: (value) => remainder(value, 2) === 0,
  false: (value) => value === false,
  float: (value) => value instanceof Float,
  ge: compared('>='),
  '>=': compared('>='),
  gt: compared('>'),
  greaterthan: compared('>'),
  '>': compared('>'),
  in: (value, container) => {
    if (container === undefined) throw new JinjaError('the test "in" needs a container');
    return contains(container, value);
  },
  integer: (value) => typeof value === 'number',
  iterable: (value) => sized(value) || value instanceof View || value instanceof Lazy,
  le: compared('<='),
  '<=': compared('<='),
  lower: (value) => hasCase(textOf(value), (one) => one.toLowerCase()),
  lt: compared('<'),
  lessthan: compared('<'),
  '<': compared('<'),
  mapping: (value) => value instanceof Dict,
  ne: compared('!='),
  '!=': compared('!='),
  none: (value) => value === null,
  number: (value) => isInt(value) || value instanceof Float,
  odd: (value) => remainder(value, 2) === 1,
  sameas: (value, other) => value === other,
  sequence: sized,
  string: (value) => typeof value === 'string' || value instanceof Markup,
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
  upper: (value) => hasCase(textOf(value), (one) => one.toUpperCase()),
};
