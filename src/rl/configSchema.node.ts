/**
 * The configuration as JSON Schema (draft 7, which editors read): made from the zod schemas, and so never at odds with
 * them. Options of the environments that this package has are in it too.
 */
import * as z from 'zod';
import { environmentEntries } from '../envs/registry.node.ts';
import { trainConfigSchema } from './config.ts';
import { sftConfigSchema } from './sft/config.ts';

export type JsonSchema = z.core.JSONSchema.JSONSchema;

/** What the metadata of settings have for this package alone: readers of JSON Schema would take them for mistakes. */
const ownKeywords = ['presetDefaults', 'needs', 'aliases'];

/** The schema of a configuration file, for editors and other programs. */
export function configSchema(): JsonSchema {
  const schema = withoutKeywords(annotatedSchema(trainConfigSchema)) as JsonSchema;
  const environment = schema.properties!.environment as JsonSchema;
  const named = (environment.properties!.name as JsonSchema).default;
  environment.allOf = environmentEntries.map(({ name, options }) => ({
    // One that is not named is the default.
    if: { properties: { name: { const: name } }, ...(name === named ? {} : { required: ['name'] }) },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { properties: { options: withoutKeywords(annotatedSchema(options)) as JsonSchema } },
  }));
  return schema;
}

/** The text of the schema's file. */
export function configSchemaText(): string {
  return `${JSON.stringify(configSchema())}\n`;
}

/** The text of the schema's file in a run of supervised fine-tuning. */
export function sftSchemaText(): string {
  return `${JSON.stringify(annotatedSchema(sftConfigSchema))}\n`;
}

/** A zod schema of what users write, with all metadata of its parts. */
export function annotatedSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // Of a schema that transforms, the default is left out, as it might be one of what comes out of it.
      const stated = z.globalRegistry.get(zodSchema)?.default;
      if (stated !== undefined) jsonSchema.default = stated as JsonSchema['default'];
      tidy(jsonSchema);
    },
  }) as JsonSchema;
}

/** Takes away what says nothing to people, and what a default makes needless. */
function tidy(schema: JsonSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  delete schema.readOnly;
  const { properties } = schema;
  if (properties === undefined) return;
  if (JSON.stringify(schema.default) === '{}') delete schema.default;
  const isSetByItself = (key: string) => {
    const { const: only, default: usual } = properties[key] as JsonSchema;
    return only !== undefined && only === usual;
  };
  if (schema.required) schema.required = schema.required.filter((key) => !isSetByItself(key));
}

function withoutKeywords(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutKeywords);
  if (typeof value !== 'object' || value === null) return value;
  const { properties, ...others } = value as JsonSchema;
  const rest = Object.entries(others).filter(([key]) => !ownKeywords.includes(key));
  const own = Object.entries(properties ?? {}).map(([key, schema]) => [key, withoutKeywords(schema)]);
  return {
    ...Object.fromEntries(rest.map(([key, part]) => [key, withoutKeywords(part)])),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(own) }),
  };
}
