/** `tojson`, as Python's `json.dumps` writes without escaping what is not ASCII. */
import { reprFloat } from './literals.ts';
import { compare, Dict, Float, isList, JinjaError, refuseUndefined, Tuple, typeName, type Value } from './values.ts';

export interface JsonOptions {
  readonly isAscii: boolean;
  /** What a level is indented by; null for one line. */
  readonly indent: string | null;
  readonly separators: readonly [item: string, key: string];
  readonly sortsKeys: boolean;
}

/** @throws {JinjaError} for what JSON has no form for */
export function jsonOf(value: Value, options: JsonOptions, depth = 0): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return jsonText(value, options.isAscii);
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (value instanceof Float) return reprFloat(value.value);
  if (isList(value) || value instanceof Tuple) {
    const items = isList(value) ? value : value.items;
    return enclosed(
      '[',
      ']',
      items.map((item) => jsonOf(item, options, depth + 1)),
      options,
      depth,
    );
  }
  if (value instanceof Dict) {
    const entries = value.entries();
    const sorted = options.sortsKeys ? [...entries].sort(([a], [b]) => compare(a, b)) : entries;
    const items = sorted.map(
      ([key, item]) =>
        jsonText(keyText(key), options.isAscii) + options.separators[1] + jsonOf(item, options, depth + 1),
    );
    return enclosed('{', '}', items, options, depth);
  }
  throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function enclosed(
  open: string,
  close: string,
  items: readonly string[],
  { indent, separators: [separator] }: JsonOptions,
  depth: number,
): string {
  if (items.length === 0) return open + close;
  if (indent === null) return open + items.join(separator) + close;
  const line = `\n${indent.repeat(depth + 1)}`;
  return `${open}${line}${items.join(separator + line)}\n${indent.repeat(depth)}${close}`;
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key === null) return 'null';
  if (typeof key === 'boolean' || typeof key === 'number') return String(key);
  if (key instanceof Float) return reprFloat(key.value);
  refuseUndefined(key);
  throw new JinjaError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function jsonText(text: string, isAscii: boolean): string {
  const escaped = text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what JSON escapes
    isAscii ? /["\\]|[^ -~]/g : /["\\\x00-\x1f]/g,
    (one) => short[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}
