/**
 * The rollouts of a run: of each iteration one gzip file of rows, JSON lines in groups, and an index beside it.
 *
 *   rollouts/000003.jsonl.gz     one gzip member a group: a group is read without the others, the file by any gzip
 *   rollouts/000003.index.json   where each group is, and what else its writer puts there
 *
 * Both are written whole, the index last, so a reader finds an iteration with all of its rows or not at all, also while
 * the run goes on.
 */
import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import * as z from 'zod';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { aboutPath } from '../base/systemErrors.node.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';
import { folderName } from './checkpoint.ts';
import { parseJson } from './json.ts';

/** Where the rows of a group are in the file of their iteration. */
export interface RowPlace {
  /** Number of the first among all rows of the file, counted from 0. */
  readonly first: number;
  readonly count: number;
  /** Of the gzip member, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Repetition is what there is to save, which the fastest level finds too. */
const level = 1;
/** Most bytes of a group's text: more is no group of rows. */
const largestGroup = 2 ** 30;
/** Names of an iteration's files. */
export function rolloutFileNames(iteration: number): { readonly rows: string; readonly index: string } {
  const name = folderName(iteration);
  return { rows: `${name}.jsonl.gz`, index: `${name}.index.json` };
}

/** Iterations whose rows are there, rising, by the names in the folder: where its index is, all of an iteration is. */
export function iterationsIn(names: readonly string[]): number[] {
  const found = names.flatMap((name) => /^(\d{6,})\.index\.json$/.exec(name)?.[1] ?? []);
  return found.map(Number).sort((a, b) => a - b);
}

/** The rollouts in the folder of a run. */
export class RolloutFolder {
  /** @param dir `rollouts` of a run; need not be there */
  constructor(readonly dir: string) {}

  /**
   * Writes the rows of an iteration, and then its index.
   * @param groups the rows of each group
   * @param indexOf what the index holds, by the places of the groups
   */
  async write(
    iteration: number,
    groups: readonly (readonly object[])[],
    indexOf: (places: readonly RowPlace[]) => object,
  ): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    const members = await Promise.all(
      groups.map((rows) =>
        promisify(gzip)(Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')), { level }),
      ),
    );
    const places: RowPlace[] = [];
    let [first, offset] = [0, 0];
    for (const [index, { length: bytes }] of members.entries()) {
      const count = groups[index]!.length;
      places.push({ first, count, offset, bytes });
      first += count;
      offset += bytes;
    }
    await writeFileAtomic(this.rowsPath(iteration), members);
    await writeFileAtomic(this.indexPath(iteration), [`${JSON.stringify(indexOf(places))}\n`]);
  }

  /** Iterations whose rows were kept, rising. */
  async iterations(): Promise<number[]> {
    return iterationsIn(await this.names());
  }

  /** Whether there are rows as earlier versions of this package wrote them: without an index. */
  async hasEarlierForm(): Promise<boolean> {
    return (await this.names()).some((name) => /^\d{6,}\.jsonl$/.test(name));
  }

  /**
   * The index of an iteration; null where none was kept.
   * @throws {ProxmoError} `file` if it is damaged
   */
  async readIndex<T>(iteration: number, schema: z.ZodType<T>): Promise<T | null> {
    const path = this.indexPath(iteration);
    const text = await readTextOrNull(path);
    return text === null ? null : parseJson(text, schema, path);
  }

  /**
   * The rows of a group.
   * @throws {ProxmoError} `file` if they are damaged, or gone
   */
  async readRows<T>(iteration: number, { offset, bytes, count }: RowPlace, schema: z.ZodType<T>): Promise<T[]> {
    const path = this.rowsPath(iteration);
    const text = await readMember(path, offset, bytes);
    const lines = text.split('\n').slice(0, -1);
    if (lines.length !== count) throw damaged(path, `has ${lines.length} rows where its index says ${count}`);
    return parseJson(`[${lines.join(',')}]`, z.array(schema), path);
  }

  private names(): Promise<string[]> {
    return readdir(this.dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
      throw aboutPath(error, this.dir);
    });
  }

  private rowsPath(iteration: number): string {
    return join(this.dir, rolloutFileNames(iteration).rows);
  }

  private indexPath(iteration: number): string {
    return join(this.dir, rolloutFileNames(iteration).index);
  }
}

/** The text of one member of a gzip file. */
async function readMember(path: string, offset: number, bytes: number): Promise<string> {
  const file = await open(path).catch((error: unknown) => {
    throw aboutPath(error, path);
  });
  try {
    const { size } = await file.stat();
    if (offset + bytes > size) throw damaged(path, 'is shorter than its index says');
    const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, offset);
    const text = await promisify(gunzip)(buffer, { maxOutputLength: largestGroup }).catch((cause: unknown) => {
      throw damaged(path, `is no gzip at byte ${offset}`, cause);
    });
    return text.toString('utf8');
  } finally {
    await file.close();
  }
}

function damaged(path: string, what: string, cause?: unknown): ProxmoError {
  return new ProxmoError('file', `${path} ${what}; it is damaged, so restore it from a copy.`, { cause });
}
