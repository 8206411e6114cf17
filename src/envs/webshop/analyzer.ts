/**
 * Text to search terms, as the English analyser of Lucene and Anserini makes them: words by Unicode's rules, without a
 * possessive `'s`, in lower case, without stop words, stemmed by Porter's algorithm.
 */
import { porterStem } from './porter.ts';
import { breakWords } from './wordBreak.ts';

/** Lucene's 33 English stop words. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  'a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with'.split(
    ' ',
  ),
);

const possessive = /['\u2019\uff07][sS]$/;

/** Stems of words seen before: a catalogue uses the same few thousand again and again. */
const terms = new Map<string, string | null>();
const REMEMBERED_WORDS = 1 << 17;

/** The terms of a text, in order, with repetitions. */
export function analyze(text: string): string[] {
  const found: string[] = [];
  for (const word of breakWords(text)) {
    let term = terms.get(word);
    if (term === undefined) {
      if (terms.size >= REMEMBERED_WORDS) terms.clear();
      terms.set(word, (term = toTerm(word)));
    }
    if (term !== null) found.push(term);
  }
  return found;
}

/** Null for a stop word. */
function toTerm(word: string): string | null {
  const lower = word.replace(possessive, '').toLowerCase();
  return STOP_WORDS.has(lower) ? null : porterStem(lower);
}
