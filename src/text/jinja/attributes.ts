/** Attributes, items and slices of values, and the methods of lists and dictionaries, within Jinja's sandbox. */
import { formatBraces } from './format.ts';
import { asInt, bound, otherStringMethods, refuseMethod, sequenceItems, stringMethods } from './strings.ts';
import {
  Callable,
  Dict,
  isEqual,
  isList,
  JinjaError,
  type Named,
  Namespace,
  Range,
  refuseUndefined,
  reprOf,
  Slice,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.ts';

/** `of.name`: an attribute, or else an item. */
export function attributeOf(of: Value, name: string): Value {
  const attribute = pythonAttribute(of, name);
  return attribute === undefined ? orMissing(found(of, name), of, name) : attribute;
}

/** `of[key]`: an item, or else an attribute. */
export function itemOf(of: Value, key: Value): Value {
  const item = found(of, key);
  if (item !== undefined || typeof key !== 'string') return orMissing(item, of, key);
  return orMissing(pythonAttribute(of, key), of, key);
}

/** None is a value like any other. */
function orMissing(value: Value | undefined, of: Value, key: Value): Value {
  if (value !== undefined) return value;
  const [type, name] = [typeName(of), reprOf(key)];
  return new Undefined(
    typeof key === 'string' ? `'${type} object' has no attribute ${name}` : `${type} object has no element ${name}`,
  );
}

/** An item, or undefined where there is none. @throws {JinjaError} if `of` is undefined */
function found(of: Value, key: Value): Value | undefined {
  refuseUndefined(of);
  if (of instanceof Dict) return isKey(key) ? of.get(key) : undefined;
  if (key instanceof Slice) return sliceOf(of, key);
  if (typeof key !== 'number' && typeof key !== 'boolean') return undefined;
  const index = Number(key);
  if (of instanceof Range) {
    const at = index < 0 ? index + of.length : index;
    return at >= 0 && at < of.length ? of.at(at) : undefined;
  }
  return (typeof of === 'string' ? Array.from(of) : sequenceItems(of))?.at(index);
}

function isKey(key: Value): boolean {
  return !(isList(key) || key instanceof Dict || key instanceof Slice || key instanceof Undefined);
}

function sliceOf(of: Value, { start, stop, step }: Slice): Value | undefined {
  const items = typeof of === 'string' ? Array.from(of) : sequenceItems(of);
  if (of instanceof Range) {
    const { from, to, by } = bounds(of.length, start, stop, step);
    return new Range(of.start + from * of.step, of.start + to * of.step, of.step * by);
  }
  if (!items) return undefined;
  const taken = indices(items.length, start, stop, step).map((index) => items[index] as Value);
  if (typeof of === 'string') return taken.join('');
  return of instanceof Tuple ? new Tuple(taken) : taken;
}

/** Where a slice of so many begins and ends. */
function bounds(length: number, start: Value, stop: Value, step: Value) {
  const by = asInt(step, 'a slice', 1);
  if (by === 0) throw new JinjaError('slice step cannot be zero');
  const [first, last] = by > 0 ? [0, length] : [-1, length - 1];
  const place = (value: Value, otherwise: number) => {
    const index = asInt(value, 'a slice', Number.NaN);
    if (Number.isNaN(index)) return otherwise;
    return Math.min(last, Math.max(first, index < 0 ? index + length : index));
  };
  return { from: place(start, by > 0 ? first : last), to: place(stop, by > 0 ? last : first), by };
}

/** Places that a slice takes of so many. */
function indices(length: number, start: Value, stop: Value, step: Value): number[] {
  const { from, to, by } = bounds(length, start, stop, step);
  const places: number[] = [];
  for (let at = from; by > 0 ? at < to : at > to; at += by) places.push(at);
  return places;
}

/** Methods that change a list or a dictionary, which the sandbox does not let through. */
const changing: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

/** Attributes of numbers, ranges and dictionaries that are not there. */
const otherAttributes: Readonly<Record<string, readonly string[]>> = {
  int: ['as_integer_ratio', 'bit_count', 'bit_length', 'conjugate', 'denominator', 'from_bytes', 'imag', 'is_integer'],
  float: ['as_integer_ratio', 'conjugate', 'fromhex', 'hex', 'imag', 'is_integer', 'real'],
  range: ['count', 'index', 'start', 'step', 'stop'],
  dict: ['fromkeys'],
  Markup: ['escape', 'format', 'join', 'lower', 'replace', 'split', 'strip', 'striptags', 'unescape', 'upper'],
};

/** What Python's `getattr` finds, or undefined. @throws {JinjaError} if `of` is undefined */
function pythonAttribute(of: Value, name: string): Value | undefined {
  refuseUndefined(of);
  const type = typeName(of);
  if (/^__\w+__$/.test(name) || changing[type]?.includes(name))
    return new Undefined(`access to attribute '${name}' of '${type}' object is unsafe.`);
  if (otherAttributes[type === 'bool' ? 'int' : type]?.includes(name)) return refuseMethod(type, name);
  const method = (call: (args: readonly Value[], named: Named) => Value) => new Callable(name, call);
  if (typeof of === 'string') {
    if (otherStringMethods.has(name)) return refuseMethod(type, name);
    if (name === 'format')
      return method((args, named) => formatBraces(of, args, named, { attribute: attributeOf, item: itemOf }));
    const own = Object.hasOwn(stringMethods, name) ? stringMethods[name] : undefined;
    return own && method((args, named) => own(of, args, named));
  }
  if (of instanceof Namespace) return of.attributes.get(name);
  if (of instanceof Callable) return of.attribute ? of.attribute(name) : refuseMethod(type, name);
  if (of instanceof Dict) return dictMethod(of, name, method);
  const items = sequenceItems(of);
  return items ? listMethod(items, name, method) : undefined;
}

type MakeMethod = (call: (args: readonly Value[], named: Named) => Value) => Callable;

function dictMethod(of: Dict, name: string, method: MakeMethod): Value | undefined {
  switch (name) {
    case 'get':
      return method((args, named) => {
        const [key, otherwise] = bound('get', ['key', 'default'], args, named);
        if (key === undefined) throw new JinjaError('get expected at least 1 argument, got 0');
        const value = of.get(key);
        return value === undefined ? (otherwise ?? null) : value;
      });
    case 'items':
      return method(
        () =>
          new View(
            'dict_items',
            of.entries().map((entry) => new Tuple(entry)),
          ),
      );
    case 'keys':
      return method(() => new View('dict_keys', of.keys()));
    case 'values':
      return method(
        () =>
          new View(
            'dict_values',
            of.entries().map(([, value]) => value),
          ),
      );
    case 'copy':
      return method(() => new Dict(of.entries()));
  }
  return undefined;
}

function listMethod(items: readonly Value[], name: string, method: MakeMethod): Value | undefined {
  switch (name) {
    case 'count':
      return method(([sought = null]) => items.filter((item) => isEqual(item, sought)).length);
    case 'index':
      return method(([sought = null]) => {
        const at = items.findIndex((item) => isEqual(item, sought));
        if (at < 0) throw new JinjaError(`${reprOf(sought)} is not in list`);
        return at;
      });
    case 'copy':
      return method(() => [...items]);
  }
  return undefined;
}

/** Follows `a.b.0`, as filters take attributes. */
export function pathOf(path: Value | undefined): (item: Value) => Value {
  if (path === undefined || path === null) return (item) => item;
  if (typeof path !== 'string') return (item) => itemOf(item, path);
  const parts = path.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return (item) => parts.reduce<Value>((value, part) => itemOf(value, part), item);
}

/** Calls a value. @throws {JinjaError} if it cannot be called */
export function call(value: Value, args: readonly Value[], named: Named): Value {
  if (value instanceof Callable) return value.call(args, named);
  refuseUndefined(value);
  throw new JinjaError(`'${typeName(value)}' object is not callable`);
}
