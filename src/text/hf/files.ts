/**
 * The files that describe a Hugging Face tokenizer, read and checked: `tokenizer.json` (vocabulary and the parts that
 * text passes through), `tokenizer_config.json` (which tokens are special, the chat template), and the ids that end a
 * reply, from `generation_config.json` or `config.json`. They come from anywhere, so everything that is used is checked
 * here, before anything is built from it.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';

/** The files, parsed from JSON; only `tokenizer` has to be there. */
export interface HfTokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: unknown;
  /** `tokenizer_config.json` */
  readonly tokenizerConfig?: unknown;
  /** `special_tokens_map.json`: names special tokens that `tokenizer_config.json` does not. */
  readonly specialTokensMap?: unknown;
  /** `chat_template.jinja`, as text; goes before the template in `tokenizer_config.json`. */
  readonly chatTemplate?: string;
  /** `generation_config.json` */
  readonly generationConfig?: unknown;
  /** `config.json` */
  readonly modelConfig?: unknown;
}

/** A part of a tokenizer: its type and whatever settings that type has. */
export const partSchema = z.looseObject({ type: z.string() });
export type Part = z.infer<typeof partSchema>;

/** Ids stay below this: the largest vocabularies have some 300,000, and tables grow with the largest id. */
export const idLimit = 1 << 24;

/** Parts hold parts; real ones are a few levels deep. */
const maxPartDepth = 32;

const optionalPart = partSchema
  .nullish()
  .refine((part) => isShallow(part, maxPartDepth), 'nested too deeply')
  .transform((part) => part ?? null);
const flag = z.boolean().default(false);
const id = z.int().min(0);

const addedTokenSchema = z.looseObject({
  content: z.string().min(1),
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
  normalized: z.boolean().optional(),
  special: flag,
});

const tokenizerSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema.extend({ id: id.max(idLimit - 1) })).default([]),
  normalizer: optionalPart,
  pre_tokenizer: optionalPart,
  post_processor: optionalPart,
  decoder: optionalPart,
  model: z.looseObject({ type: z.string().optional(), vocab: z.unknown(), merges: z.unknown() }),
});

/** A special token is named by its text, or described like an added token. */
const namedToken = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish()
  .transform((token) => token || undefined);

/** Special tokens with a role of their own, as templates know them. */
export const tokenRoles = [
  'bos_token',
  'eos_token',
  'pad_token',
  'unk_token',
  'sep_token',
  'cls_token',
  'mask_token',
] as const;
export type TokenRole = (typeof tokenRoles)[number];

const namedTokens = {
  bos_token: namedToken,
  eos_token: namedToken,
  pad_token: namedToken,
  unk_token: namedToken,
  sep_token: namedToken,
  cls_token: namedToken,
  mask_token: namedToken,
  // Newer files map names to tokens here, or hold the list under another name.
  additional_special_tokens: z.array(namedToken).nullish(),
  extra_special_tokens: z.union([z.array(namedToken), z.record(z.string(), namedToken)]).nullish(),
};

const specialTokensSchema = z.looseObject(namedTokens);

const namedTemplate = z.looseObject({ name: z.string(), template: z.string() });

const configSchema = z.looseObject({
  ...namedTokens,
  added_tokens_decoder: z.record(z.string().regex(/^\d{1,8}$/), addedTokenSchema).default({}),
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish(),
  chat_template: z.union([z.string(), z.array(namedTemplate)]).nullish(),
});

const endingSchema = z.looseObject({
  eos_token_id: z.union([z.int().transform((one) => [one]), z.array(z.int())]).nullish(),
  vocab_size: id.nullish(),
});

export interface TokenizerSettings {
  readonly tokenizer: z.infer<typeof tokenizerSchema>;
  readonly config: z.infer<typeof configSchema>;
  /** Text of the special tokens by role. */
  readonly roles: Partial<Readonly<Record<TokenRole, string>>>;
  /** Further special tokens, without a role. */
  readonly otherSpecials: readonly string[];
  readonly chatTemplate: string | undefined;
  /** Ids after which the model's makers stop; some may be no ids of the tokenizer. */
  readonly endIds: readonly number[];
  /** Rows of the model's embedding, where `config.json` says so; may be more than the tokenizer has tokens for. */
  readonly modelVocabSize: number;
}

/**
 * Checks the files.
 * @param where name of the tokenizer's folder or file, for messages
 * @throws {ProxmoError} `file` if one of them does not have the form it should.
 */
export function readSettings(files: HfTokenizerFiles, where: string): TokenizerSettings {
  const tokenizer = check(tokenizerSchema, files.tokenizer, `${where}: tokenizer.json`);
  const config = check(configSchema, files.tokenizerConfig ?? {}, `${where}: tokenizer_config.json`);
  const map = check(specialTokensSchema, files.specialTokensMap ?? {}, `${where}: special_tokens_map.json`);
  const generation = check(endingSchema, files.generationConfig ?? {}, `${where}: generation_config.json`);
  const model = check(endingSchema, files.modelConfig ?? {}, `${where}: config.json`);
  const roles: Partial<Record<TokenRole, string>> = {};
  for (const role of tokenRoles) {
    const text = config[role] ?? map[role];
    if (text !== undefined) roles[role] = text;
  }
  const others = [config.additional_special_tokens, config.extra_special_tokens, map.additional_special_tokens].flatMap(
    (tokens) => Object.values(tokens ?? {}).filter((token) => token !== undefined),
  );
  return {
    tokenizer,
    config,
    roles,
    otherSpecials: [...new Set(others)],
    chatTemplate: files.chatTemplate ?? templateOf(config.chat_template),
    // Without a generation config, the reference takes the ids from the model's.
    endIds: (files.generationConfig === undefined ? model : generation).eos_token_id ?? [],
    modelVocabSize: model.vocab_size ?? 0,
  };
}

/** A list of templates holds one for each use; `default` is the one for conversations. */
function templateOf(template: string | z.infer<typeof namedTemplate>[] | null | undefined): string | undefined {
  if (!Array.isArray(template)) return template ?? undefined;
  return template.find(({ name }) => name === 'default')?.template;
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  return checked(
    schema,
    value,
    (problem) => new ProxmoError('file', `${where} is not what it should be: ${problem}; fetch it again.`),
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1));
}
