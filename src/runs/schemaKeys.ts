/**
 * Which keys a zod schema knows. zod drops unknown keys in silence unless every object says otherwise, and does not say
 * what might have been meant. Here the schema is walked beside a value, so that any schema gets the same treatment at
 * any depth.
 */
import * as z from 'zod';
import { isPlainObject } from './json.ts';

type Schema = z.core.$ZodTypes;

export interface UnknownKey {
  /** Where it stands; the last element is the key itself. */
  readonly path: readonly PropertyKey[];
  /** Keys that are known in that place. */
  readonly known: readonly string[];
  /** Where the key belongs to other variants of its object than the chosen one. */
  readonly variants?: {
    /** The key that tells variants apart. */
    readonly by: string;
    readonly chosen: string;
    /** Those that know the key. */
    readonly others: readonly string[];
  };
}

/** A schema that may apply to a value. */
interface Alternative {
  readonly schema: Schema;
  /** Where it is one variant of several that a key tells apart: this key, and its value. */
  readonly variant?: { readonly by: string; readonly value: string };
}

/** Keys of a value, at any depth, that its schema does not know. */
export function unknownKeys(schema: z.ZodType, value: unknown): UnknownKey[] {
  const found: UnknownKey[] = [];
  visit([schema as unknown as Schema], value, [], found);
  return found;
}

/** Every path of keys that a schema knows, joined by dots, through nested objects. */
export function knownPaths(schema: z.ZodType): string[] {
  const paths: string[] = [];
  const collect = (part: Schema, prefix: string, outer: readonly Schema[]) => {
    for (const { schema: option } of alternatives(part, undefined)) {
      const { def } = option._zod;
      // A schema that contains itself has endlessly many paths; the first round of them is enough.
      if (def.type !== 'object' || outer.includes(option)) continue;
      for (const [key, child] of Object.entries(def.shape)) {
        paths.push(prefix + key);
        collect(child as Schema, `${prefix}${key}.`, [...outer, option]);
      }
    }
  };
  collect(schema as unknown as Schema, '', []);
  return paths;
}

/** Checks a value against the schemas that may apply to it; a key is known if one of them knows it. */
function visit(schemas: readonly Schema[], value: unknown, path: readonly PropertyKey[], found: UnknownKey[]): void {
  const fitting = schemas.flatMap((schema) => alternatives(schema, value));
  const options = fitting.map(({ schema }) => schema);
  const items: [PropertyKey, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : isPlainObject(value)
      ? Object.entries(value)
      : [];
  for (const [key, item] of items) {
    const children = options.flatMap((option) => childSchema(option, key));
    if (children.length > 0) visit(children, item, [...path, key], found);
    else if (
      isPlainObject(value) &&
      options.some((option) => option._zod.def.type === 'object') &&
      !options.some(isOpen)
    ) {
      const variants = variantsWith(key, schemas, fitting);
      found.push({ path: [...path, key], known: options.flatMap(ownKeys), ...(variants ? { variants } : {}) });
    }
  }
}

/** The variants that know a key which the chosen one does not; undefined where there are none. */
function variantsWith(
  key: PropertyKey,
  schemas: readonly Schema[],
  fitting: readonly Alternative[],
): UnknownKey['variants'] {
  const chosen = fitting.length === 1 ? fitting[0]!.variant : undefined;
  if (!chosen) return undefined;
  const others = schemas
    .flatMap((schema) => alternatives(schema, undefined))
    .filter(({ schema }) => childSchema(schema, key).length > 0)
    .flatMap(({ variant }) => (variant ? [variant.value] : []));
  return others.length === 0 ? undefined : { by: chosen.by, chosen: chosen.value, others };
}

/**
 * The schemas behind wrappers, unions and intersections. A union told apart by a key gives those that fit the value's,
 * or all if none does.
 */
function alternatives(schema: Schema, value: unknown): Alternative[] {
  const { def } = schema._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return alternatives(def.innerType as Schema, value);
    case 'lazy':
      return alternatives(def.getter() as Schema, value);
    case 'pipe': {
      const input = def.in as Schema;
      if (input._zod.def.type !== 'transform') return alternatives(input, value);
      // What comes before a schema may fill in what tells variants apart.
      return alternatives(def.out as Schema, z.safeParse(input, value).data);
    }
    case 'intersection':
      return [def.left, def.right].flatMap((side) => alternatives(side as Schema, value));
    case 'union': {
      const all = def.options.flatMap((option) => alternatives(option as Schema, value));
      if (!('discriminator' in def)) return all;
      const by = String(def.discriminator);
      const variants = all.map((option) => ({ variant: variantOf(option.schema, by), ...option }));
      if (!isPlainObject(value)) return variants;
      const fitting = variants.filter((option) =>
        childSchema(option.schema, by).some((child) => accepts(child, value[by])),
      );
      return fitting.length > 0 ? fitting : variants;
    }
    default:
      return [{ schema }];
  }
}

function variantOf(schema: Schema, by: string): { by: string; value: string } {
  const values = childSchema(schema, by).flatMap((child) => [...(child._zod.values ?? [])]);
  return { by, value: values.map(String).join(' or ') };
}

/** The schema of what stands under a key or index: one, or none if there is no such place. */
function childSchema(schema: Schema, key: PropertyKey): Schema[] {
  const { def } = schema._zod;
  switch (def.type) {
    case 'object': {
      const child = Object.hasOwn(def.shape, key) ? def.shape[key as string] : def.catchall;
      return child && child._zod.def.type !== 'never' ? [child as Schema] : [];
    }
    case 'record':
      return [def.valueType as Schema];
    case 'array':
      return [def.element as Schema];
    case 'tuple': {
      const child = def.items[key as number] ?? def.rest;
      return child ? [child as Schema] : [];
    }
    default:
      return [];
  }
}

/** Whether a schema takes objects whose keys it does not list. */
function isOpen(schema: Schema): boolean {
  return ['any', 'unknown', 'custom', 'transform', 'map'].includes(schema._zod.def.type);
}

function ownKeys(schema: Schema): string[] {
  const { def } = schema._zod;
  return def.type === 'object' ? Object.keys(def.shape) : [];
}

function accepts(schema: Schema, value: unknown): boolean {
  return z.safeParse(schema, value).success;
}
