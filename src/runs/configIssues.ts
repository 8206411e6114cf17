/**
 * What is wrong with a configuration value, in words: zod's issues as the end of a sentence that starts with the key.
 */
import type * as z from 'zod';
import { nearestKey } from '../base/nearestKey.ts';

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
};

/** For example `must be a number, not "abc".` */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  const expected = expectation(issue);
  if (expected === null) return `is not valid: ${issue.message}.`;
  if (value === undefined) return `is not set and has no default; it must be ${expected}.`;
  const meant =
    issue.code === 'invalid_value' && typeof value === 'string'
      ? nearestKey(value, issue.values.map(String))
      : undefined;
  return `must be ${expected}, not ${show(value)}${meant === undefined ? '.' : `; did you mean ${show(meant)}?`}`;
}

/** What would have been valid; null where only zod's own message can say. */
function expectation(issue: z.core.$ZodIssue): string | null {
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.map(show).join(' or ');
    case 'too_small':
      return size(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return size(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
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
  if (origin === 'string') return `text of ${relation} ${limit} characters`;
  if (origin === 'array' || origin === 'set') return `a list of ${relation} ${limit}`;
  return `${relation} ${limit}`;
}

/** A value as JSON, cut if it is long. */
function show(value: unknown): string {
  const text =
    typeof value === 'number' || typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
