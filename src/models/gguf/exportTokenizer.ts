/**
 * A Hugging Face tokenizer as the metadata of a GGUF file: what `tokenizer.ts` reads, the other way round. Of a
 * SentencePiece tokenizer, Hugging Face's files have the order of its merges and no scores: each token gets the rank of
 * the first merge that makes it, which orders llama.cpp's merges in the same way.
 */
import { ProxmoError } from '../../base/errors.ts';
import { type HfTokenizerFiles, isRecord, readSettings, type TokenizerSettings } from '../../text/hf/files.ts';
import { HfTokenizer } from '../../text/hf/hfTokenizer.ts';
import type { GgufEntries, GgufEntry } from './encode.ts';
import type { GgufMetadata } from './metadata.ts';
import { cuttingName, tokenKinds } from './tokenizer.ts';

/** Score of a token that no merge makes. */
const unmerged = -1e6;

/**
 * @param vocabSize rows of the model's embedding
 * @param where names the tokenizer in messages
 * @throws {ProxmoError} `file` if the tokenizer is damaged, `config` if llama.cpp has no name for how it cuts text
 */
export function tokenizerEntries(files: HfTokenizerFiles, vocabSize: number, where: string): GgufEntries {
  const settings = readSettings(files, where);
  const { vocab, merges } = bpeOf(settings, where);
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`);
  const kinds = new Array<number>(vocabSize).fill(tokenKinds.unused);
  const put = (token: string, id: number, kind: number) => {
    if (id >= vocabSize) return;
    tokens[id] = token;
    kinds[id] = kind;
  };
  for (const [token, id] of vocab) put(token, id, byteToken.test(token) ? tokenKinds.byte : tokenKinds.normal);
  for (const { id, content, special } of settings.tokenizer.added_tokens)
    put(content, id, special ? tokenKinds.control : tokenKinds.userDefined);
  const entries = new Map<string, GgufEntry>();
  const set = (name: string, entry: GgufEntry) => entries.set(`tokenizer.ggml.${name}`, entry);
  const isByteLevel = JSON.stringify(settings.tokenizer.pre_tokenizer ?? null).includes('"ByteLevel"');
  set('model', { kind: 'text', value: isByteLevel ? 'gpt2' : 'llama' });
  set('pre', { kind: 'text', value: isByteLevel ? preOf(settings, where) : 'default' });
  set('tokens', { kind: 'texts', value: tokens });
  set('token_type', { kind: 'int32s', value: kinds });
  if (isByteLevel) {
    set('merges', { kind: 'texts', value: merges.map((pair) => pair.join(' ')) });
  } else {
    set('scores', { kind: 'float32s', value: scoresOf(tokens, merges) });
    const normalizer = JSON.stringify([settings.tokenizer.normalizer, settings.tokenizer.pre_tokenizer]);
    const hasPrefix = /"type":"Prepend"|"prepend_scheme":"(always|first)"/.test(normalizer);
    set('add_space_prefix', { kind: 'bool', value: hasPrefix });
  }
  addRoles(set, new HfTokenizer(files, where), settings, new Map(tokens.map((token, id) => [token, id])));
  if (settings.chatTemplate !== undefined)
    entries.set('tokenizer.chat_template', { kind: 'text', value: settings.chatTemplate });
  return entries;
}

/** The tokenizer of another GGUF file, as it is there. */
export function copiedTokenizerEntries(metadata: GgufMetadata): GgufEntries {
  const keys = metadata.keys().filter((key) => key.startsWith('tokenizer.'));
  return new Map(
    keys.flatMap((key) => {
      const entry = entryOf(key, metadata.value(key));
      return entry ? [[key, entry] as const] : [];
    }),
  );
}

function entryOf(key: string, value: unknown): GgufEntry | null {
  if (typeof value === 'string') return { kind: 'text', value };
  if (typeof value === 'boolean') return { kind: 'bool', value };
  if (typeof value === 'number') return { kind: 'uint32', value };
  if (!Array.isArray(value)) return null;
  if (value.every((each) => typeof each === 'string')) return { kind: 'texts', value };
  return { kind: key.endsWith('.scores') ? 'float32s' : 'int32s', value: value.map(Number) };
}

const byteToken = /^<0x[0-9A-F]{2}>$/;

function bpeOf({ tokenizer }: TokenizerSettings, where: string) {
  const { vocab, merges } = tokenizer.model;
  if (!isRecord(vocab) || !Array.isArray(merges)) {
    throw new ProxmoError(
      'config',
      `${where}: the tokenizer is not of byte pairs, which alone have a GGUF form here; export a Hugging Face folder.`,
    );
  }
  const pairs = merges.map((merge): [string, string] => {
    const [a = '', b = ''] = Array.isArray(merge) ? merge.map(String) : String(merge).split(' ');
    return [a, b];
  });
  return { vocab: Object.entries(vocab).map(([token, id]) => [token, Number(id)] as const), merges: pairs };
}

function preOf({ tokenizer }: TokenizerSettings, where: string): string {
  const name = cuttingName(tokenizer.pre_tokenizer);
  if (name !== null) return name;
  throw new ProxmoError(
    'config',
    `${where}: the tokenizer cuts text in a way that has no name in GGUF here; export a Hugging Face folder.`,
  );
}

function scoresOf(tokens: readonly string[], merges: readonly (readonly [string, string])[]): number[] {
  const ranks = new Map<string, number>();
  for (const [rank, [a, b]] of merges.entries()) if (!ranks.has(a + b)) ranks.set(a + b, rank);
  return tokens.map((token) => {
    const rank = ranks.get(token);
    return rank === undefined ? unmerged : -rank;
  });
}

function addRoles(
  set: (name: string, entry: GgufEntry) => void,
  tokenizer: HfTokenizer,
  { roles, endIds }: TokenizerSettings,
  ids: ReadonlyMap<string, number>,
): void {
  const idOf = (token: string | undefined) => (token === undefined ? undefined : ids.get(token));
  const [bos, eos] = [idOf(roles.bos_token), idOf(roles.eos_token)];
  const named = {
    bos,
    eos,
    padding: idOf(roles.pad_token),
    unknown: idOf(roles.unk_token),
    eot: endIds.find((id) => id !== eos),
  };
  for (const [role, value] of Object.entries(named))
    if (value !== undefined) set(`${role}_token_id`, { kind: 'uint32', value });
  const around = tokenizer.encode('', { addSpecials: true });
  set('add_bos_token', { kind: 'bool', value: bos !== undefined && around[0] === bos });
  set('add_eos_token', { kind: 'bool', value: eos !== undefined && around.length > 1 && around.at(-1) === eos });
}
