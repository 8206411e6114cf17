/** Compares a bench with an earlier one. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import { textOfFile } from '../../base/wholeFile.node.ts';
import type { BenchRow } from './rows.ts';

const oldRow = z.object({
  name: z.string(),
  shape: z.string(),
  variant: z.string(),
  adapter: z.string(),
  ms: z.object({ median: z.number().positive() }),
});
type OldRow = z.infer<typeof oldRow>;

export interface Change {
  readonly row: BenchRow;
  /** The earlier median, in milliseconds. */
  readonly before: number;
  /** New median over old. */
  readonly ratio: number;
  readonly isSlower: boolean;
}

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
 * @param threshold a row is slower if its median grew by more than this share
 * @throws {ProxmoError} `data` if they have no row in common
 */
export function compareRows(rows: readonly BenchRow[], old: readonly OldRow[], threshold: number): Change[] {
  const key = ({ name, shape, variant, adapter }: OldRow) => JSON.stringify([name, shape, variant, adapter]);
  const before = new Map(old.map((row) => [key(row), row.ms.median]));
  const changes = rows.flatMap((row) => {
    const median = before.get(key(row));
    if (median === undefined) return [];
    const ratio = row.ms.median / median;
    return [{ row, before: median, ratio, isSlower: ratio > 1 + threshold }];
  });
  if (changes.length === 0)
    throw new ProxmoError(
      'data',
      'The two benches have no row of the same name, shape, variant and adapter; compare runs on one machine.',
    );
  return changes;
}
