/**
 * What is wrong with a value that does not fit its zod schema, in words for people: what is wrong, what is allowed, and
 * the word that was probably meant. A schema may bring messages of its own: phrases that go on from the name of the
 * value, as `must be a number from 0 to 1`, or reasons why it is refused, as `encoders are not supported`.
 */
import type * as z from 'zod';
import { nearestKey } from './nearestKey.ts';

export interface SchemaProblem {
  /** Keys that lead to what is wrong. */
  readonly path: readonly PropertyKey[];
  /** The end of a sentence that starts with the path, for example `must be a number, not "abc"`. */
  readonly what: string;
  /** What was probably meant, for example ``did you mean `seed`?`` */
  readonly advice?: string;
  /** Whether it is a key that its object does not know. */
  readonly isUnknownKey?: boolean;
}

type Issue = z.core.$ZodIssue;
/** The keys that an object knows, by the list of those that it does not. */
type KnownKeys = ReadonlyMap<readonly string[], readonly string[]>;

/**
 * The value as its schema gives it.
 * @param refuse makes the error from the first problem, for example `` `seed` must be a number, not "abc" ``
 */
export function checked<S extends z.ZodType>(
  schema: S,
  value: unknown,
  refuse: (problem: string) => Error,
): z.output<S> {
  const { data, problems } = parseOrProblems(schema, value);
  if (problems.length === 0) return data as z.output<S>;
  throw refuse(problemText(problems[0]!));
}

/** A problem as a phrase, for example `` `sede` is not a known key (did you mean `seed`?) ``. */
export function problemText({ path, what, advice }: SchemaProblem): string {
  return `${path.length === 0 ? 'the whole' : keyName(path)} ${what}${advice === undefined ? '' : ` (${advice})`}`;
}

/** The value as its schema gives it, and everything that is wrong with it: one of the two. */
export function parseOrProblems<S extends z.ZodType>(
  schema: S,
  value: unknown,
): { readonly data?: z.output<S>; readonly problems: readonly SchemaProblem[] } {
  const known = new Map<readonly string[], readonly string[]>();
  const result = schema.safeParse(value, {
    // zod asks where the schema has no message of its own: an empty one tells that.
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') known.set(issue.keys, ownKeys(issue.inst));
      return '';
    },
  });
  if (result.success) return { data: result.data, problems: [] };
  return { problems: result.error.issues.map((issue) => problemOf(issue, value, known)) };
}

/** Keys in backquotes, joined by dots. */
export function keyName(path: readonly PropertyKey[]): string {
  return `\`${path.map(String).join('.')}\``;
}

/** More keys than this are not listed in a sentence. */
const mostListed = 16;

/** Advice on a key that is none of those known, if there is any; `prefix` leads to it. */
export function meantKey(
  key: string,
  known: readonly string[],
  prefix: readonly PropertyKey[] = [],
): { readonly advice?: string } {
  const meant = nearestKey(key, known);
  return meant === undefined ? keysHere(known) : { advice: `did you mean ${keyName([...prefix, meant])}?` };
}

/** The keys that are known in a place, as advice, unless they are too many. */
export function keysHere(known: readonly string[]): { readonly advice?: string } {
  return known.length > mostListed ? {} : { advice: `known here: ${known.join(', ') || 'no keys'}` };
}

function ownKeys(schema: unknown): string[] {
  const { def } = (schema as z.core.$ZodObject)._zod;
  return Object.keys(def.shape);
}

function problemOf(issue: Issue, root: unknown, known: KnownKeys): SchemaProblem {
  const { path, message } = issue;
  const value = valueAt(root, path);
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const what = message === '' ? 'is not a known key' : inOwnWords(message, valueAt(value, [key]));
    return { path: [...path, key], what, ...meantKey(key, known.get(issue.keys) ?? [], path), isUnknownKey: true };
  }
  if (message !== '') return { path, what: inOwnWords(message, value), ...meantValue(issue, value) };
  const inner = issue.code === 'invalid_union' ? innerIssue(issue) : undefined;
  if (inner) {
    const problem = problemOf(inner, value, known);
    return { ...problem, path: [...path, ...problem.path] };
  }
  if (issue.code === 'invalid_key') {
    const form = issue.issues[0] && expectation(issue.issues[0]);
    return { path, what: `is not a valid key${form ? `; it must be ${form}` : ''}` };
  }
  const expected = expectation(issue);
  if (expected === null) return { path, what: value === undefined ? 'is not set' : `is not valid: ${show(value)}` };
  if (value === undefined) return { path, what: `is not set; it must be ${expected}` };
  return { path, what: `must be ${expected}, not ${show(value)}`, ...meantValue(issue, value) };
}

/** A schema's own message, as the end of a sentence that starts with the name of the value. */
function inOwnWords(message: string, value: unknown): string {
  if (message.startsWith('must '))
    return value === undefined ? `is not set; it ${message}` : `${message}, not ${show(value)}`;
  if (/^(is|has|does|sets|needs) /.test(message)) return message;
  return `is ${value === undefined ? 'not set' : show(value)}: ${message}`;
}

function meantValue(issue: Issue, value: unknown): { readonly advice?: string } {
  if (issue.code !== 'invalid_value' || typeof value !== 'string') return {};
  const meant = nearestKey(value, issue.values.map(String));
  return meant === undefined ? {} : { advice: `did you mean ${show(meant)}?` };
}

/** The issue within the only alternative that the value began to fit; undefined where there is none, or several. */
function innerIssue(issue: Issue & { readonly code: 'invalid_union' }): Issue | undefined {
  const begun = issue.errors.filter(
    ([first]) => first && (first.path.length > 0 || first.code === 'unrecognized_keys'),
  );
  return begun.length === 1 ? begun[0]?.[0] : undefined;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a group of keys',
  record: 'a group of keys',
  null: 'null',
  never: 'left out',
};

const formatNames: Readonly<Record<string, string>> = {
  datetime: 'a date and time, as 2025-01-31T12:00:00Z',
  url: 'an address, as http://127.0.0.1:8000',
};

/** What would have been valid; null where that cannot be said. */
function expectation(issue: Issue): string | null {
  switch (issue.code) {
    case 'invalid_type':
      return 'received' in issue ? 'a finite number' : (typeNames[issue.expected] ?? issue.expected);
    case 'invalid_value':
      return issue.values.map(show).join(' or ');
    case 'too_small':
      return size(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return size(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return formatNames[issue.format] ?? `text of the form ${issue.pattern ?? issue.format}`;
    case 'invalid_union': {
      if ('options' in issue && issue.options) return issue.options.map(show).join(' or ');
      const options = issue.errors.map((errors) =>
        errors[0] && errors[0].path.length === 0 ? expectation(errors[0]) : null,
      );
      return options.length === 0 || options.includes(null) ? null : options.join(' or ');
    }
    default:
      return null;
  }
}

function size(origin: string, relation: string, limit: number | bigint): string {
  const isAny = relation === 'at least' && limit === 1;
  if (origin === 'string') return isAny ? 'text that is not empty' : `text of ${relation} ${limit} characters`;
  if (origin === 'array' || origin === 'set')
    return isAny ? 'a list that is not empty' : `a list of ${relation} ${limit}`;
  return `${relation} ${limit}`;
}

/** A value as JSON, cut if it is long or deep. */
function show(value: unknown): string {
  const text =
    typeof value === 'number' || typeof value === 'bigint'
      ? String(value)
      : (JSON.stringify(outermost(value, 3)) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The outer levels of a value: whole ones may be too deep to be written, or too long. */
function outermost(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '…';
  const most = 20;
  if (Array.isArray(value)) return value.slice(0, most).map((item) => outermost(item, levels - 1));
  const entries = Object.entries(value).slice(0, most);
  return Object.fromEntries(entries.map(([key, item]) => [key, outermost(item, levels - 1)]));
}

/** What stands at a path; undefined where there is nothing. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], root);
}
