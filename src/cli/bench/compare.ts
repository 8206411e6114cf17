/** Compares a bench with an earlier one. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import { textOfFile } from '../../base/wholeFile.node.ts';
import { rankSumTest } from './rankSum.ts';
import type { BenchRow } from './rows.ts';

const oldRow = z.object({
  name: z.string(),
  shape: z.string(),
  variant: z.string(),
  adapter: z.string(),
  ms: z.object({ median: z.number().positive(), times: z.array(z.number()).readonly().optional() }),
  noise: z.string().optional(),
});
type OldRow = z.infer<typeof oldRow>;

export interface Change {
  readonly row: BenchRow;
  /** The earlier median, in milliseconds. */
  readonly before: number;
  /** New median over old. */
  readonly ratio: number;
  /** That both benches' times are of one distribution; null where there are too few to tell. */
  readonly p: number | null;
  /** `same`: within the threshold, or no more than chance. `noise`: the times of one of the two are too far apart. */
  readonly verdict: 'slower' | 'faster' | 'same' | 'noise';
}

/** Differences that chance makes as often as this or more are none. */
const significant = 0.01;

/**
 * The rows of an earlier `proxmo bench --json`.
 * @throws {ProxmoError} `file` if it cannot be read or is not such a file
 */
export async function readOldRows(path: string): Promise<OldRow[]> {
  const text = await textOfFile(path, 'give what an earlier proxmo bench --json printed');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProxmoError('file', `${path} is not JSON; give what an earlier proxmo bench --json printed.`, { cause });
  }
  return checked(
    z.array(oldRow),
    value,
    (problem) => new ProxmoError('file', `${path} is no list of bench rows: ${problem}; make it again.`),
  );
}

/**
 * What became of each row that both benches have: same name, shape, variant and adapter.
 * @param threshold a row is slower if its median grew by more than this share, and the times say that it is no chance
 * @throws {ProxmoError} `data` if they have no row in common
 */
export function compareRows(rows: readonly BenchRow[], old: readonly OldRow[], threshold: number): Change[] {
  const key = ({ name, shape, variant, adapter }: Omit<OldRow, 'ms'>) =>
    JSON.stringify([name, shape, variant, adapter]);
  const before = new Map(old.map((row) => [key(row), row]));
  const changes = rows.flatMap((row) => {
    const earlier = before.get(key(row));
    return earlier === undefined ? [] : [changeOf(row, earlier, threshold)];
  });
  if (changes.length === 0)
    throw new ProxmoError(
      'data',
      'The two benches have no row of the same name, shape, variant and adapter; compare runs on one machine.',
    );
  return changes;
}

function changeOf(row: BenchRow, { ms, noise }: OldRow, threshold: number): Change {
  const { median, times = [] } = ms;
  const ratio = row.ms.median / median;
  const p = pValue(times, row.ms.times ?? []);
  const isChance = p !== null && p >= significant;
  const direction = ratio > 1 + threshold ? 'slower' : ratio < 1 / (1 + threshold) ? 'faster' : 'same';
  // What is above the ceiling may well be so in both, as where caches hold the data.
  const isNoise = direction !== 'same' && [row.noise, noise].includes('wide spread');
  return { row, before: median, ratio, p, verdict: isChance ? 'same' : isNoise ? 'noise' : direction };
}

/** Null where even times that are wholly apart could be chance. */
function pValue(before: readonly number[], after: readonly number[]): number | null {
  const apart = rankSumTest(
    before.map((_, index) => index),
    after.map((_, index) => before.length + index),
  );
  return apart < significant ? rankSumTest(before, after) : null;
}
