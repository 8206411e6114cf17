/**
 * Strings to bytes and back, for any JavaScript string. The bytes are UTF-8, with the one addition of WTF-8: a
 * surrogate without its partner, which UTF-8 has no bytes for, is written as the three bytes of its code point. So
 * every string survives, not only well-formed ones.
 */

const replacement = '\ufffd';

/** Bytes of a string: UTF-8, or the three-byte form for a lone surrogate. */
export function encodeWtf8(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return bytes;
}

/**
 * Undoes `encodeWtf8`, a few bytes at a time. What it has given is final: the beginning of a character waits for the
 * rest, or for the end. A byte that starts no valid sequence becomes U+FFFD.
 */
export class Wtf8Decoder {
  #pending: number[] = [];

  /** The characters that are sure by now. */
  push(bytes: ArrayLike<number>): string {
    for (let i = 0; i < bytes.length; i++) this.#pending.push(bytes[i]!);
    return this.#take(false);
  }

  /** What was held back. The decoder then begins anew. */
  flush(): string {
    return this.#take(true);
  }

  #take(isEnd: boolean): string {
    const bytes = this.#pending;
    let text = '';
    let at = 0;
    while (at < bytes.length) {
      const length = sequenceLength(bytes[at]!);
      if (!isEnd && mayGrow(bytes, at, length)) break;
      const code = length === 0 ? -1 : codePoint(bytes, at, length);
      text += code < 0 ? replacement : String.fromCodePoint(code);
      at += code < 0 ? 1 : length;
    }
    this.#pending = bytes.slice(at);
    return text;
  }
}

/**
 * Whether the bytes from `at` to the end may be the beginning of a character: fewer than the first one announces, and
 * none out of place; or a high surrogate, whose partner may follow.
 */
function mayGrow(bytes: readonly number[], at: number, length: number): boolean {
  const present = bytes.length - at;
  if (present > length || length === 0) return false;
  for (let i = 1; i < present; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return false;
  return present < length || (bytes[at] === 0xed && (bytes[at + 1]! & 0xf0) === 0xa0);
}

/** Bytes in the sequence that a first byte announces; 0 if it can start none. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

/**
 * The code point of `length` bytes from `at`; -1 if they are cut short, not continuation bytes, overlong or out of
 * range.
 */
function codePoint(bytes: readonly number[], at: number, length: number): number {
  if (length === 1) return bytes[at]!;
  if (at + length > bytes.length) return -1;
  let code = bytes[at]! & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i]!;
    if ((byte & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (byte & 0x3f);
  }
  const smallest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  return code < smallest || code > 0x10ffff ? -1 : code;
}
