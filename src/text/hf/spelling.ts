/**
 * The decoder part of `tokenizer.json`: how tokens become text. Both kinds in use spell a text in bytes, so that a
 * character may lie in several tokens. Byte-level vocabularies (GPT-2, Qwen, Llama 3) write every byte as a printable
 * character; those that come from SentencePiece (Llama 2) write text with `▁` for a space, and the bytes of rare
 * characters as `<0xE2>`.
 *
 * Bytes that make no character come out as U+FFFD as the Encoding standard says, whatever spells them; the reference
 * gives one for each byte of a run of `<0xE2>` tokens that is broken anywhere.
 */
import { escapeRegExp } from './addedTokens.ts';
import { isRecord, type Part, partSchema } from './files.ts';
import { unsupported } from './pipeline.ts';

/**
 * Bytes that a token adds to a text, asked for one token after the other; the first ones may lose white space that
 * encoding put there.
 */
export type Speller = (token: string, isAdded: boolean) => Uint8Array;

const utf8 = new TextEncoder();
const byteToken = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * A function that begins a text.
 * @param where name of the tokenizer's folder or file, for messages
 * @throws {ProxmoError} `file` if a part is of a type or has a setting that is not supported.
 */
export function readDecoder(part: Part | null, where: string): () => Speller {
  if (part === null) return spacedSpeller;
  const parts = flatten(part, where);
  if (parts[0]?.type === 'ByteLevel' && parts.slice(1).every(({ type }) => type === 'Fuse'))
    return () => byteLevelSpeller;
  return readPieceDecoder(parts, where);
}

/** Without a decoder, tokens stand a space apart. */
function spacedSpeller(): Speller {
  let isFirst = true;
  return (token) => {
    const text = isFirst ? token : ` ${token}`;
    isFirst = false;
    return utf8.encode(text);
  };
}

/**
 * The byte of each character of a byte-level vocabulary: printable Latin-1 stands for itself, the other bytes are
 * numbered from U+0100.
 */
const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 256 }, (_, byte) => byte)
    .sort((a, b) => Number(isPrintable(b)) - Number(isPrintable(a)) || a - b)
    .map((byte, index) => [String.fromCharCode(isPrintable(byte) ? byte : 0x100 + index - 188), byte]),
);

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
}

function byteLevelSpeller(token: string, isAdded: boolean): Uint8Array {
  if (isAdded) return utf8.encode(token);
  const bytes = Array.from(token, (character) => byteOfCharacter.get(character));
  // A token with other characters in it is not written in bytes.
  return bytes.includes(undefined) ? utf8.encode(token) : Uint8Array.from(bytes as number[]);
}

/** What to do with the tokens of a vocabulary of text pieces. */
interface PieceRules {
  /** Texts to put in place of others, in each token. */
  readonly replacements: { readonly pattern: RegExp; readonly content: string }[];
  /** The mark that stands for a space, and is left out in the first token. */
  metaspace: string | undefined;
  /** Whether `<0xE2>` is a byte. */
  hasBytes: boolean;
  /** How many of which byte are left out where a text begins with them. */
  stripped: { readonly byte: number; readonly count: number };
}

function readPieceDecoder(parts: readonly Part[], where: string): () => Speller {
  const rules: PieceRules = {
    replacements: [],
    metaspace: undefined,
    hasBytes: false,
    stripped: { byte: 0, count: 0 },
  };
  let isFused = false;
  for (const part of parts) {
    if (part.type === 'Fuse') isFused = true;
    else if (isFused !== (part.type === 'Strip')) {
      throw unsupported(`a decoder ${part.type} in that place`, where, 'before Fuse, Strip after it');
    } else addRule(rules, part, where);
  }
  return () => pieceSpeller(rules);
}

function addRule(rules: PieceRules, part: Part, where: string): void {
  const pattern = isRecord(part.pattern) ? part.pattern.String : undefined;
  if (
    part.type === 'Replace' &&
    typeof pattern === 'string' &&
    pattern !== '' &&
    typeof part.content === 'string' &&
    !rules.hasBytes
  ) {
    rules.replacements.push({ pattern: new RegExp(escapeRegExp(pattern), 'g'), content: part.content });
  } else if (part.type === 'Metaspace' && !rules.hasBytes) {
    const mark = String(part.replacement ?? '▁');
    const isKept = part.prepend_scheme === 'never' || part.add_prefix_space === false;
    if (!isKept) rules.metaspace = mark;
    rules.replacements.push({ pattern: new RegExp(escapeRegExp(mark), 'g'), content: ' ' });
  } else if (part.type === 'ByteFallback') {
    rules.hasBytes = true;
  } else if (
    part.type === 'Strip' &&
    typeof part.content === 'string' &&
    /^[\0-\x7f]$/.test(part.content) &&
    !part.stop
  ) {
    rules.stripped = { byte: part.content.charCodeAt(0), count: Number(part.start ?? 0) };
  } else {
    const known = 'ByteLevel, Metaspace, Replace of a String, ByteFallback, Fuse, Strip of the beginning, Sequence';
    throw unsupported(`a decoder ${part.type} with these settings or in that place`, where, known);
  }
}

function pieceSpeller(rules: PieceRules): Speller {
  let isFirst = true;
  let strips = rules.stripped.count;
  return (token) => {
    let text = isFirst && rules.metaspace !== undefined ? token.replaceAll(rules.metaspace, '') : token;
    isFirst = false;
    for (const { pattern, content } of rules.replacements) text = text.replace(pattern, () => content);
    const byte = rules.hasBytes ? byteToken.exec(text) : null;
    let bytes = byte ? Uint8Array.of(Number.parseInt(byte[1]!, 16)) : utf8.encode(text);
    while (strips > 0 && bytes.length > 0) {
      strips = bytes[0] === rules.stripped.byte ? strips - 1 : 0;
      if (strips > 0 || bytes[0] === rules.stripped.byte) bytes = bytes.subarray(1);
    }
    return bytes;
  };
}

function flatten(part: Part, where: string): Part[] {
  if (part.type !== 'Sequence') return [part];
  const parts = partSchema.array().safeParse(part.decoders);
  if (!parts.success) throw unsupported('a Sequence without decoders', where, 'a list of decoders');
  return parts.data.flatMap((one) => flatten(one, where));
}
