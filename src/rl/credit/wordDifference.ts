/** What two observations differ in, in the words that their similarity is computed from. */
import { splitWords } from '../../text/tfidfTokens.ts';

export interface WordDifference {
  /** Words of the first that the second lacks, in their order, as often as it lacks them. */
  readonly lost: readonly string[];
  /** Words that only the second has. */
  readonly gained: readonly string[];
}

/** The words that one text has more often than another, both ways. Letters count as in TF-IDF, in lower case. */
export function wordDifference(first: string, second: string): WordDifference {
  const [a, b] = [splitWords(first, 1), splitWords(second, 1)];
  return { lost: beyond(a, b), gained: beyond(b, a) };
}

function beyond(words: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const word of others) left.set(word, (left.get(word) ?? 0) + 1);
  return words.filter((word) => {
    const count = left.get(word) ?? 0;
    left.set(word, count - 1);
    return count <= 0;
  });
}
