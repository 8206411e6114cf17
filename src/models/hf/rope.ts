/**
 * Rotary positions in a Hugging Face configuration: `rope_theta` with `rope_scaling` as older versions of transformers
 * write them, or `rope_parameters` with both. Types and defaults are those of its `modeling_rope_utils`.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import type { RopeScaling, TransformerConfig } from '../transformerConfig.ts';
import { checkedFields } from './issues.ts';

const positive = z.number().positive();
const count = z.int().min(1);
const group = z.record(z.string(), z.unknown());

const wholeHeads = 'heads that are turned in part are not supported';

/** Fields of config.json that say how positions are turned. */
export const ropeFields = {
  max_position_embeddings: count,
  rope_theta: positive.optional(),
  rope_scaling: group.optional(),
  rope_parameters: group.optional(),
  partial_rotary_factor: z.literal(1, wholeHeads).optional(),
  /** What `rope_scaling` was made for, where it does not say so itself. */
  original_max_position_embeddings: count.optional(),
};

const fieldsSchema = z.object({ ...ropeFields, partial_rotary_factor: z.number().optional() });
type RopeFields = z.output<typeof fieldsSchema>;

const shared = {
  rope_type: z.string(),
  rope_theta: positive.optional(),
  partial_rotary_factor: z.number().gt(0).max(1).optional(),
  original_max_position_embeddings: count.optional(),
};

/** The parameters of each type. */
const schemas = {
  default: z.strictObject(shared),
  linear: z.strictObject({ ...shared, factor: positive }),
  dynamic: z.strictObject({ ...shared, factor: positive }),
  llama3: z.strictObject({ ...shared, factor: positive, low_freq_factor: positive, high_freq_factor: positive }),
  yarn: z.strictObject({
    ...shared,
    factor: positive.optional(),
    attention_factor: positive.optional(),
    beta_fast: positive.default(32),
    beta_slow: positive.default(1),
    mscale: z.number().min(0).optional(),
    mscale_all_dim: z.number().min(0).optional(),
    truncate: z.boolean().default(true),
  }),
  longrope: z.strictObject({
    ...shared,
    short_factor: z.array(positive),
    long_factor: z.array(positive),
    factor: positive.optional(),
    attention_factor: positive.optional(),
  }),
};

/** What the fields come to. */
export type ParsedRope = Pick<TransformerConfig, 'ropeTheta' | 'ropeScaling' | 'rotaryDim'>;

/** What a family has of its own. */
export interface RopeFamily {
  readonly headDim: number;
  /** The base where none is named. Default: 10,000. */
  readonly defaultTheta?: number;
  /** Heads may be turned in part. Default: false. */
  readonly isPartial?: boolean;
}

/** @throws {ProxmoError} `config` for a type or a parameter that is not known, or two that contradict each other */
export function parseRope(
  fields: RopeFields,
  where: string,
  { headDim, defaultTheta = 10_000, isPartial = false }: RopeFamily,
): ParsedRope {
  const name = fields.rope_parameters ? 'rope_parameters' : 'rope_scaling';
  if (fields.rope_parameters && fields.rope_scaling) {
    throw new ProxmoError('config', `${where} has both rope_parameters and rope_scaling; leave one of them out.`);
  }
  const given = withType(fields[name] ?? {}, `${where}: ${name}`);
  const ropeTheta = given.rope_theta ?? fields.rope_theta ?? defaultTheta;
  if (typeof ropeTheta !== 'number' || (fields.rope_theta !== undefined && ropeTheta !== fields.rope_theta)) {
    throw new ProxmoError(
      'config',
      `${where} has rope_theta ${fields.rope_theta} and ${name}.rope_theta ${String(ropeTheta)}; they must be equal.`,
    );
  }
  const scaling = scalingOf(given, fields, `${where}: ${name}`);
  const part = Number(given.partial_rotary_factor ?? fields.partial_rotary_factor ?? 1);
  if (part !== 1 && !isPartial)
    throw new ProxmoError('config', `${where}: ${name}.partial_rotary_factor is ${part}: ${wholeHeads}.`);
  const rotaryDim = Math.floor(headDim * part);
  checkFactors(scaling, rotaryDim, `${where}: ${name}`);
  return { ropeTheta, ...(scaling ? { ropeScaling: scaling } : {}), ...(part === 1 ? {} : { rotaryDim }) };
}

/** @throws {ProxmoError} `config` if there are factors for another number of pairs */
function checkFactors(scaling: RopeScaling | null, rotaryDim: number, where: string): void {
  if (scaling?.kind !== 'longrope' || 2 * scaling.factors.length === rotaryDim) return;
  throw new ProxmoError(
    'config',
    `${where}.short_factor has ${scaling.factors.length} factors; a head has ${rotaryDim / 2} pairs that are turned.`,
  );
}

/** Parameters with their type under `rope_type`, which older files call `type`, and without those that are null. */
function withType(
  given: Readonly<Record<string, unknown>>,
  where: string,
): Record<string, unknown> & { readonly rope_type: string } {
  const { type, ...parameters } = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const ropeType = parameters.rope_type ?? type ?? 'default';
  if (type !== undefined && type !== ropeType) {
    throw new ProxmoError(
      'config',
      `${where} has the type ${JSON.stringify(type)} and the rope_type ${JSON.stringify(ropeType)}; leave one out.`,
    );
  }
  if (typeof ropeType !== 'string' || !Object.hasOwn(schemas, ropeType)) {
    throw new ProxmoError(
      'config',
      `${where}: the type ${JSON.stringify(ropeType)} is not known; known are ${Object.keys(schemas).join(', ')}.`,
    );
  }
  return { ...parameters, rope_type: ropeType };
}

function scalingOf(
  given: Record<string, unknown> & { readonly rope_type: string },
  fields: RopeFields,
  where: string,
): RopeScaling | null {
  const parse = <T>(schema: z.ZodType<T>): T =>
    checkedFields(schema, given, (problem) => new ProxmoError('config', `${where}: ${problem}.`));
  const originalOf = (parameters: { readonly original_max_position_embeddings?: number | undefined }) =>
    fields.original_max_position_embeddings ??
    parameters.original_max_position_embeddings ??
    fields.max_position_embeddings;
  switch (given.rope_type) {
    case 'linear':
      return { kind: 'linear', factor: parse(schemas.linear).factor };
    case 'dynamic':
      parse(schemas.dynamic);
      return { kind: 'dynamic' };
    case 'llama3': {
      const parameters = parse(schemas.llama3);
      const { factor, low_freq_factor: lowFrequencyFactor, high_freq_factor: highFrequencyFactor } = parameters;
      if (lowFrequencyFactor >= highFrequencyFactor) {
        throw new ProxmoError(
          'config',
          `${where}.low_freq_factor is ${lowFrequencyFactor}; it must be below high_freq_factor.`,
        );
      }
      return {
        kind: 'llama3',
        factor,
        lowFrequencyFactor,
        highFrequencyFactor,
        originalPositions: originalOf(parameters),
      };
    }
    case 'yarn': {
      const parameters = parse(schemas.yarn);
      return yarnScaling(parameters, originalOf(parameters), fields.max_position_embeddings);
    }
    case 'longrope': {
      const parameters = parse(schemas.longrope);
      return longropeScaling(parameters, originalOf(parameters), fields.max_position_embeddings);
    }
    default:
      parse(schemas.default);
      return null;
  }
}

function yarnScaling(
  parameters: z.output<typeof schemas.yarn>,
  originalPositions: number,
  maxPositions: number,
): RopeScaling {
  const { factor = maxPositions / originalPositions, mscale, mscale_all_dim: mscaleAll } = parameters;
  const magnitude = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const implied = mscale && mscaleAll ? magnitude(mscale) / magnitude(mscaleAll) : magnitude(1);
  return {
    kind: 'yarn',
    factor,
    originalPositions,
    betaFast: parameters.beta_fast,
    betaSlow: parameters.beta_slow,
    attentionFactor: parameters.attention_factor ?? implied,
    truncate: parameters.truncate,
  };
}

function longropeScaling(
  parameters: z.output<typeof schemas.longrope>,
  originalPositions: number,
  maxPositions: number,
): RopeScaling {
  const { factor = maxPositions / originalPositions } = parameters;
  const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalPositions));
  return {
    kind: 'longrope',
    factors: parameters.short_factor,
    longFactors: parameters.long_factor,
    originalPositions,
    attentionFactor: parameters.attention_factor ?? implied,
  };
}
