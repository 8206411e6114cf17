import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { checked } from '../../src/base/schemaProblems.ts';

const schema = z.strictObject({
  seed: z.int().min(0).max(9).optional(),
  rate: z.number().optional(),
  name: z.string().min(1).optional(),
  mode: z.enum(['constant', 'linear']).optional(),
  list: z.array(z.number()).min(1).optional(),
  targets: z.union([z.literal('all'), z.array(z.string())]).optional(),
  kind: z
    .discriminatedUnion('type', [z.object({ type: z.literal('a') }), z.object({ type: z.literal('b') })])
    .optional(),
  byDigit: z.record(z.string().regex(/^\d$/), z.string()).optional(),
  started: z.iso.datetime().optional(),
  url: z.url().optional(),
  gamma: z.number({ error: 'must be a number from 0 to 1' }).optional(),
  window: z.literal(false, 'windows are not supported').optional(),
  inner: z.strictObject({ needed: z.string() }).optional(),
});

const problemOf = (value: unknown): string => {
  try {
    checked(schema, value, (problem) => new Error(problem));
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('problems in words', () => {
  it.each<[unknown, string]>([
    [{ seed: 1.5 }, '`seed` must be a whole number, not 1.5'],
    [{ seed: -1 }, '`seed` must be at least 0, not -1'],
    [{ seed: 10 }, '`seed` must be at most 9, not 10'],
    [{ rate: '3' }, '`rate` must be a number, not "3"'],
    [{ rate: Number.POSITIVE_INFINITY }, '`rate` must be a finite number, not Infinity'],
    [{ name: '' }, '`name` must be text that is not empty, not ""'],
    [{ mode: 'lineal' }, '`mode` must be "constant" or "linear", not "lineal" (did you mean "linear"?)'],
    [{ list: [] }, '`list` must be a list that is not empty, not []'],
    [{ list: [1, 'x'] }, '`list.1` must be a number, not "x"'],
    [{ targets: 3 }, '`targets` must be "all" or a list, not 3'],
    [{ targets: ['q', 1] }, '`targets.1` must be text, not 1'],
    [{ kind: { type: 'c' } }, '`kind.type` must be "a" or "b", not "c"'],
    [{ byDigit: { x: 'y' } }, '`byDigit.x` is not a valid key; it must be text of the form /^\\d$/'],
    [{ started: 'today' }, '`started` must be a date and time, as 2025-01-31T12:00:00Z, not "today"'],
    [{ url: 'here' }, '`url` must be an address, as http://127.0.0.1:8000, not "here"'],
    [{ gamma: 'x' }, '`gamma` must be a number from 0 to 1, not "x"'],
    [{ window: true }, '`window` is true: windows are not supported'],
    [{ inner: {} }, '`inner.needed` is not set; it must be text'],
    [{ inner: { needed: 'x', nedeed: 1 } }, '`inner.nedeed` is not a known key (did you mean `inner.needed`?)'],
    [{ inner: { needed: 'x', other: 1 } }, '`inner.other` is not a known key (known here: needed)'],
    [[], 'the whole must be a group of keys, not []'],
    [{ name: ['y'.repeat(100)] }, `\`name\` must be text, not ["${'y'.repeat(58)}…`],
  ])('%j', (value, problem) => {
    expect(problemOf(value)).toBe(problem);
  });

  it('of a value that is nested without end', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 10_000; level++) deep = [deep];
    expect(problemOf({ name: deep })).toBe('`name` must be text, not [[["…"]]]');
  });

  it("never in zod's own", () => {
    const value = fc.dictionary(fc.constantFrom(...Object.keys(schema.shape), 'other'), fc.jsonValue(), { maxKeys: 3 });
    fc.assert(
      fc.property(value, (given) => {
        const problem = problemOf(given);
        expect(problem).not.toMatch(/Invalid|expected|received|Unrecognized|Too (big|small)|undefined/);
        if (!schema.safeParse(given).success) expect(problem).toMatch(/^(`.+`|the whole) (must be|is) /);
      }),
      { numRuns: 500 },
    );
  });
});
