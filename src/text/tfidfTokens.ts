/**
 * Splits text into the words that TF-IDF counts: maximal runs of word characters of the lower-cased text.
 *
 * A word character is what Python's `re` calls `\w` in a `str` pattern: a letter or a number of any script, or an
 * underscore. Combining marks are none, so they end a word, as in Python. Lower case is Unicode's full mapping, which
 * both languages share. Where the two differ, it is only in characters that one of them knows from a newer version of
 * Unicode.
 */

const wordPattern = /[\p{L}\p{N}_]+/gu;

/** The words of a text in order, without those of fewer than `minLength` code points. */
export function splitWords(text: string, minLength: number): readonly string[] {
  const words = text.toLowerCase().match(wordPattern) ?? [];
  return minLength <= 1 ? words : words.filter((word) => codePointsReach(word, minLength));
}

function codePointsReach(word: string, minLength: number): boolean {
  if (word.length < minLength) return false;
  // A surrogate pair is one character; only words near the limit need the slow count.
  return word.length >= 2 * minLength || [...word].length >= minLength;
}

/** Orders strings by code point, as Python does. JavaScript's own order is by UTF-16 unit, and differs above U+FFFF. */
export function compareByCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** A UTF-16 unit's place in code point order: surrogates come after everything else. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
