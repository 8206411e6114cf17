/**
 * Text as Python writes and reads it: numbers, tuples, white space. The shop's pages and its matching of options show
 * them.
 */

/**
 * What `str.strip` removes, as the inside of a character class; JavaScript's `trim` differs at the control characters
 * and at U+FEFF.
 */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const outerSpace = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, 'g');
const spaceRun = new RegExp(`[${SPACE}]+`);

/** `str.strip()`. */
export function strip(text: string): string {
  return text.replace(outerSpace, '');
}

/** `str.split()`: the words between runs of white space. */
export function splitWords(text: string): string[] {
  return text.split(spaceRun).filter((word) => word !== '');
}

/** `str(float)`: like JavaScript's, but whole numbers keep a `.0` and exponents begin elsewhere and have two digits. */
export function formatFloat(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** `str` of a pair of texts: `('color', "men's")`. */
export function formatPair(first: string, second: string): string {
  return `(${quote(first)}, ${quote(second)})`;
}

/**
 * Characters that Python writes as escapes: controls, formats, surrogates, private use, unassigned, and white space
 * other than the space.
 */
const unprintable = /[\p{C}\p{Z}\\]/gu;

/** `repr` of a text. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(unprintable, (character) => (character === ' ' ? ' ' : escapeCharacter(character)));
  return mark + escaped.replaceAll(mark, `\\${mark}`) + mark;
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code > 0xffff) return `\\U${hex.padStart(8, '0')}`;
  return NAMED_ESCAPES[character] ?? (code > 0xff ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`);
}
