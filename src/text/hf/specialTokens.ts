/**
 * Which tokens are added and special, from three places that overlap: `added_tokens` of `tokenizer.json`,
 * `added_tokens_decoder` of `tokenizer_config.json`, and the tokens that `tokenizer_config.json` names by role. And
 * which ids end a reply and fill a row.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { AddedToken } from './addedTokens.ts';
import { endTokens } from './endTokens.ts';
import { idLimit, type TokenizerSettings } from './files.ts';

export interface AddedTokens {
  /** Added tokens by id. */
  readonly added: ReadonlyMap<number, AddedToken>;
  readonly endId: number;
  readonly padId: number;
  /** Ids that end a reply, ascending. */
  readonly stopIds: readonly number[];
}

interface Description {
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized?: boolean | undefined;
  readonly special: boolean;
}

/** @throws {ProxmoError} `file` if a token has two ids or an id two tokens, or there is no token that ends a turn. */
export function readAddedTokens(
  settings: TokenizerSettings,
  vocabulary: ReadonlyMap<string, number>,
  where: string,
): AddedTokens {
  const { tokenizer, config, roles, otherSpecials } = settings;
  const ids = new Map(vocabulary);
  const owners = new Map([...vocabulary].map(([token, id]) => [id, token]));
  const added = new Map<number, AddedToken>();
  const add = (id: number, description: Description) => {
    const { content } = description;
    if (id >= idLimit) {
      throw new ProxmoError(
        'file',
        `${where}: the added token "${content}" has the id ${id}, out of all range; fetch the files again.`,
      );
    }
    if ((ids.get(content) ?? id) !== id || (owners.get(id) ?? content) !== content) {
      const rival =
        ids.has(content) && ids.get(content) !== id
          ? `it has the id ${ids.get(content)} elsewhere`
          : `"${owners.get(id)}" has that id`;
      throw new ProxmoError(
        'file',
        `${where}: the added token "${content}" has the id ${id}, but ${rival}; fetch the files again.`,
      );
    }
    ids.set(content, id);
    owners.set(id, content);
    added.set(id, tokenOf(id, description));
  };
  for (const token of tokenizer.added_tokens) add(token.id, token);
  for (const [id, token] of Object.entries(config.added_tokens_decoder)) add(Number(id), token);
  for (const content of [...Object.values(roles), ...otherSpecials]) {
    const id = ids.get(content);
    if (id === undefined) {
      throw new ProxmoError(
        'file',
        `${where}: the special token "${content}" is not in the vocabulary; fetch the files again.`,
      );
    }
    const known = added.get(id);
    const plain = { content, single_word: false, lstrip: false, rstrip: false, special: true };
    added.set(id, known ? { ...known, isSpecial: true } : tokenOf(id, plain));
  }
  return { added, ...endings(settings, ids, owners, added, where) };
}

function endings(
  { roles, endIds, modelVocabSize }: TokenizerSettings,
  ids: ReadonlyMap<string, number>,
  owners: ReadonlyMap<number, string>,
  added: Map<number, AddedToken>,
  where: string,
): Omit<AddedTokens, 'added'> {
  // Configurations written from a family's defaults name ids that a smaller vocabulary does not have; the model never
  // gives those, nor ids that its embedding has no row for.
  const isRow = (id: number) => modelVocabSize === 0 || id < modelVocabSize;
  const known = endIds.filter((id) => owners.has(id) && isRow(id));
  const endId = roles.eos_token === undefined ? known[0] : ids.get(roles.eos_token);
  if (endId === undefined) {
    throw new ProxmoError('file', `${where}: no token ends a turn; name one as eos_token in tokenizer_config.json.`);
  }
  const named = roles.pad_token === undefined ? undefined : ids.get(roles.pad_token);
  // What fills a row is embedded, too.
  const padId = named !== undefined && isRow(named) ? named : endId;
  const addedIds = new Map([...added.values()].map(({ id, content }) => [content, id]));
  const ofTexts = endTokens(
    () => undefined,
    (text) => addedIds.get(text),
  ).filter(isRow);
  const stopIds = [...new Set([endId, ...known, ...ofTexts])].sort((a, b) => a - b);
  for (const id of [padId, ...stopIds]) {
    const content = owners.get(id)!;
    const token =
      added.get(id) ?? tokenOf(id, { content, single_word: false, lstrip: false, rstrip: false, special: true });
    added.set(id, { ...token, isSpecial: true });
  }
  return { endId, padId, stopIds };
}

function tokenOf(id: number, { content, single_word, lstrip, rstrip, normalized, special }: Description): AddedToken {
  return {
    id,
    content,
    isSpecial: special,
    isSingleWord: single_word,
    stripsBefore: lstrip,
    stripsAfter: rstrip,
    isNormalized: normalized ?? !special,
  };
}
