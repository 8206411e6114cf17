/**
 * How alike two texts are by the words they share, from 0 to 100: `token_set_ratio` of the Python package thefuzz 0.19,
 * which the shop's reward compares attributes and options with. Words are sets; the words in common, and those with the
 * rest of either text, are compared with each other.
 */
import { splitWords, strip } from './pythonText.ts';

/** `token_set_ratio(a, b)` with its default processing. Texts without a letter or digit give 0. */
export function tokenSetRatio(a: string, b: string): number {
  const wordsA = new Set(splitWords(simplify(a)));
  const wordsB = new Set(splitWords(simplify(b)));
  if (wordsA.size === 0 || wordsB.size === 0) return 0;
  const common = sorted([...wordsA].filter((word) => wordsB.has(word)));
  const restA = sorted([...wordsA].filter((word) => !wordsB.has(word)));
  const restB = sorted([...wordsB].filter((word) => !wordsA.has(word)));
  const allA = strip(`${common} ${restA}`);
  const allB = strip(`${common} ${restB}`);
  return Math.max(ratio(common, allA), ratio(common, allB), ratio(allA, allB));
}

/** Characters that are dropped: the upper half of Latin-1. */
const droppedCharacters = /[\x80-\xff]/g;
/** Characters that become spaces: all but letters, digits (in any script) and the underscore. */
const separators = /[^\p{L}\p{N}_]/gu;

function simplify(text: string): string {
  return strip(text.replace(droppedCharacters, '').replace(separators, ' ').toLowerCase());
}

function sorted(words: readonly string[]): string {
  return [...words].sort(byCodePoint).join(' ');
}

/**
 * Python sorts texts by code point, JavaScript by UTF-16 code unit; they differ where surrogate pairs meet U+E000 and
 * above.
 */
function byCodePoint(a: string, b: string): number {
  const left = Array.from(a, (character) => character.codePointAt(0)!);
  const right = Array.from(b, (character) => character.codePointAt(0)!);
  for (let i = 0; i < left.length && i < right.length; i++) if (left[i] !== right[i]) return left[i]! - right[i]!;
  return left.length - right.length;
}

/**
 * 200 · (characters in the longest common subsequence) / (characters in both texts), rounded half to even; 0 where
 * either is empty.
 */
function ratio(a: string, b: string): number {
  if (a === '' || b === '') return 0;
  if (a === b) return 100;
  const left = Array.from(a);
  const right = Array.from(b);
  const exact = 100 * ((2 * longestCommonSubsequence(left, right)) / (left.length + right.length));
  const below = Math.floor(exact);
  const isHalf = exact - below === 0.5;
  return isHalf ? below + (below % 2) : Math.round(exact);
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  const lengths = new Uint16Array(b.length + 1);
  for (const character of a) {
    let diagonal = 0;
    for (let j = 1; j <= b.length; j++) {
      const above = lengths[j]!;
      lengths[j] = character === b[j - 1] ? diagonal + 1 : Math.max(above, lengths[j - 1]!);
      diagonal = above;
    }
  }
  return lengths[b.length]!;
}
