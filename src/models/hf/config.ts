/**
 * A Hugging Face model's config.json as a transformer. Every field is used, known to change nothing (`fields.ts`), or
 * refused by name: a field that were passed over in silence would give a model that computes something else.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { families, type HfFamily, hfFamilies } from './families.ts';
import type { ParsedFields } from './family.ts';
import { isIrrelevantField } from './fields.ts';

/** A model as its `config.json` describes it. */
export interface HfModel extends ParsedFields {
  readonly family: HfFamily;
  /** config.json as it was. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * @param config the value of config.json, or what another format says in its fields
 * @param where names it in messages
 * @throws {ProxmoError} `config` if the family is not known, or a field is not known, missing, not valid or not
 * supported
 */
export function parseHfConfig(config: unknown, where = 'config.json'): HfModel {
  const all = z.record(z.string(), z.unknown()).safeParse(config);
  if (!all.success) throw new ProxmoError('config', `${where} is not a JSON object; use a model's config.json.`);
  const { model_type: type, architectures } = all.data;
  const family = hfFamilies.find((name) => name === type);
  if (!family) {
    const given =
      type === undefined || type === null
        ? 'has no model_type'
        : `has the model_type ${JSON.stringify(type)}, a family that is not known`;
    throw new ProxmoError('config', `${where} ${given}; known are ${hfFamilies.join(', ')}.`);
  }
  const { architectures: supported, absent, parse } = families[family];
  if (Array.isArray(architectures) && !architectures.some((name) => supported.includes(name))) {
    throw new ProxmoError(
      'config',
      `${where}: architectures is ${JSON.stringify(architectures)}; supported are ${supported.join(', ')}.`,
    );
  }
  // Hugging Face's null means "not set".
  const fields = Object.fromEntries(
    Object.entries({ ...absent, ...all.data }).filter(
      ([name, value]) => value !== null && !isIrrelevantField(name, family),
    ),
  );
  return { family, ...parse(fields, where), config: all.data };
}
