/**
 * A word-level tokenizer with byte fallback, for small policies trained from nothing on an environment whose words are
 * known. A word is one token, so sequences are short, and an action on the list is copied word by word; a word outside
 * the list is spelled in bytes, so that no text is lost: `decode(encode(text)) === text` for every string.
 *
 * White space. Single spaces cost nothing. Each token says whether it keeps a space before and after itself: words on
 * both sides, `.` `,` `)` only after, `(` only before, newline and `-` on neither. Two tokens stand one space apart
 * when both allow it. Where the text has a space that the rule does not give, a space byte says so; where it lacks one,
 * the token `<join>`:
 *
 *   "On the desk 1, you see"  ->  On the desk 1 , you see
 *   "desk1 ,"                 ->  desk <join> 1 <space> ,
 *
 * Ids: the special tokens, then 256 bytes (the bytes of ASCII punctuation and newline are the tokens of those), then
 * the words by code unit.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import { StreamDecoder } from './streamDecoder.ts';
import { type PromptMarker, promptMarkers, type StreamingTokenizer } from './tokenizer.ts';
import { encodeWtf8, Wtf8Decoder } from './wtf8.ts';

const specials = ['pad', 'end', 'join', ...promptMarkers] as const;
const padId = specials.indexOf('pad');
const endId = specials.indexOf('end');
const joinId = specials.indexOf('join');
const firstByteId = specials.length;
const firstWordId = firstByteId + 256;

/**
 * How a token behaves next to others; `spaceBefore` and `spaceAfter` allow a space, two `fragment`s never have one
 * between them.
 */
const spaceBefore = 1;
const spaceAfter = 2;
const fragment = 4;

/** A run of letters, a run of digits, or any other single character. */
const unitPattern = /[\p{L}\p{M}]+|\p{N}+|./gsu;

/** Chunks longer than this are rare and not worth remembering. */
const cachedChunkLength = 64;
const cachedChunks = 1 << 16;

/** The saved form of a tokenizer. */
export interface WordTokenizerJson {
  readonly format: 'proxmo-word-tokenizer';
  readonly version: 1;
  /** Words in the order of their ids. */
  readonly words: readonly string[];
}

const jsonSchema = z.strictObject({
  format: z.literal('proxmo-word-tokenizer'),
  version: z.literal(1),
  words: z.array(z.string().min(1)),
});

/**
 * A tokenizer of whole words, for policies that are trained from nothing. What is no word of it is spelled in bytes.
 * @example
 * const tokenizer = WordTokenizer.build(['open', 'the', 'door']);
 * tokenizer.decode(tokenizer.encode('open the door')); // 'open the door'
 */
export class WordTokenizer implements StreamingTokenizer {
  readonly padId = padId;
  readonly endId = endId;
  readonly markerIds: Readonly<Record<PromptMarker, number>>;
  readonly vocabSize: number;
  readonly #words: readonly string[];
  readonly #wordIds: ReadonlyMap<string, number>;
  /** Behaviour of every id, as bits. */
  readonly #spacing: Uint8Array;
  /** Text of every id; none of bytes that are no character by themselves. */
  readonly #texts: readonly (string | undefined)[];
  /** Most units that one word of the vocabulary spans: the reach of the longest match. */
  readonly #longestWord: number;
  readonly #chunks = new Map<string, readonly number[]>();

  private constructor(words: readonly string[]) {
    this.#words = words;
    this.#wordIds = new Map(words.map((word, index) => [word, firstWordId + index]));
    this.vocabSize = firstWordId + words.length;
    this.markerIds = Object.fromEntries(promptMarkers.map((name) => [name, specials.indexOf(name)])) as Record<
      PromptMarker,
      number
    >;
    this.#spacing = new Uint8Array(this.vocabSize).fill(spaceBefore | spaceAfter);
    this.#spacing[joinId] = 0;
    for (let byte = 0; byte < 256; byte++) this.#spacing[firstByteId + byte] = byteSpacing(byte);
    for (const [word, id] of this.#wordIds) this.#spacing[id] = wordSpacing(word);
    const characters = Array.from({ length: 256 }, (_, byte) => (byte < 0x80 ? String.fromCharCode(byte) : undefined));
    this.#texts = [...specials.map((name) => (name === 'join' ? '' : `<${name}>`)), ...characters, ...words];
    this.#longestWord = words.reduce((longest, word) => Math.max(longest, units(word).length), 0);
  }

  /**
   * Builds a tokenizer. An entry without white space becomes one token as it stands (`desk`, `[SEP]`); an entry with
   * white space is read as text, and each of its words and numbers becomes one. Order and repetition do not matter: the
   * same words give the same ids.
   */
  static build(entries: Iterable<string>): WordTokenizer {
    const words = new Set<string>();
    for (const entry of entries) {
      const parts = /\s/.test(entry) ? units(entry).filter((unit) => /[\p{L}\p{N}]/u.test(unit)) : [entry];
      for (const part of parts) if (part !== '' && !hasByteToken(part)) words.add(part);
    }
    return new WordTokenizer([...words].sort((a, b) => (a < b ? -1 : 1)));
  }

  /** Reads the saved form. @throws {ProxmoError} `data` if the text is not a saved word tokenizer. */
  static parse(text: string): WordTokenizer {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw new ProxmoError(
        'data',
        'Word tokenizer: the text is not JSON; give the text that was saved from a tokenizer.',
        { cause },
      );
    }
    return WordTokenizer.fromJSON(json);
  }

  /**
   * Rebuilds a tokenizer from `toJSON`, with the same ids.
   * @throws {ProxmoError} `data` if the value is not a saved word tokenizer.
   */
  static fromJSON(json: unknown): WordTokenizer {
    const { words } = checked(
      jsonSchema,
      json,
      (problem) =>
        new ProxmoError('data', `Word tokenizer: ${problem}; give what was saved from a tokenizer of version 1.`),
    );
    const wrong = words.find(
      (word, index) => /\s/.test(word) || hasByteToken(word) || (index > 0 && words[index - 1]! >= word),
    );
    if (wrong !== undefined) {
      throw new ProxmoError(
        'data',
        `Word tokenizer: \`${wrong}\` is not a word, or the words are not sorted and distinct; save it again.`,
      );
    }
    return new WordTokenizer(words);
  }

  /** The saved form; `JSON.stringify` calls this. */
  toJSON(): WordTokenizerJson {
    return { format: 'proxmo-word-tokenizer', version: 1, words: this.#words };
  }

  encode(text: string): number[] {
    const ids: number[] = [];
    for (let at = 0; at < text.length; ) {
      const spaceStart = at;
      while (at < text.length && isSpace(text.charCodeAt(at))) at++;
      const chunkStart = at;
      while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
      const chunk = chunkStart < at ? this.#encodeChunk(text.slice(chunkStart, at)) : [];
      const impliedSpace =
        chunkStart - spaceStart === 1 &&
        text[spaceStart] === ' ' &&
        ids.length > 0 &&
        chunk.length > 0 &&
        this.#isSpaced(ids[ids.length - 1]!, chunk[0]!);
      if (!impliedSpace) for (let i = spaceStart; i < chunkStart; i++) ids.push(firstByteId + text.charCodeAt(i));
      for (const id of chunk) ids.push(id);
    }
    return ids;
  }

  decode(ids: ArrayLike<number>): string {
    return this.#decodeWords(ids) ?? this.#decodeBytes(ids);
  }

  /** The text of ids that are characters and words; null where another one is among them. */
  #decodeWords(ids: ArrayLike<number>): string | null {
    let text = '';
    for (let at = 0; at < ids.length; at++) {
      const own = this.#texts[ids[at]!];
      if (own === undefined) return null;
      if (at > 0 && this.#isSpaced(ids[at - 1]!, ids[at]!)) text += ' ';
      text += own;
    }
    return text;
  }

  #decodeBytes(ids: ArrayLike<number>): string {
    const stream = this.streamDecoder();
    return stream.push(ids) + stream.flush();
  }

  streamDecoder(): StreamDecoder {
    let before = -1;
    let position = 0;
    const bytesOf = (id: number): readonly number[] => {
      if (!(Number.isInteger(id) && id >= 0 && id < this.vocabSize)) {
        throw new ProxmoError(
          'data',
          `Word tokenizer: ${id} at position ${position} is not an id; ids go from 0 to ${this.vocabSize - 1}.`,
        );
      }
      const bytes = id >= firstByteId && id < firstWordId ? [id - firstByteId] : encodeWtf8(this.#texts[id]!);
      if (before >= 0 && this.#isSpaced(before, id)) bytes.unshift(0x20);
      before = id;
      position++;
      return bytes;
    };
    return new StreamDecoder(bytesOf, new Wtf8Decoder());
  }

  /** Whether one space stands between two neighbours without saying so. */
  #isSpaced(left: number, right: number): boolean {
    const a = this.#spacing[left]!;
    const b = this.#spacing[right]!;
    return (a & spaceAfter) !== 0 && (b & spaceBefore) !== 0 && (a & b & fragment) === 0;
  }

  /** Ids of a run of text without ASCII white space. */
  #encodeChunk(chunk: string): readonly number[] {
    const cached = this.#chunks.get(chunk);
    if (cached) return cached;
    const whole = this.#wordIds.get(chunk);
    const ids = whole === undefined ? this.#encodeUnits(units(chunk)) : [whole];
    if (chunk.length <= cachedChunkLength) {
      if (this.#chunks.size >= cachedChunks) this.#chunks.clear();
      this.#chunks.set(chunk, ids);
    }
    return ids;
  }

  /** Ids of adjoining units: at each place the longest word of the vocabulary, and bytes where none begins. */
  #encodeUnits(parts: readonly string[]): number[] {
    const ids: number[] = [];
    const append = (id: number) => {
      if (ids.length > 0 && this.#isSpaced(ids[ids.length - 1]!, id)) ids.push(joinId);
      ids.push(id);
    };
    for (let first = 0; first < parts.length; ) {
      let text = '';
      let count = 0;
      let id = -1;
      for (let i = first; i < parts.length && i < first + this.#longestWord; i++) {
        text += parts[i];
        const found = this.#wordIds.get(text);
        if (found !== undefined) {
          count = i - first + 1;
          id = found;
        }
      }
      if (count > 0) append(id);
      else for (const byte of encodeWtf8(parts[first]!)) append(firstByteId + byte);
      first += Math.max(count, 1);
    }
    return ids;
  }
}

/** The letter runs, digit runs and other characters of a text, in order. */
function units(text: string): string[] {
  return text.match(unitPattern) ?? [];
}

/** White space between chunks: the ASCII kinds. Others are rare and spelled in bytes like any unknown character. */
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** Whether a text is a single ASCII character that is neither letter nor digit: its byte is its token. */
function hasByteToken(text: string): boolean {
  return text.length === 1 && text < '\x80' && !/[A-Za-z0-9]/.test(text);
}

/**
 * Where English text puts spaces around an ASCII punctuation mark or white space; undefined for all other characters.
 */
function punctuationSpacing(character: string): number | undefined {
  if (/[,.;:!?)\]}%>]/.test(character)) return spaceAfter;
  if (/[([{$#<]/.test(character)) return spaceBefore;
  if (/[&=+*|]/.test(character)) return spaceBefore | spaceAfter;
  return /[\s"'\-/\\_@^`~]/.test(character) ? 0 : undefined;
}

function byteSpacing(byte: number): number {
  const punctuation = byte < 0x80 ? punctuationSpacing(String.fromCharCode(byte)) : undefined;
  return punctuation ?? spaceBefore | spaceAfter | fragment;
}

/** A word keeps the spaces that its first and its last character call for. */
function wordSpacing(word: string): number {
  const both = spaceBefore | spaceAfter;
  const before = (punctuationSpacing(word[0]!) ?? both) & spaceBefore;
  const after = (punctuationSpacing(word[word.length - 1]!) ?? both) & spaceAfter;
  return before | after;
}
