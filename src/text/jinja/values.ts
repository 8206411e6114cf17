/**
 * Values of a template, with Python's types and rules. Texts, lists, whole numbers, true, false and None are
 * JavaScript's own; the types that JavaScript lacks are classes.
 */
import { reprFloat, reprText } from './literals.ts';

/** What Jinja itself would refuse: wrong syntax, a wrong type, or an exception that the template raises. */
export class JinjaError extends Error {}

/** Something of the language that is not there; the message is its name. */
export class UnsupportedError extends Error {}

export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | Float
  | Tuple
  | Dict
  | Range
  | View
  | Lazy
  | Undefined
  | Namespace
  | Callable
  | Markup
  | Slice;

export class Float {
  constructor(readonly value: number) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** A dictionary, in the order of insertion. */
export class Dict {
  readonly #entries = new Map<string, readonly [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hashOf(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(hashOf(key));
  }

  /** Keeps the first of two equal keys, as Python does. */
  set(key: Value, value: Value): void {
    const hash = hashOf(key);
    this.#entries.set(hash, [this.#entries.get(hash)?.[0] ?? key, value]);
  }

  keys(): Value[] {
    return Array.from(this.#entries.values(), ([key]) => key);
  }

  entries(): (readonly [Value, Value])[] {
    return [...this.#entries.values()];
  }
}

export class Range {
  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {}

  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }

  at(index: number): number {
    return this.start + index * this.step;
  }
}

/** Keys, values or items of a dictionary. */
export class View {
  constructor(
    readonly kind: 'dict_keys' | 'dict_values' | 'dict_items',
    readonly items: readonly Value[],
  ) {}
}

/** What can be gone through once, as what `map` and `select` give. */
export class Lazy {
  constructor(readonly iterator: Iterator<Value>) {}
}

/** A name or an attribute that is not there. It prints as nothing, and most that is done with it is an error. */
export class Undefined {
  constructor(readonly hint: string) {}
}

export class Namespace {
  constructor(readonly attributes: Map<string, Value>) {}
}

/** Arguments by name. */
export type Named = ReadonlyMap<string, Value>;

export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: readonly Value[], named: Named) => Value,
    /** Attributes, where it has any: those of a loop. */
    readonly attribute?: (name: string) => Value | undefined,
  ) {}
}

/** Text that was marked as HTML; only printed. */
export class Markup {
  constructor(readonly text: string) {}
}

/** What stands in brackets with colons. */
export class Slice {
  constructor(
    readonly start: Value,
    readonly stop: Value,
    readonly step: Value,
  ) {}
}

/** A whole number, which must be exact. */
export function int(value: number): number {
  if (!Number.isSafeInteger(value)) throw new UnsupportedError('whole numbers beyond 2^53');
  return value === 0 ? 0 : value;
}

/** The number of a value that counts as one (true is 1), or null. */
export function numberOf(value: Value): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  return value instanceof Float ? value.value : null;
}

export function isInt(value: Value): value is number | boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** The name of a value's type in Python. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'string') return 'str';
  if (isList(value)) return 'list';
  if (value instanceof View) return value.kind;
  const names: readonly (readonly [new (...args: never[]) => unknown, string])[] = [
    [Float, 'float'],
    [Tuple, 'tuple'],
    [Dict, 'dict'],
    [Range, 'range'],
    [Lazy, 'generator'],
    [Undefined, 'Undefined'],
    [Namespace, 'Namespace'],
    [Markup, 'Markup'],
  ];
  return names.find(([type]) => value instanceof type)?.[1] ?? 'function';
}

/** @throws {JinjaError} if the value is undefined */
export function refuseUndefined(...values: readonly Value[]): void {
  for (const value of values) if (value instanceof Undefined) throw new JinjaError(value.hint);
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  const number = numberOf(value);
  if (number !== null) return number !== 0;
  if (value instanceof Markup) return value.text !== '';
  if (value instanceof Lazy || value instanceof Namespace || value instanceof Callable || value instanceof Slice)
    return true;
  return lengthOf(value) > 0;
}

/** Python's `len`; texts count in characters. @throws {JinjaError} if it has none */
export function lengthOf(value: Value): number {
  if (typeof value === 'string') {
    let count = 0;
    for (const _ of value) count++;
    return count;
  }
  if (isList(value)) return value.length;
  if (value instanceof Tuple || value instanceof View) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  refuseMarkup(value);
  throw new JinjaError(`object of type '${typeName(value)}' has no len()`);
}

export function refuseMarkup(...values: readonly Value[]): void {
  if (values.some((value) => value instanceof Markup)) throw new UnsupportedError('a use of text marked as safe');
}

/** The items of a value that can be gone through. @throws {JinjaError} if it cannot */
export function iterate(value: Value): Iterable<Value> {
  if (typeof value === 'string' || isList(value)) return value;
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Range) return Array.from({ length: value.length }, (_, index) => value.at(index));
  // Without a `return` method, so that what is left over stays there after a loop ends early.
  if (value instanceof Lazy) return { [Symbol.iterator]: () => ({ next: () => value.iterator.next() }) };
  if (value instanceof Undefined) return [];
  refuseMarkup(value);
  throw new JinjaError(`'${typeName(value)}' object is not iterable`);
}

/** The same text for keys that Python takes for the same. @throws {JinjaError} for what cannot be a key */
export function hashOf(key: Value): string {
  const number = numberOf(key);
  if (number !== null) return `n${number}`;
  if (typeof key === 'string') return `s${key}`;
  if (key === null) return 'None';
  if (key instanceof Tuple) return `(${key.items.map((item) => JSON.stringify(hashOf(item))).join()})`;
  if (isList(key) || key instanceof Dict) throw new JinjaError(`unhashable type: '${typeName(key)}'`);
  throw new UnsupportedError(`a key of type ${typeName(key)}`);
}

/** Python's `==`. */
export function isEqual(a: Value, b: Value): boolean {
  refuseMarkup(a, b);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null || y !== null) return x === y;
  if (isList(a) && isList(b)) return areEqual(a, b);
  if (a instanceof Tuple && b instanceof Tuple) return areEqual(a.items, b.items);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && a.entries().every(([key, value]) => b.has(key) && isEqual(value, b.get(key) as Value));
  }
  if (a instanceof Range && b instanceof Range) return areEqual([...iterate(a)], [...iterate(b)]);
  return a === b;
}

function areEqual(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, index) => isEqual(item, b[index] as Value));
}

/** Below 0 if a < b. @throws {JinjaError} for values that have no order */
export function compare(a: Value, b: Value, operator = '<'): number {
  refuseUndefined(a, b);
  refuseMarkup(a, b);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) return x - y;
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  const [items, others] = [itemsOf(a), itemsOf(b)];
  if (items && others && isList(a) === isList(b)) {
    const at = items.findIndex((item, index) => index >= others.length || !isEqual(item, others[index] as Value));
    if (at < 0) return items.length - others.length;
    return at >= others.length ? 1 : compare(items[at] as Value, others[at] as Value, operator);
  }
  throw new JinjaError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function itemsOf(value: Value): readonly Value[] | null {
  return isList(value) ? value : value instanceof Tuple ? value.items : null;
}

/** By code points, where JavaScript compares UTF-16 units. */
function compareTexts(a: string, b: string): number {
  const [x, y] = [Array.from(a), Array.from(b)];
  const at = x.findIndex((character, index) => character !== y[index]);
  if (at < 0) return x.length - y.length;
  return at >= y.length ? 1 : x[at]!.codePointAt(0)! - y[at]!.codePointAt(0)!;
}

/** Python's `str`. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  return value instanceof Undefined ? '' : reprOf(value);
}

/** Python's `repr`. */
export function reprOf(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return reprText(value);
  if (isList(value)) return `[${value.map(reprOf).join(', ')}]`;
  if (value instanceof Float) return reprFloat(value.value);
  if (value instanceof Tuple) return `(${value.items.map(reprOf).join(', ')}${value.items.length === 1 ? ',' : ''})`;
  if (value instanceof Dict)
    return `{${value
      .entries()
      .map(([key, item]) => `${reprOf(key)}: ${reprOf(item)}`)
      .join(', ')}}`;
  if (value instanceof View) return `${value.kind}([${value.items.map(reprOf).join(', ')}])`;
  if (value instanceof Range) return `range(${value.start}, ${value.stop}${value.step === 1 ? '' : `, ${value.step}`})`;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Namespace) return `<Namespace ${reprOf(new Dict(value.attributes))}>`;
  throw new UnsupportedError(`printing a ${typeName(value)}`);
}

/** A value from JSON or JavaScript; what JavaScript has no type for does not occur. */
export function fromJson(value: unknown): Value {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value === undefined) return new Undefined('a variable is undefined');
  if (typeof value === 'number') return Number.isSafeInteger(value) ? int(value) : new Float(value);
  if (Array.isArray(value)) return value.map(fromJson);
  return new Dict(Object.entries(value as object).map(([key, item]) => [key, fromJson(item)] as const));
}
