/**
 * Configuration from several places, each going over the one before: the schema's defaults, a preset, a YAML file, and
 * `--set a.b=c` from the command line. What is wrong is told all at once, a line for each problem, with the place it
 * came from and the key that was probably meant. The schema itself belongs to whoever uses the values.
 */
import type * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { nearestKey } from '../base/nearestKey.ts';
import { keyName, keysHere, meantKey, parseOrProblems, type SchemaProblem } from '../base/schemaProblems.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';
import { assignedValues } from './assignments.ts';
import { isPlainObject } from './json.ts';
import { type UnknownKey, unknownKeys } from './schemaKeys.ts';
import { meantSettings, meantWithin } from './settingNames.ts';
import { parseYaml } from './yaml.ts';

export interface ConfigSources {
  /** Values that go over the schema's defaults. */
  readonly preset?: object;
  /** Path of a YAML file. */
  readonly file?: string;
  /** Values from elsewhere, in the order in which they go over each other. */
  readonly layers?: readonly ConfigLayer[];
  /** Assignments `key.key=value`; the value is read as YAML. */
  readonly set?: readonly string[];
}

/** Values from one place, and how to name that place. */
export interface ConfigLayer {
  readonly values: unknown;
  /** For example `config.yaml line 3`. */
  place(path: readonly PropertyKey[]): string;
}

/** For each path in the merged values, joined by `pathKey`, the layer that it came from. */
type Origins = Map<string, ConfigLayer>;

/**
 * Loads a configuration. Objects are merged key by key; lists and other values are replaced whole.
 * @throws {ProxmoError} `file` if the file cannot be read; `config` if anything in it is not valid, with a line for
 * each problem.
 */
export async function loadConfig<S extends z.ZodType>(schema: S, sources: ConfigSources): Promise<z.output<S>> {
  const layers: ConfigLayer[] = [];
  if (sources.preset !== undefined) layers.push({ values: sources.preset, place: () => 'the preset' });
  if (sources.file !== undefined) layers.push(await fileLayer(sources.file));
  layers.push(...(sources.layers ?? []), ...(sources.set ?? []).map(assignmentLayer));

  const origins: Origins = new Map();
  const values = layers.reduce<unknown>((merged, layer) => merge(merged, layer.values, layer, [], origins), {});
  const unknown = unknownKeys(schema, values);
  const { data, problems } = parseOrProblems(schema, values);
  // Strict objects report unknown keys too, but one of each object, and without those in other places.
  const others = problems.filter(({ isUnknownKey }) => unknown.length === 0 || !isUnknownKey);
  const all = [...unknown.map((key) => unknownKeyProblem(key, schema, values)), ...others];
  if (all.length > 0) throw new ProxmoError('config', all.map((problem) => sentence(problem, origins)).join('\n'));
  return data as z.output<S>;
}

async function fileLayer(path: string): Promise<ConfigLayer> {
  const text = await readTextOrNull(path);
  if (text === null)
    throw new ProxmoError('file', `${path} does not exist; give the path of a YAML file with configuration.`);
  const yaml = parseYaml(text, path, 'config');
  const values = yaml.value ?? {};
  if (!isPlainObject(values))
    throw new ProxmoError('config', `${path} holds no keys; write lines of the form \`key: value\`.`);
  const place = (keys: readonly PropertyKey[]) => {
    const line = yaml.lineOf(keys);
    return line === null ? path : `${path} line ${line}`;
  };
  return { values, place };
}

function assignmentLayer(assignment: string): ConfigLayer {
  return { values: assignedValues([assignment], '--set', 'config'), place: () => `--set ${assignment}` };
}

/** The values of a layer over those before it, leaving both as they are; notes where each came from. */
function merge(
  base: unknown,
  over: unknown,
  layer: ConfigLayer,
  path: readonly PropertyKey[],
  origins: Origins,
): unknown {
  if (!isPlainObject(over)) {
    noteOrigins(over, layer, path, origins);
    return over;
  }
  if (!origins.has(pathKey(path)) || !isPlainObject(base)) origins.set(pathKey(path), layer);
  const merged = new Map(isPlainObject(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(over))
    merged.set(key, merge(merged.get(key), value, layer, [...path, key], origins));
  return Object.fromEntries(merged);
}

function noteOrigins(value: unknown, layer: ConfigLayer, path: readonly PropertyKey[], origins: Origins): void {
  origins.set(pathKey(path), layer);
  const items = Array.isArray(value) ? value.entries() : isPlainObject(value) ? Object.entries(value) : [];
  for (const [key, item] of items) noteOrigins(item, layer, [...path, key], origins);
}

function pathKey(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

/** A key that is right but stands in the wrong place, or is that of another program, counts more than a near miss. */
function unknownKeyProblem({ path, known, variants }: UnknownKey, schema: z.ZodType, values: unknown): SchemaProblem {
  const parent = path.slice(0, -1);
  const key = String(path.at(-1));
  if (variants) {
    const { by, chosen, others } = variants;
    return { path, what: `is a key of ${by} ${anyOf(others)}, not of ${chosen}`, ...keysHere(known) };
  }
  const value = path.reduce<unknown>((outer, name) => (outer as Record<PropertyKey, unknown>)[name], values);
  // A key of the same group that is not known here belongs to a variant of it that was not chosen.
  const here = new Set(known.map((name) => [...parent, name].join('.')));
  const isUnknownHere = (setting: string) => groupOf(setting) === parent.join('.') && !here.has(setting);
  const own = meantSettings(schema, key, parent.map(String)).filter((setting) => !isUnknownHere(setting));
  const isNear = own.length === 0 && nearestKey(key, known) !== undefined;
  const meant = isNear ? [] : meantWithin(schema, own, value).map((setting) => `\`${setting}\``);
  const advice = meant.length === 0 ? meantKey(key, known, parent) : { advice: `did you mean ${anyOf(meant)}?` };
  return { path, what: 'is not a known key', ...advice };
}

/** The group that a setting stands in. */
function groupOf(setting: string): string {
  return setting.slice(0, Math.max(0, setting.lastIndexOf('.')));
}

/** For example `a, b or c`. */
function anyOf(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** A problem with the place where its value was set. */
function sentence({ path, what, advice }: SchemaProblem, origins: Origins): string {
  const layer = origins.get(pathKey(path));
  const place = layer && path.length > 0 ? ` (${layer.place(path)})` : '';
  const subject = path.length === 0 ? 'The configuration' : keyName(path);
  return `${subject}${place} ${what}${advice === undefined ? '.' : `; ${advice}${advice.endsWith('?') ? '' : '.'}`}`;
}
