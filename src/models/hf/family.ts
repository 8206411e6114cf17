/** What a family of models is: the fields of config.json that it has, and what these make of a transformer. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import type { TransformerConfig } from '../transformerConfig.ts';
import { checkedFields } from './issues.ts';

/** Sizes of configurations come from files; no model has more layers than this. */
const maxLayers = 1000;

export const count = z
  .int()
  .min(1)
  .max(2 ** 31);
export const layerCount = z.int().min(1).max(maxLayers);
export const epsilon = z.number().positive();
const token = z.int();

/** A field that may only have this value. */
export const only = <T extends z.util.Literal>(value: T, otherwise: string) => z.literal(value, otherwise).optional();

/** The message for a name that is none of these. */
export const known = (names: readonly string[]) => `not known; known are ${names.join(', ')}`;

/** Fields of every family. */
export const common = {
  model_type: z.string(),
  architectures: z.array(z.string()).optional(),
  vocab_size: count,
  eos_token_id: z.union([token, z.array(token)]).optional(),
  tie_word_embeddings: z.boolean().optional(),
  is_encoder_decoder: only(false, 'encoders are not supported'),
  add_cross_attention: only(false, 'cross-attention is not supported'),
  quantization_config: z
    .never('quantised weights are not supported; use the checkpoint that was not quantised')
    .optional(),
  per_layer_config: z.never('layers that differ are not supported').optional(),
  use_mrope: only(false, 'positions of several axes are not supported'),
  rope_interleaved: only(false, 'pairs of neighbouring elements are not supported'),
  pruned_heads: z.strictObject({}, 'pruned heads are not supported').optional(),
};

/** What a configuration's fields come to. */
export interface ParsedFields {
  readonly transformer: TransformerConfig;
  /** Tokens that end a text, as far as any are named. */
  readonly endTokens: readonly number[];
}

export interface Family {
  /** Names under `architectures` for the model with its head, or without. */
  readonly architectures: readonly string[];
  /**
   * What transformers takes a field for that a file does not have at all. Null, which says that it is not set, is
   * another thing: a window that is null is none.
   */
  readonly absent: Readonly<Record<string, unknown>>;
  /**
   * @param named fields by name, without those that are null
   * @throws {ProxmoError} `config` for a field that is not known, missing or not valid, or fields that contradict each
   * other
   */
  readonly parse: (named: Readonly<Record<string, unknown>>, where: string) => ParsedFields;
}

export function familyOf<Fields extends { readonly eos_token_id?: number | number[] | undefined }>({
  schema,
  architectures,
  aliases = {},
  absent = {},
  transformer,
}: {
  readonly schema: z.ZodType<Fields>;
  readonly architectures: readonly string[];
  /** Names of fields by others that transformers takes for the same. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly absent?: Family['absent'];
  readonly transformer: (fields: Fields, where: string) => TransformerConfig;
}): Family {
  return {
    architectures,
    absent,
    parse: (named, where) => {
      const given = withoutAliases(named, aliases, where);
      const fields = checkedFields(schema, given, (problem) => new ProxmoError('config', `${where}: ${problem}.`));
      return { transformer: transformer(fields, where), endTokens: [fields.eos_token_id ?? []].flat() };
    },
  };
}

/** @throws {ProxmoError} `config` if a field has two values */
function withoutAliases(
  fields: Readonly<Record<string, unknown>>,
  aliases: Readonly<Record<string, string>>,
  where: string,
): Readonly<Record<string, unknown>> {
  const given = { ...fields };
  for (const [alias, name] of Object.entries(aliases)) {
    if (given[alias] === undefined) continue;
    if (given[name] !== undefined && given[name] !== given[alias]) {
      const [one, other] = [given[alias], given[name]].map((value) => JSON.stringify(value));
      throw new ProxmoError(
        'config',
        `${where} has ${alias} ${one} and ${name} ${other}, which are the same setting; leave one of them out.`,
      );
    }
    given[name] = given[alias];
    delete given[alias];
  }
  return given;
}

/** `whole / parts`, which must come out even. @throws {ProxmoError} `config` */
export function share(whole: number, parts: number, where: string, wholeName: string, partsName: string): number {
  if (whole % parts === 0) return whole / parts;
  throw new ProxmoError('config', `${where}: ${wholeName} (${whole}) must be a multiple of ${partsName} (${parts}).`);
}
