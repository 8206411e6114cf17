/**
 * The parts of `tokenizer.json` that text passes through before it becomes ids, made ready for
 * `@huggingface/tokenizers`. That library passes over settings it does not know and reads some parts a little
 * differently from the reference implementation (white space and word characters beyond ASCII, `Metaspace` that splits,
 * how `Split` treats what it finds, `$` in replacements). So only parts are let through that give the same ids as the
 * reference: as they are, or written as an equal part that the library reads exactly. Any other part is an error that
 * names it.
 */
import { ProxmoError } from '../../base/errors.ts';
import { escapeRegExp } from './addedTokens.ts';
import { isRecord, type Part } from './files.ts';

/**
 * How GPT-2 cuts text into words: a contraction, a run of letters, digits or other marks with a space before it, or
 * white space.
 */
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const punctuation = '[!-\\/:-@\\[-`{-~\\p{P}]';
const wordCharacters = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';

type Rewrite = (part: Part, where: string) => Part;

const keep: Rewrite = (part) => part;

/** What each type of normaliser becomes. */
const normalizers: Readonly<Record<string, Rewrite>> = {
  NFC: keep,
  NFD: keep,
  NFKC: keep,
  NFKD: keep,
  Prepend: keep,
  Replace: (part, where) => replace(patternSource(part, where), textField(part, 'content', where)),
  Sequence: (part, where) => ({
    type: 'Sequence',
    normalizers: partList(part, 'normalizers', where).map((one) => readNormalizer(one, where)),
  }),
};

/** What each type of pre-tokenizer becomes. */
const preTokenizers: Readonly<Record<string, Rewrite>> = {
  ByteLevel: ({ add_prefix_space, use_regex }) => {
    // The prefix comes before the words are cut; a metaspace whose mark is a space does just that.
    const prefix = add_prefix_space ? [{ type: 'Metaspace', replacement: ' ', prepend_scheme: 'always' }] : [];
    const words = use_regex === false ? [] : [isolate(gpt2Words)];
    return sequence(...prefix, ...words, { type: 'ByteLevel', add_prefix_space: false, use_regex: false });
  },
  Split: (part, where) => split(patternSource(part, where), String(part.behavior), part.invert === true, where),
  Digits: ({ individual_digits }) => isolate(individual_digits ? '\\p{N}' : '\\p{N}+'),
  Punctuation: ({ behavior }, where) => split(punctuation, String(behavior ?? 'Isolated'), false, where),
  Whitespace: (_, where) => split(`[${wordCharacters}]+|[^${wordCharacters}\\s]+`, 'Removed', true, where),
  WhitespaceSplit: (_, where) => split('\\s+', 'Removed', false, where),
  CharDelimiterSplit: (part, where) =>
    split(escapeRegExp(textField(part, 'delimiter', where)), 'Removed', false, where),
  Metaspace: (part, where) => {
    const replacement = part.replacement ?? '▁';
    const scheme = part.prepend_scheme ?? (part.add_prefix_space === false ? 'never' : 'always');
    if (typeof replacement !== 'string' || !['always', 'first', 'never'].includes(String(scheme))) {
      throw unsupported(`a Metaspace with prepend_scheme ${JSON.stringify(scheme)}`, where, 'always, first, never');
    }
    const marks = { type: 'Metaspace', replacement, prepend_scheme: scheme };
    return part.split === false
      ? marks
      : sequence(marks, split(escapeRegExp(replacement), 'MergedWithNext', false, where));
  },
  Sequence: (part, where) =>
    sequence(...partList(part, 'pretokenizers', where).map((one) => readPreTokenizer(one, where))),
};

/**
 * A normaliser for the library.
 * @param where name of the tokenizer's folder or file, for messages
 * @throws {ProxmoError} `file` if a part is of a type or has a setting that is not supported.
 */
export function readNormalizer(part: Part | null, where: string): Part | null {
  return part && rewrite(normalizers, 'normalizer', part, where);
}

/** A pre-tokenizer for the library. @throws {ProxmoError} as `readNormalizer`. */
export function readPreTokenizer(part: Part | null, where: string): Part | null {
  return part && rewrite(preTokenizers, 'pre-tokenizer', part, where);
}

/** Ids that the reference puts around a text where it is asked for special tokens. */
export interface Template {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const nothing: Template = { before: [], after: [] };

/** What a post-processor puts around a single text. @throws {ProxmoError} as `readNormalizer`. */
export function readPostProcessor(part: Part | null, where: string): Template {
  if (part === null || part.type === 'ByteLevel') return nothing;
  if (part.type === 'Sequence') {
    return partList(part, 'processors', where)
      .map((one) => readPostProcessor(one, where))
      .reduce(
        (inner, outer) => ({ before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] }),
        nothing,
      );
  }
  if (part.type === 'BertProcessing' || part.type === 'RobertaProcessing') {
    return { before: [idOfPair(part.cls, where)], after: [idOfPair(part.sep, where)] };
  }
  if (part.type === 'TemplateProcessing') return readTemplate(part, where);
  throw unsupported(
    `a post-processor ${part.type}`,
    where,
    'TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence',
  );
}

function readTemplate(part: Part, where: string): Template {
  const before: number[] = [];
  const after: number[] = [];
  let ids = before;
  for (const item of list(part.single)) {
    if (isRecord(item) && isRecord(item.Sequence) && ids === before) ids = after;
    else if (isRecord(item) && isRecord(item.SpecialToken))
      ids.push(...idsOfSpecial(part, String(item.SpecialToken.id), where));
    else throw unsupported('a TemplateProcessing that is not special tokens around one text', where, 'those');
  }
  return { before, after };
}

function idsOfSpecial(part: Part, name: string, where: string): number[] {
  const special =
    isRecord(part.special_tokens) && Object.hasOwn(part.special_tokens, name) ? part.special_tokens[name] : undefined;
  const ids = isRecord(special) ? list(special.ids) : [];
  if (ids.length === 0 || !ids.every((id) => Number.isSafeInteger(id) && Number(id) >= 0)) {
    throw new ProxmoError(
      'file',
      `${where}: the TemplateProcessing gives no ids for its special token ${JSON.stringify(name)}; fetch it again.`,
    );
  }
  return ids as number[];
}

function idOfPair(pair: unknown, where: string): number {
  const id = list(pair)[1];
  if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return id;
  throw new ProxmoError('file', `${where}: the post-processor names no id for its special tokens; fetch it again.`);
}

function rewrite(table: Readonly<Record<string, Rewrite>>, kind: string, part: Part, where: string): Part {
  const known = Object.hasOwn(table, part.type) ? table[part.type] : undefined;
  if (!known) throw unsupported(`a ${kind} ${part.type}`, where, Object.keys(table).join(', '));
  return known(part, where);
}

/** A splitter that keeps what a pattern finds and what lies between, each as a piece. */
function isolate(regex: string): Part {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

/** A splitter of any behaviour, by a pattern of its own that cuts in the same places. */
function split(regex: string, behavior: string, isInverted: boolean, where: string): Part {
  const found = `(?:${regex})`;
  const between = `(?:(?!${found})[\\s\\S])`;
  if (behavior === 'Removed') return { ...isolate(regex), behavior, invert: isInverted };
  if (behavior === 'Isolated') return isolate(regex);
  if (!isInverted) {
    if (behavior === 'Contiguous') return isolate(`${found}+`);
    if (behavior === 'MergedWithPrevious') return isolate(`${between}*${found}`);
    if (behavior === 'MergedWithNext') return isolate(`${found}${between}*`);
  }
  const known = 'Removed, Isolated and, not inverted, Contiguous, MergedWithPrevious, MergedWithNext';
  throw unsupported(`${isInverted ? 'an inverted' : 'a'} Split with behavior ${behavior}`, where, known);
}

function replace(regex: string, content: string): Part {
  // The library hands the text to `String.replaceAll`, which reads `$` as the beginning of a reference.
  return { type: 'Replace', pattern: { Regex: regex }, content: content.replaceAll('$', '$$$$') };
}

function sequence(...parts: readonly (Part | null)[]): Part {
  return { type: 'Sequence', pretokenizers: parts };
}

/** Source of a pattern, which is a regular expression or a text to be taken literally. */
function patternSource({ type, pattern }: Part, where: string): string {
  if (isRecord(pattern) && typeof pattern.Regex === 'string') return pattern.Regex;
  if (isRecord(pattern) && typeof pattern.String === 'string' && pattern.String !== '')
    return escapeRegExp(pattern.String);
  throw unsupported(`a ${type} without a pattern`, where, 'a Regex or a String');
}

function textField(part: Part, key: string, where: string): string {
  const value = part[key];
  if (typeof value === 'string') return value;
  throw new ProxmoError('file', `${where}: \`${key}\` of a ${part.type} is not a text; fetch the tokenizer again.`);
}

function partList(part: Part, key: string, where: string): Part[] {
  const parts = part[key];
  if (Array.isArray(parts) && parts.every((one) => isRecord(one) && typeof one.type === 'string'))
    return parts as Part[];
  throw new ProxmoError(
    'file',
    `${where}: \`${key}\` of a ${part.type} is not a list of parts; fetch the tokenizer again.`,
  );
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function unsupported(what: string, where: string, known: string): ProxmoError {
  return new ProxmoError(
    'file',
    `${where}: the tokenizer has ${what}, which is not supported; use a model whose tokenizer has these: ${known}.`,
  );
}
