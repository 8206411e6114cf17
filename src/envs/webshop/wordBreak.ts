/**
 * Cuts text into words by the Unicode rules for word boundaries (UAX #29), as Lucene's `StandardTokenizer` applies
 * them. Runs of letters and digits with the marks that may stand inside them (`o'clock`, `3.5mm`, `snake_case`) are
 * words. Each Chinese character, each Hiragana letter and each emoji is one; everything else only separates. A word
 * longer than 255 code units is cut into pieces of that length.
 *
 * Word-break properties are taken from the general properties that define them, as regular expressions know no others.
 */

const LONGEST_WORD = 255;

/** Word-break classes of characters. */
enum Class {
  Other,
  Letter,
  HebrewLetter,
  Digit,
  Katakana,
  /** `_` and its kin: joins letters, digits and Katakana. */
  Connector,
  /** `:`, `·`: between letters. */
  MidLetter,
  /** `,`, `;`: between digits. */
  MidNumber,
  /** `.`, `’`: between letters or between digits. */
  MidBoth,
  /** `'`: the same, and at the end of a Hebrew word. */
  SingleQuote,
  /** `"`: between Hebrew letters. */
  DoubleQuote,
  /** Combining marks, format characters, joiners: belong to what stands before them. */
  Extend,
  /** A word of its own. */
  Ideograph,
  Hiragana,
  /** Thai, Lao, Khmer, Burmese: a run is one word, as finding its words takes a dictionary. */
  SouthEastAsian,
  Emoji,
}

/** Combining marks, skin tones, and format characters (the joiner among them) but the zero-width space. */
const EXTEND = /\p{Grapheme_Extend}|\p{Mc}|\p{Emoji_Modifier}|(?!\u200b)\p{Cf}/u;
const CONNECTOR = /[\p{Pc}\u202f]/u;
const MID_LETTER = /[:\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a]/;
const MID_NUMBER = /[,;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b]/;
const MID_BOTH = /[.\u2018\u2019\u2024\ufe52\uff07\uff0e]/;
const KATAKANA = /[\p{Script=Katakana}\u3031-\u3035\u309b\u309c\u30a0\u30fc\uff70]/u;
const SOUTH_EAST_ASIAN =
  /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tai_Le}\p{Script=New_Tai_Lue}\p{Script=Tai_Tham}\p{Script=Tai_Viet}\p{Script=Ahom}]/u;
const LETTER =
  /[\p{Alphabetic}\u02c2-\u02c5\u02d2-\u02d7\u02de\u02df\u02ed\u02ef-\u02ff\u05f3\ua720\ua721\ua789\ua78a\uab5b]/u;
const HEBREW_LETTER = /(?=\p{Script=Hebrew})\p{Lo}/u;
/**
 * `Extended_Pictographic` of emoji 11.0, the table that Lucene uses; engines know later ones, which lack the likes of
 * the black star.
 */
const PICTOGRAPHS = [
  'a9 ae 203c 2049 2122 2139 2194-2199 21a9-21aa 231a-231b 2328 2388 23cf 23e9-23f3 23f8-23fa 24c2 25aa-25ab 25b6 25c0 25fb-25fe',
  '2600-2605 2607-2612 2614-2685 2690-2705 2708-2712 2714 2716 271d 2721 2728 2733-2734 2744 2747 274c 274e 2753-2755 2757',
  '2763-2767 2795-2797 27a1 27b0 27bf 2934-2935 2b05-2b07 2b1b-2b1c 2b50 2b55 3030 303d 3297 3299 1f000-1f0ff 1f10d-1f10f 1f12f',
  '1f16c-1f171 1f17e-1f17f 1f18e 1f191-1f19a 1f1ad-1f1e5 1f201-1f20f 1f21a 1f22f 1f232-1f23a 1f23c-1f23f 1f249-1f3fa 1f400-1f53d',
  '1f546-1f64f 1f680-1f6ff 1f774-1f77f 1f7d5-1f7ff 1f80c-1f80f 1f848-1f84f 1f85a-1f85f 1f888-1f88f 1f8ae-1f8ff 1f90c-1f93a',
  '1f93c-1f945 1f947-1fffd',
];
const EMOJI = new RegExp(
  `[${PICTOGRAPHS.join(' ')
    .replace(/[\da-f]+/g, '\\u{$&}')
    .replaceAll(' ', '')}\\p{Regional_Indicator}]`,
  'u',
);
const FLAG_LETTER = /\p{Regional_Indicator}/u;
const JOINER = 0x200d;

function classify(character: string): Class {
  if (character === "'") return Class.SingleQuote;
  if (character === '"') return Class.DoubleQuote;
  if (/\p{Nd}/u.test(character)) return Class.Digit;
  if (MID_LETTER.test(character)) return Class.MidLetter;
  if (MID_NUMBER.test(character)) return Class.MidNumber;
  if (MID_BOTH.test(character)) return Class.MidBoth;
  if (CONNECTOR.test(character)) return Class.Connector;
  if (/\p{Script=Han}/u.test(character)) return Class.Ideograph;
  if (SOUTH_EAST_ASIAN.test(character) && /[\p{L}\p{M}]/u.test(character)) return Class.SouthEastAsian;
  if (EXTEND.test(character)) return Class.Extend;
  if (KATAKANA.test(character)) return Class.Katakana;
  if (/\p{Script=Hiragana}/u.test(character)) return Class.Hiragana;
  if (HEBREW_LETTER.test(character)) return Class.HebrewLetter;
  if (LETTER.test(character)) return Class.Letter;
  return EMOJI.test(character) ? Class.Emoji : Class.Other;
}

const ASCII = Uint8Array.from({ length: 128 }, (_, code) => classify(String.fromCharCode(code)));
const others = new Map<number, Class>();

function classOf(code: number): Class {
  if (code < 128) return ASCII[code]!;
  let found = others.get(code);
  if (found === undefined) others.set(code, (found = classify(String.fromCodePoint(code))));
  return found;
}

/** The words of a text, in order. */
export function breakWords(text: string): string[] {
  const words: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = wordEnd(text, at);
    for (let from = at; from < end; from += LONGEST_WORD)
      words.push(text.slice(from, Math.min(end, from + LONGEST_WORD)));
    at = end >= 0 ? end : ~end;
  }
  return words;
}

/** The position after the character at `at`. */
function next(text: string, at: number): number {
  return at + (text.codePointAt(at)! > 0xffff ? 2 : 1);
}

/** The position after the character at `at` and the marks that belong to it. */
function nextWhole(text: string, at: number): number {
  let end = next(text, at);
  while (end < text.length && classOf(text.codePointAt(end)!) === Class.Extend) end = next(text, end);
  return end;
}

/** Where the word that begins at `start` ends; where none does, the complement (`~`) of where to look on. */
function wordEnd(text: string, start: number): number {
  const first = classOf(text.codePointAt(start)!);
  if (first === Class.Ideograph || first === Class.Hiragana) return nextWhole(text, start);
  if (first === Class.Emoji) return emojiEnd(text, start);
  if (first === Class.SouthEastAsian) return runEnd(text, start, (kind) => kind === Class.SouthEastAsian);
  let end = start;
  let holdsWord = false;
  let last = Class.Other;
  for (let at = start; at < text.length; ) {
    const kind = classOf(text.codePointAt(at)!);
    const after = nextWhole(text, at);
    if (isWordPart(kind)) {
      if (!joins(last, kind)) break;
      holdsWord ||= kind !== Class.Connector;
      last = kind;
      at = end = after;
      continue;
    }
    const following = after < text.length ? classOf(text.codePointAt(after)!) : Class.Other;
    if (!bridges(last, kind, following)) {
      if (last === Class.HebrewLetter && kind === Class.SingleQuote) end = after;
      break;
    }
    at = after;
  }
  // What connectors alone make up is passed over whole, so that a long run of them is not read again from each of its
  // places.
  return holdsWord ? end : ~Math.max(end, nextWhole(text, start));
}

/** Two letters of a flag, and emoji with joiners between them, are one. */
function emojiEnd(text: string, start: number): number {
  let end = nextWhole(text, start);
  const isEmoji = (at: number): boolean => at < text.length && classOf(text.codePointAt(at)!) === Class.Emoji;
  const isFlagLetter = (at: number): boolean =>
    isEmoji(at) && FLAG_LETTER.test(String.fromCodePoint(text.codePointAt(at)!));
  if (isFlagLetter(start) && isFlagLetter(end)) return nextWhole(text, end);
  while (text.charCodeAt(end - 1) === JOINER && isEmoji(end)) end = nextWhole(text, end);
  return end;
}

function runEnd(text: string, start: number, belongs: (kind: Class) => boolean): number {
  let end = start;
  while (end < text.length && belongs(classOf(text.codePointAt(end)!))) end = nextWhole(text, end);
  return end;
}

function isLetter(kind: Class): boolean {
  return kind === Class.Letter || kind === Class.HebrewLetter;
}

function isWordPart(kind: Class): boolean {
  return isLetter(kind) || kind === Class.Digit || kind === Class.Katakana || kind === Class.Connector;
}

/** Whether a part of a word may stand directly behind another: Katakana keeps to itself, save behind a connector. */
function joins(left: Class, right: Class): boolean {
  if (left === Class.Other || left === Class.Connector || right === Class.Connector) return true;
  return (left === Class.Katakana) === (right === Class.Katakana);
}

/** Whether a mark between two characters keeps them in one word. */
function bridges(left: Class, mark: Class, right: Class): boolean {
  const both = mark === Class.MidBoth || mark === Class.SingleQuote;
  if (isLetter(left) && isLetter(right)) {
    return (
      both ||
      mark === Class.MidLetter ||
      (mark === Class.DoubleQuote && left === Class.HebrewLetter && right === Class.HebrewLetter)
    );
  }
  return left === Class.Digit && right === Class.Digit && (both || mark === Class.MidNumber);
}
