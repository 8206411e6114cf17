/** JSON files of a run: typed values, and reading with a schema so that a damaged file ends in one clear sentence. */
import * as z from 'zod';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Any JSON object, among values that came out of JSON. */
export const jsonObjectSchema: z.ZodType<JsonObject> = z.custom<JsonObject>(isPlainObject, 'must be a group of keys');

/** An object of keys and values, not a list or a date. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Text of a file. @throws {ProxmoError} `file` if it is missing or cannot be read. */
export async function readText(path: string): Promise<string> {
  const text = await readTextOrNull(path);
  if (text === null)
    throw new ProxmoError('file', `${path} is missing; the folder is damaged, or not what it should be.`);
  return text;
}

/**
 * Parses JSON text and checks it.
 * @param remedy for a text that is damaged
 * @throws {ProxmoError} `file` if it is not JSON or does not fit the schema.
 */
export function parseJson<T>(text: string, schema: z.ZodType<T>, path: string, remedy = 'restore it from a copy'): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ProxmoError('file', `${path} is not JSON; it is damaged, so ${remedy}.`, {
      cause,
    });
  }
  return checked(
    schema,
    json,
    (problem) => new ProxmoError('file', `${path}: ${problem}; it is damaged or of another version, so ${remedy}.`),
  );
}

/**
 * An object as JSON has it: without what is undefined.
 * @param what the object is, for the message
 * @throws {ProxmoError} `data` if it holds what JSON cannot, such as NaN.
 */
export function plainJson(value: object, what: string): JsonObject {
  const plain = withoutUndefined(value);
  checkJson(plain, what);
  return plain as JsonObject;
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutUndefined(item)]));
}

/** Writes a JSON object atomically. @throws {ProxmoError} `data` if it holds what JSON cannot, such as NaN. */
export async function writeJson(path: string, value: object): Promise<void> {
  checkJson(value, path);
  await writeFileAtomic(path, [`${JSON.stringify(value, null, 2)}\n`]);
}

function checkJson(value: unknown, what: string): void {
  const wrong = pathOfNonJson(value);
  if (wrong === null) return;
  const keys = wrong.join('.');
  throw new ProxmoError(
    'data',
    `${what}: \`${keys}\` is no JSON value; give finite numbers, strings, booleans, null, lists or objects.`,
  );
}

/**
 * Where a value holds something that JSON cannot, which `JSON.stringify` would change or leave out in silence; null if
 * nowhere.
 */
function pathOfNonJson(value: unknown): string[] | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return null;
  if (!Array.isArray(value) && !isPlainObject(value)) return [];
  for (const [key, item] of Object.entries(value)) {
    const inner = pathOfNonJson(item);
    if (inner !== null) return [key, ...inner];
  }
  return null;
}
