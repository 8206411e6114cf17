/**
 * Text of ids as they come, for a view of a policy while it writes. A character may lie in several tokens, and what a
 * reader has seen cannot be taken back; so a piece holds only what is final, and the beginning of a character waits for
 * the rest of it. Tokenizers make these (`tokenizer.streamDecoder()`) and decode whole texts with them, so the pieces
 * always add up to what `decode` gives.
 */

/** Turns bytes into characters, a few at a time; the beginning of a character is held back. */
export interface CharacterDecoder {
  push(bytes: ArrayLike<number>): string;
  flush(): string;
}

/**
 * Text from tokens as they come: whole characters only.
 * @example
 * const stream = tokenizer.streamDecoder();
 * const text = stream.push([5, 6]) + stream.push([7]) + stream.flush();
 */
export class StreamDecoder {
  readonly #bytesOf: (id: number) => ArrayLike<number>;
  readonly #characters: CharacterDecoder;

  /**
   * @param bytesOf the bytes that an id adds, called for one id after the other
   * @param characters how bytes become characters
   */
  constructor(bytesOf: (id: number) => ArrayLike<number>, characters: CharacterDecoder) {
    this.#bytesOf = bytesOf;
    this.#characters = characters;
  }

  /**
   * The text that is final by these ids and was not before; empty if they end nothing.
   * @throws {ProxmoError} `data` if an id is not one of the tokenizer's.
   */
  push(ids: ArrayLike<number>): string {
    let text = '';
    for (let i = 0; i < ids.length; i++) text += this.#characters.push(this.#bytesOf(ids[i]!));
    return text;
  }

  /** What was held back, at the end of the ids: U+FFFD where a character is cut short. */
  flush(): string {
    return this.#characters.flush();
  }
}

/** Decodes UTF-8; bytes that are none become U+FFFD, as the Encoding standard says. */
export class Utf8Decoder implements CharacterDecoder {
  // A byte order mark in the middle of a text is a character like any other.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  push(bytes: ArrayLike<number>): string {
    return this.#decoder.decode(Uint8Array.from(bytes), { stream: true });
  }

  flush(): string {
    return this.#decoder.decode();
  }
}
