/**
 * The model part of `tokenizer.json`: byte-pair encoding, the model of every family that is supported. A vocabulary
 * gives each token its id, and a list of merges says which two neighbouring tokens become one, in order of rank.
 *
 * The library normalises text and cuts it into words; the merges are made here, as its own take seconds for a long
 * prompt. Text must never become a special token, however its letters merge; so merges to those do not count.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import * as z from 'zod';
import { errorMessage, ProxmoError } from '../../base/errors.ts';
import { idLimit, type Part, type TokenizerSettings } from './files.ts';
import { type Merge, Merger } from './merges.ts';
import { unsupported } from './pipeline.ts';
import { WordEncoder } from './wordEncoder.ts';

const bpeSchema = z.looseObject({
  dropout: z.number().nullish(),
  unk_token: z.string().nullish(),
  continuing_subword_prefix: z.string().nullish(),
  end_of_word_suffix: z.string().nullish(),
  fuse_unk: z.boolean().nullish(),
  byte_fallback: z.boolean().nullish(),
  ignore_merges: z.boolean().nullish(),
});

/** Turns a stretch of text without added tokens into ids. */
export interface TextModel {
  /** Text after the normaliser, in which normalised added tokens are sought. */
  normalize(text: string): string;
  /** @param isStart whether the text begins with this stretch */
  encode(normalized: string, isStart: boolean): number[];
}

/**
 * Ids of the model's own tokens, checked.
 * @throws {ProxmoError} `file` if the model is not a byte-pair encoding, or an id is out of range or taken twice.
 */
export function readVocabulary({ model }: TokenizerSettings['tokenizer'], where: string): Map<string, number> {
  const type = model.type ?? (model.merges === undefined ? 'without a type' : 'BPE');
  if (type !== 'BPE') throw unsupported(`a model ${type}`, where, 'BPE');
  if (typeof model.vocab !== 'object' || model.vocab === null || Array.isArray(model.vocab))
    throw broken('has no vocabulary', where);
  const vocabulary = new Map<string, number>();
  const taken = new Set<number>();
  for (const [token, id] of Object.entries(model.vocab as Record<string, unknown>)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= idLimit) {
      throw broken(`gives ${show(token)} the id ${show(id)}`, where);
    }
    if (taken.has(id)) throw broken(`gives the id ${id} to ${show(token)} and to another token`, where);
    taken.add(id);
    vocabulary.set(token, id);
  }
  if (vocabulary.size === 0) throw broken('has an empty vocabulary', where);
  return vocabulary;
}

/**
 * The model with the parts before it.
 * @param specials texts that no text may become
 * @throws {ProxmoError} `file` if a merge or a setting is not what it should be.
 */
export function createModel(
  { model }: TokenizerSettings['tokenizer'],
  parts: { readonly normalizer: Part | null; readonly preTokenizer: Part | null },
  vocabulary: ReadonlyMap<string, number>,
  specials: ReadonlySet<string>,
  where: string,
): TextModel {
  const settings = bpeSchema.safeParse(model);
  if (!settings.success)
    throw broken(`has a setting \`${settings.error.issues[0]!.path.join('.')}\` of the wrong kind`, where);
  const { dropout, unk_token, continuing_subword_prefix, end_of_word_suffix, fuse_unk, byte_fallback, ignore_merges } =
    settings.data;
  const odd = { dropout, continuing_subword_prefix, end_of_word_suffix };
  for (const [key, value] of Object.entries(odd))
    if (value) throw unsupported(`a BPE model with ${key} ${show(value)}`, where, 'models without it');
  if (unk_token && !vocabulary.has(unk_token))
    throw broken(`has no unk_token ${show(unk_token)} in its vocabulary`, where);
  const { normalizer, pre_tokenizer: preTokenizer } = build(parts, where);
  const words = new WordEncoder({
    ids: vocabulary,
    specialIds: new Set(
      [...specials].filter((token) => token !== unk_token).map((token) => vocabulary.get(token) ?? -1),
    ),
    merger: new Merger(readMerges(model.merges, vocabulary, specials, where)),
    unknownId: unk_token ? vocabulary.get(unk_token) : undefined,
    fusesUnknown: fuse_unk ?? false,
    hasByteFallback: byte_fallback ?? false,
    takesWholeWords: ignore_merges ?? false,
  });
  return {
    normalize: (text) => normalizer?.normalize(text) ?? text,
    encode(normalized, isStart) {
      const pieces = preTokenizer?.pre_tokenize(normalized, { section_index: isStart ? 0 : 1 }) ?? [normalized];
      const result: number[] = [];
      for (const piece of pieces) for (const id of words.encode(piece)) result.push(id);
      return result;
    },
  };
}

/** The library's tokenizer, of which the parts before the model are used. */
function build(
  { normalizer, preTokenizer }: { readonly normalizer: Part | null; readonly preTokenizer: Part | null },
  where: string,
): Tokenizer {
  const model = { type: 'BPE', vocab: {}, merges: [] };
  const nothing = { post_processor: null, decoder: null, added_tokens: [] };
  try {
    return new Tokenizer({ normalizer, pre_tokenizer: preTokenizer, model, ...nothing }, {});
  } catch (cause) {
    const reason = errorMessage(cause);
    throw new ProxmoError(
      'file',
      `${where}: the tokenizer cannot be built (${reason}); use another model, or report its tokenizer.json.`,
      {
        cause,
      },
    );
  }
}

/** Merges in order of rank, without those to special tokens; older files write them with a space between. */
function readMerges(
  merges: unknown,
  vocabulary: ReadonlyMap<string, number>,
  specials: ReadonlySet<string>,
  where: string,
): Merge[] {
  if (!Array.isArray(merges)) throw broken('has no list of merges', where);
  const result: Merge[] = [];
  for (const [rank, merge] of (merges as unknown[]).entries()) {
    const pair: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      throw broken(`has a merge ${rank} that is not two tokens`, where);
    }
    const ids = [left, right, left + right].map((token) => vocabulary.get(token));
    if (ids.includes(undefined)) {
      throw broken(`has a merge ${rank} of ${show(left)} and ${show(right)} that its vocabulary does not hold`, where);
    }
    const [leftId, rightId, merged] = ids as [number, number, number];
    if (!specials.has(left + right)) result.push({ left: leftId, right: rightId, merged });
  }
  return result;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'none';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function broken(what: string, where: string): ProxmoError {
  return new ProxmoError(
    'file',
    `${where}: the tokenizer's model ${what}; it is damaged or made for something else, so fetch it again.`,
  );
}
