/** What is wrong with a field of a configuration, as the end of a sentence that starts with the file. */
import type * as z from 'zod';

/** For example `hidden_size is "64": expected number, received string.` */
export function firstIssue(error: z.ZodError, given: unknown): string {
  const issue = error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const keys = [...issue.path, issue.keys[0]].join('.');
    return `${keys} is not known; if it does not change what the model computes, remove it.`;
  }
  const path = issue.path.join('.');
  const value = issue.path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    given,
  );
  if (value === undefined) return `${path} is not set.`;
  return `${path} is ${JSON.stringify(value)}: ${issue.message.replace(/^Invalid input: /, '')}.`;
}
