/**
 * The tokenizer inside a GGUF file, as the files that Hugging Face would have for it. A GGUF has the tokens, their
 * kinds, and either merges or scores, but of how text is cut into words only a name; those of the supported families
 * are known here.
 */
import { ProxmoError } from '../../base/errors.ts';
import { endTokens } from '../../text/hf/endTokens.ts';
import type { HfTokenizerFiles } from '../../text/hf/files.ts';
import type { GgufMetadata } from './metadata.ts';

/** Kinds of tokens, as numbered in a file. */
export const tokenKinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

type Part = Readonly<Record<string, unknown>>;

const byteLevel = (usesRegex: boolean): Part => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: false,
  use_regex: usesRegex,
});
const sequence = (...pretokenizers: Part[]): Part => ({ type: 'Sequence', pretokenizers });
const splitBy = (regex: string): Part => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
});

/** Words of Llama 3 and of Qwen, which differ in how many digits stand together. */
const words = (digits: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** Words of GPT-4o and of Mistral's Tekken, which tell capitals from small letters. */
const casedWords = (digits: string, ending: string) => {
  const [capitals, small] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'];
  const before = '[^\\r\\n\\p{L}\\p{N}]?';
  return `${before}${capitals}*${small}+${ending}|${before}${capitals}+${small}*${ending}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
};

interface Cutting {
  readonly preTokenizer: Part;
  readonly normalizer: Part | null;
  /** A word that is a token is taken whole. */
  readonly ignoresMerges: boolean;
  readonly addsBos: boolean;
}

const qwenCutting: Cutting = {
  preTokenizer: sequence(splitBy(words('\\p{N}')), byteLevel(false)),
  normalizer: { type: 'NFC' },
  ignoresMerges: false,
  addsBos: false,
};
const llamaCutting: Cutting = {
  preTokenizer: sequence(splitBy(words('\\p{N}{1,3}')), byteLevel(false)),
  normalizer: null,
  ignoresMerges: true,
  addsBos: true,
};
const gpt4oCutting: Cutting = {
  preTokenizer: sequence(splitBy(casedWords('\\p{N}{1,3}', "(?i:'s|'t|'re|'ve|'m|'ll|'d)?")), byteLevel(false)),
  normalizer: null,
  ignoresMerges: false,
  addsBos: false,
};
const tekkenCutting: Cutting = {
  preTokenizer: sequence(splitBy(casedWords('\\p{N}', '')), byteLevel(false)),
  normalizer: null,
  ignoresMerges: true,
  addsBos: true,
};
const gpt2Cutting: Cutting = { preTokenizer: byteLevel(true), normalizer: null, ignoresMerges: false, addsBos: false };
const smolCutting: Cutting = {
  ...gpt2Cutting,
  preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
};

/** How text is cut, by the name under `tokenizer.ggml.pre`. */
const cuttings: Readonly<Record<string, Cutting>> = {
  'gpt-2': gpt2Cutting,
  smollm: smolCutting,
  'llama-bpe': llamaCutting,
  llama3: llamaCutting,
  'llama-v3': llamaCutting,
  qwen2: qwenCutting,
  'gpt-4o': gpt4oCutting,
  tekken: tekkenCutting,
  'deepseek-r1-qwen': qwenCutting,
};

/** The name of a way to cut text into words; null where it has none here. @param preTokenizer of `tokenizer.json` */
export function cuttingName(preTokenizer: unknown): string | null {
  const wanted = stepsOf(preTokenizer).join('\n');
  const found = Object.entries(cuttings).find(([, cutting]) => stepsOf(cutting.preTokenizer).join('\n') === wanted);
  return found?.[0] ?? null;
}

/** What a pre-tokenizer does, step by step; settings that change nothing are left out. */
function stepsOf(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  const { type, pretokenizers, pattern, behavior, invert, individual_digits, use_regex, add_prefix_space } =
    part as Part;
  switch (type) {
    case 'Sequence':
      return Array.isArray(pretokenizers) ? pretokenizers.flatMap(stepsOf) : ['?'];
    case 'Split':
      return [`split ${JSON.stringify(pattern)} ${behavior} ${invert ?? false}`];
    case 'Digits':
      return [`digits ${individual_digits ?? false}`];
    case 'ByteLevel':
      return [`bytes ${use_regex ?? true} ${add_prefix_space ?? true}`];
    default:
      return [`${type}`];
  }
}

/** @throws {ProxmoError} `file` if there is no tokenizer, or it is of a kind that is not supported. */
export function ggufTokenizerFiles(metadata: GgufMetadata, where: string): HfTokenizerFiles {
  const tokens = metadata.texts('tokenizer.ggml.tokens');
  const kinds = metadata.has('tokenizer.ggml.token_type') ? metadata.numbers('tokenizer.ggml.token_type') : [];
  if (kinds.length > 0 && kinds.length !== tokens.length) {
    throw new ProxmoError(
      'file',
      `${where} has ${tokens.length} tokens and kinds of ${kinds.length}; convert the model again.`,
    );
  }
  const vocabulary = vocabularyOf(tokens, kinds, where);
  const model = metadata.text('tokenizer.ggml.model');
  if (model !== 'gpt2' && model !== 'llama') throw unsupported(`tokenizer.ggml.model "${model}"`, 'gpt2, llama', where);
  const { parts, addsBos } =
    model === 'gpt2'
      ? byteLevelParts(metadata, vocabulary, where)
      : pieceParts(metadata, tokens, kinds, vocabulary, where);
  const added = tokens.flatMap((content, id) => {
    const special = kinds[id] === tokenKinds.control || kinds[id] === tokenKinds.unknown;
    return special || kinds[id] === tokenKinds.userDefined ? [addedToken(id, content, special)] : [];
  });
  const end = endTokens(
    (role) => namedIds(metadata, [role])[0],
    (text) => vocabulary.get(text),
  );
  return {
    tokenizer: { added_tokens: added, ...parts },
    tokenizerConfig: {
      ...namedTokens(metadata, tokens, where),
      add_bos_token: metadata.flag('tokenizer.ggml.add_bos_token', addsBos),
      add_eos_token: metadata.flag('tokenizer.ggml.add_eos_token', false),
      chat_template: metadata.has('tokenizer.chat_template') ? metadata.text('tokenizer.chat_template') : null,
    },
    generationConfig: { eos_token_id: end },
  };
}

/** The same as texts by the names of their files, for a folder that Hugging Face's libraries load. */
export function ggufTokenizerTexts(metadata: GgufMetadata, where: string): Readonly<Record<string, string>> {
  const { tokenizer, tokenizerConfig, generationConfig } = ggufTokenizerFiles(metadata, where);
  const parts = { version: '1.0', truncation: null, padding: null, ...(tokenizer as Part) };
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', ...(tokenizerConfig as Part) };
  const files = {
    'tokenizer.json': parts,
    'tokenizer_config.json': config,
    'generation_config.json': generationConfig,
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, value]) => [name, `${JSON.stringify(value, null, 1)}\n`]),
  );
}

function addedToken(id: number, content: string, special: boolean): Part & { readonly id: number } {
  return { id, content, special, normalized: false, single_word: false, lstrip: false, rstrip: false };
}

/** Ids by token, without those that only fill up the embedding table. */
function vocabularyOf(tokens: readonly string[], kinds: readonly number[], where: string): ReadonlyMap<string, number> {
  const vocabulary = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (kinds[id] === tokenKinds.unused) return;
    if (vocabulary.has(token)) {
      throw new ProxmoError('file', `${where} has the token ${JSON.stringify(token)} twice; convert the model again.`);
    }
    vocabulary.set(token, id);
  });
  return vocabulary;
}

interface Parts {
  /** Parts of `tokenizer.json`. */
  readonly parts: Readonly<Record<string, unknown>>;
  /** Whether a text begins with its token where the file does not say. */
  readonly addsBos: boolean;
}

function byteLevelParts(metadata: GgufMetadata, vocabulary: ReadonlyMap<string, number>, where: string): Parts {
  const pre = metadata.text('tokenizer.ggml.pre', 'missing');
  const cutting = Object.hasOwn(cuttings, pre) ? cuttings[pre] : undefined;
  if (!cutting) throw unsupported(`tokenizer.ggml.pre "${pre}"`, Object.keys(cuttings).join(', '), where);
  const model = {
    type: 'BPE',
    vocab: Object.fromEntries(vocabulary),
    merges: metadata.texts('tokenizer.ggml.merges'),
    ignore_merges: cutting.ignoresMerges,
  };
  const parts = {
    normalizer: cutting.normalizer,
    pre_tokenizer: cutting.preTokenizer,
    decoder: byteLevel(true),
    model,
  };
  return { parts, addsBos: cutting.addsBos };
}

/** SentencePiece's byte-pair encoding: of the neighbours that make a token, those with the best score join. */
function pieceParts(
  metadata: GgufMetadata,
  tokens: readonly string[],
  kinds: readonly number[],
  vocabulary: ReadonlyMap<string, number>,
  where: string,
): Parts {
  const scores = metadata.numbers('tokenizer.ggml.scores');
  if (scores.length !== tokens.length) {
    throw new ProxmoError(
      'file',
      `${where} has ${tokens.length} tokens and scores of ${scores.length}; convert the model again.`,
    );
  }
  const hasPrefix = metadata.flag('tokenizer.ggml.add_space_prefix', true);
  const replaceSpaces = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const normalizers = hasPrefix ? [{ type: 'Prepend', prepend: '▁' }, replaceSpaces] : [replaceSpaces];
  const decoders = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  const model = {
    type: 'BPE',
    vocab: Object.fromEntries(vocabulary),
    merges: mergesOfScores(tokens, kinds, scores, vocabulary),
    unk_token: tokens[kinds.indexOf(tokenKinds.unknown)] ?? null,
    fuse_unk: true,
    byte_fallback: true,
  };
  const strip = hasPrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [];
  const decoder = { type: 'Sequence', decoders: [...decoders, ...strip] };
  return { parts: { normalizer: { type: 'Sequence', normalizers }, decoder, model }, addsBos: true };
}

/**
 * Every way to make a token of two others, best score first; of one token, the ways with the longer parts in front
 * first.
 */
function mergesOfScores(
  tokens: readonly string[],
  kinds: readonly number[],
  scores: readonly number[],
  vocabulary: ReadonlyMap<string, number>,
): [string, string][] {
  const isPlain = (id: number | undefined) =>
    id !== undefined &&
    kinds[id] !== tokenKinds.control &&
    kinds[id] !== tokenKinds.unknown &&
    kinds[id] !== tokenKinds.userDefined;
  const merges: { readonly pair: [string, string]; readonly score: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (vocabulary.get(token) !== id || !isPlain(id)) continue;
    const characters = Array.from(token);
    for (let cut = characters.length - 1; cut > 0; cut--) {
      const pair: [string, string] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
      if (isPlain(vocabulary.get(pair[0])) && isPlain(vocabulary.get(pair[1])))
        merges.push({ pair, score: scores[id]! });
    }
  }
  return merges.sort((a, b) => b.score - a.score || b.pair[0].length - a.pair[0].length).map(({ pair }) => pair);
}

/** Special tokens by role, as texts. */
function namedTokens(metadata: GgufMetadata, tokens: readonly string[], where: string): Record<string, string> {
  const roles = { bos: 'bos_token', eos: 'eos_token', padding: 'pad_token', unknown: 'unk_token' };
  return Object.fromEntries(
    Object.entries(roles).flatMap(([role, name]) => {
      const [id] = namedIds(metadata, [role]);
      if (id === undefined) return [];
      const token = tokens[id];
      if (token === undefined) {
        throw new ProxmoError(
          'file',
          `${where} has the ${role} token ${id} beyond its ${tokens.length} tokens; convert the model again.`,
        );
      }
      return [[name, token]];
    }),
  );
}

function namedIds(metadata: GgufMetadata, roles: readonly string[]): number[] {
  return roles
    .map((role) => `tokenizer.ggml.${role}_token_id`)
    .flatMap((key) => (metadata.has(key) ? [metadata.number(key)] : []));
}

function unsupported(what: string, known: string, where: string): ProxmoError {
  return new ProxmoError(
    'file',
    `${where} has the ${what}, which is not supported; known are ${known}. Give the model's own tokenizer.json instead.`,
  );
}
