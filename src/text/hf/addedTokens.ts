/**
 * Added tokens: texts that become one id before the model sees anything, such as `<|im_end|>`. Text is cut at them,
 * leftmost first and longest first, by the rules of the reference implementation: a token may want to stand as a word
 * of its own, and may take the white space beside it.
 */

export interface AddedToken {
  readonly id: number;
  /** What it looks like in text. */
  readonly content: string;
  /** Has a meaning of its own (end of turn, padding, …), so plain text must not turn into it. */
  readonly isSpecial: boolean;
  /** Stands only where no letter, digit or underscore adjoins. */
  readonly isSingleWord: boolean;
  /** Takes the white space before it, or after it. */
  readonly stripsBefore: boolean;
  readonly stripsAfter: boolean;
  /** Sought in the text after the normaliser, not before. */
  readonly isNormalized: boolean;
}

/** A stretch of text, or a token. */
export type Section = { readonly text: string } | { readonly id: number };

const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const space = /^\p{White_Space}/u;

export class AddedTokenSplitter {
  readonly #tokens: ReadonlyMap<string, AddedToken>;
  /** Matches the longest token at each place; undefined where there are none. */
  readonly #pattern: RegExp | undefined;

  /** @param tokens the tokens by the text to look for */
  constructor(tokens: ReadonlyMap<string, AddedToken>) {
    this.#tokens = tokens;
    const longestFirst = [...tokens.keys()].filter((text) => text !== '').sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g');
  }

  /**
   * Cuts a text; empty stretches are left out.
   * @param withSpecials whether special tokens count; otherwise they are text like any other
   */
  split(text: string, withSpecials: boolean): Section[] {
    const sections: Section[] = [];
    let done = 0;
    for (const match of this.#pattern ? text.matchAll(this.#pattern) : []) {
      const token = this.#tokens.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      // White space that the token before took may itself have been a token.
      if (start < done || (token.isSpecial && !withSpecials)) continue;
      if (
        token.isSingleWord &&
        (wordBefore.test(text.slice(Math.max(start - 2, 0), start)) || wordAfter.test(text.slice(end, end + 2)))
      ) {
        continue;
      }
      if (token.stripsBefore) while (start > done && space.test(text[start - 1]!)) start--;
      if (token.stripsAfter) while (space.test(text[end] ?? '')) end++;
      if (start > done) sections.push({ text: text.slice(done, start) });
      sections.push({ id: token.id });
      done = end;
    }
    if (done < text.length) sections.push({ text: text.slice(done) });
    return sections;
  }
}

export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
