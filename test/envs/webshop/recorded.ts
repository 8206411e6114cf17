/** Recordings of the original shop, which lie beside the checkout where they are at all. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { hasFiles, needsData, sharedData } from '../../support/sharedData.ts';

export const CATALOGUE = sharedData('webshop-1000');
export const GOLDEN = sharedData('webshop-golden/');
export const PURCHASES = sharedData('webshop-trajs/');

export const hasRecordings = hasFiles(CATALOGUE, GOLDEN, PURCHASES);
export const needsRecordings = needsData(CATALOGUE, GOLDEN, PURCHASES);

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
