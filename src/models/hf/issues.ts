/** Fields of a model's configuration: one that is not known is refused, as it may change what the model computes. */
import type * as z from 'zod';
import { parseOrProblems, problemText } from '../../base/schemaProblems.ts';

/**
 * The fields as their schema gives them.
 * @param refuse makes the error from what is wrong, for example `` `hidden_size` must be a number, not "64" ``
 */
export function checkedFields<S extends z.ZodType>(
  schema: S,
  given: unknown,
  refuse: (problem: string) => Error,
): z.output<S> {
  const { data, problems } = parseOrProblems(schema, given);
  const [problem] = problems;
  if (!problem) return data as z.output<S>;
  const advice = problem.isUnknownKey ? '; if it does not change what the model computes, remove it' : '';
  throw refuse(problemText(problem) + advice);
}
