/** Recordings of the original shop, which lie beside the checkout where they are at all. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const DATA = fileURLToPath(new URL('../../../../shared/data', import.meta.url));

export const CATALOGUE = `${DATA}webshop-1000`;
export const GOLDEN = `${DATA}webshop-golden/`;
export const PURCHASES = `${DATA}webshop-trajs/`;

export const hasRecordings = [CATALOGUE, GOLDEN, PURCHASES].every(existsSync);

export function readJson<T>(file: string): T {
  const bytes = readFileSync(file);
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')) as T;
}

export function readLines<T>(file: string): T[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
