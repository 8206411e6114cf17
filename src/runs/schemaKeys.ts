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
    for (const option of alternatives(part, undefined)) {
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
  const options = schemas.flatMap((schema) => alternatives(schema, value));
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
      found.push({ path: [...path, key], known: options.flatMap(ownKeys) });
    }
  }
}

/**
 * The schemas behind wrappers, unions and intersections. A union told apart by a key gives those that fit the value's,
 * or all if none does.
 */
function alternatives(schema: Schema, value: unknown): Schema[] {
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
      return alternatives(input._zod.def.type === 'transform' ? (def.out as Schema) : input, value);
    }
    case 'intersection':
      return [def.left, def.right].flatMap((side) => alternatives(side as Schema, value));
    case 'union': {
      const all = def.options.flatMap((option) => alternatives(option as Schema, value));
      const discriminator = 'discriminator' in def ? String(def.discriminator) : null;
      if (discriminator === null || !isPlainObject(value)) return all;
      const fitting = all.filter((option) =>
        childSchema(option, discriminator).some((child) => accepts(child, value[discriminator])),
      );
      return fitting.length > 0 ? fitting : all;
    }
    default:
      return [schema];
  }
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
