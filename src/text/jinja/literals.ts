/** How Python writes texts and floats, and reads the escapes of a text. */

/** A text in quotes. */
export function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  let result = '';
  for (const character of text) {
    if (character === quote) result += `\\${quote}`;
    else if (escapes[character] !== undefined) result += escapes[character];
    else if (character === ' ' || !/^[\p{C}\p{Z}]$/u.test(character)) result += character;
    else result += escapeOf(character.codePointAt(0)!);
  }
  return quote + result + quote;
}

function escapeOf(code: number): string {
  const [letter, digits] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
  return `\\${letter}${code.toString(16).padStart(digits as number, '0')}`;
}

/** The shortest decimal that is read as the same float. */
export function reprFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', exponent = ''] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const point = Number(exponent) + 1;
  if (point > 16 || point < -3) return `${sign}${exponentForm(digits, point - 1)}`;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0').slice(0, point)}.${digits.slice(point) || '0'}`;
}

function exponentForm(digits: string, exponent: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** A finite number with so many decimals; halves go to the even neighbour, as Python rounds. */
export function toDecimals(value: number, decimals: number): string {
  const negative = value < 0 || Object.is(value, -0);
  const size = Math.abs(value);
  if (size >= 1e21) return `${negative ? '-' : ''}${BigInt(size)}${decimals > 0 ? `.${'0'.repeat(decimals)}` : ''}`;
  // More digits than any half has.
  const [whole = '', fraction = ''] = size.toFixed(100).split('.');
  const kept = BigInt(whole + fraction.slice(0, decimals));
  const rest = fraction.slice(decimals);
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const isUp = rest > half || (rest === half && kept % 2n === 1n);
  const digits = (kept + (isUp ? 1n : 0n)).toString().padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return `${negative ? '-' : ''}${digits.slice(0, point)}${decimals > 0 ? `.${digits.slice(point)}` : ''}`;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/**
 * The text of a literal without its quotes. An escape that is not known stays as it stands.
 * @param fail called for an escape that is cut short or names a character
 */
export function unescapeText(literal: string, fail: (what: string) => Error): string {
  return literal.replace(
    /\\(?:([\n\\'"abfnrtv])|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([xuUN]))/g,
    (_, simple?: string, octal?: string, x?: string, u?: string, long?: string, wrong?: string) => {
      if (simple !== undefined) return simpleEscapes[simple]!;
      if (wrong !== undefined) throw fail(`the escape \\${wrong}`);
      const code = octal === undefined ? Number.parseInt((x ?? u ?? long)!, 16) : Number.parseInt(octal, 8);
      if (code > 0x10ffff) throw fail(`the escape \\U${long}`);
      return String.fromCodePoint(code);
    },
  );
}
