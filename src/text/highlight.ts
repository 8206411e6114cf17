/**
 * Marks in what is seen the words that the task names. A small policy learns late, or never, to compare each thing in
 * view with the words of its task; behind a mark it need not, and what is left to learn is what to do about it.
 * (Readers of questions and answers had such a feature as "exact match": Chen et al., arXiv 1704.00051, section 3.2.)
 */

/** Stands before a word that the task names. */
const mark = '* ';

/** Words that say nothing of what a task is about. */
export const functionWords: ReadonlySet<string> = new Set(
  (
    'a all also an and any are as at be been but by can do each every for from has have here i if in into is it its me my ' +
    'no not of off on one onto or out please should so some such than that the their them then there these they this ' +
    'those to under up use using want was we were what when where which who will with would you your'
  ).split(' '),
);

const word = /[\p{L}\p{M}]+/gu;

/**
 * Gives a text a mark before each word that the instruction names as well, in upper or lower case. Where the
 * instruction itself stands in the text it stays as it is.
 */
export function highlighter(instruction: string): (text: string) => string {
  const named = namedWords(instruction);
  if (named.size === 0) return (text) => text;
  const marked = (part: string) =>
    part.replace(word, (found) => (named.has(found.toLowerCase()) ? `${mark}${found}` : found));
  return (text) => text.split(instruction).map(marked).join(instruction);
}

/** Words by which an instruction names what it is about, in lower case. */
function namedWords(instruction: string): ReadonlySet<string> {
  const words = instruction.toLowerCase().match(word) ?? [];
  return new Set(words.filter((found) => found.length > 1 && !functionWords.has(found)));
}
