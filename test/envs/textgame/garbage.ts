/** Helpers for property tests of parsers: damaged texts, and the one way in which a parser may fail. */
import fc from 'fast-check';
import { ProxmoError } from '../../../src/base/errors.ts';

/** A text with a few pieces deleted, repeated or replaced. */
export function mutated(text: string): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(text.length),
    length: fc.nat(20),
    insert: fc.oneof(fc.constant(''), fc.string(), fc.constantFrom('(', ')', '"', '{', '}', '#', '|')),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    return edits.reduce(
      (current, { at, length, insert }) => current.slice(0, at) + insert + current.slice(at + length),
      text,
    );
  });
}

/** Runs a parser; any error but a `ProxmoError` of code `parse` goes through. */
export function expectParseErrorOrSuccess(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof ProxmoError) || error.code !== 'parse') throw error;
  }
}
