/** Which setting is meant by a name that is none: one that stands elsewhere, or is called so in another program. */
import type * as z from 'zod';
import { isPlainObject } from './json.ts';
import { knownPaths } from './schemaKeys.ts';

/** More settings than this are no answer. */
const mostMeant = 4;

/**
 * The settings that a name means, by their paths. A schema says in its metadata, as `aliases`, what each of its
 * settings is called elsewhere: names with spaces between, by the path of the setting. Case, `_` and `-` do not count.
 * @param parent path of the group in which it was written: what is meant there is meant first of all
 * @returns the likeliest first; none if nothing is known by that name, or too much
 */
export function meantSettings(schema: z.ZodType, name: string, parent: readonly string[] = []): string[] {
  const paths = [...new Set(knownPaths(schema))];
  const aliases = (schema.meta()?.aliases ?? {}) as Readonly<Record<string, string>>;
  const word = folded(name);
  const isSame = (other: string) => folded(other) === word;
  const byAlias = Object.keys(aliases).filter((path) => aliases[path]!.split(' ').some(isSame));
  const byName = paths.filter((path) => isSame(lastWord(path)));
  const meant = [...new Set([...byAlias, ...byName])];
  const beside = meant.map((path) => [...parent, lastWord(path)].join('.')).filter((path) => paths.includes(path));
  if (parent.length > 0 && beside.length > 0) return [...new Set(beside)];
  return meant.length > mostMeant ? [] : meant;
}

/**
 * What is meant by a name that was set to a group: where that has one thing in it, as in `actor.optim.lr=1`, this one.
 * @param own what the name by itself means
 */
export function meantWithin(schema: z.ZodType, own: readonly string[], value: unknown): readonly string[] {
  const [[key, inner] = [], ...others] = isPlainObject(value) ? Object.entries(value) : [];
  if (key === undefined || others.length > 0) return own;
  const within = meantSettings(schema, key, own.length === 1 ? own[0]!.split('.') : []);
  const innermost = meantWithin(schema, within, inner);
  return innermost.length > 0 ? innermost : own;
}

function lastWord(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}
