/** What runs wrote down of their turns, for tests. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { RecordedRow } from '../../src/rl/credit/record.ts';

/** The file of an iteration's rows. */
export function rowsPath(dir: string, iteration: number): string {
  return join(dir, 'rollouts', `${String(iteration).padStart(6, '0')}.jsonl.gz`);
}

/** The rows in a file. */
export function rowsIn(path: string): RecordedRow[] {
  const text = gunzipSync(readFileSync(path)).toString();
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** The rows of every iteration of a run. */
export function allRows(dir: string): RecordedRow[] {
  const names = readdirSync(join(dir, 'rollouts')).filter((name) => /^\d+\.jsonl\.gz$/.test(name));
  return names.sort().flatMap((name) => rowsIn(join(dir, 'rollouts', name)));
}

/** What must be the same where the same is played again: all but times. */
export function playedIn(path: string): Omit<RecordedRow, 'seconds'>[] {
  return rowsIn(path).map(({ seconds: _, ...row }) => row);
}
