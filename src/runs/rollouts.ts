/**
 * What a run keeps of what was played: of each iteration, and of each evaluation, a gzip file of rows, JSON lines in
 * groups, and an index beside it.
 *
 *   rollouts/000003.jsonl.gz              iteration 3: one gzip member a group, so that a group is read without the
 *                                         others, and the file by any gzip
 *   rollouts/000003.index.json            where each group is, and what else its writer puts there
 *   rollouts/000003.held-out.jsonl.gz     the evaluation after iteration 3, in the same form
 *   rollouts/000003.held-out.index.json
 *
 * Both files are written whole, the index last, so a reader finds all of the rows or none, also while the run goes on.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import * as z from 'zod';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { GuardedFolder } from '../base/guardedFolder.node.ts';
import { iterationName } from '../base/iterationName.ts';
import { type PlayedBatch, packGroups, type RolloutSplit, type RowPlace } from '../base/playedBatch.ts';
import { parseJson } from './json.ts';

/** What was read, with the text that it was read from. */
export interface ReadJson<T> {
  readonly text: string;
  readonly value: T;
}

/** Its name in the folder of a run. */
export const rolloutFolder = 'rollouts';
/** Repetition is what there is to save, which the fastest level finds too. */
const level = 1;
/** Most bytes of the text of rows that are read at once. */
const largestText = 1 << 28;
const namePattern = /^(?<iteration>\d{6,})(?<heldOut>\.held-out)?\.(?<form>jsonl\.gz|index\.json)$/;

/** What a file in the folder belongs to; null of others than `RolloutFolder` writes. */
export function batchOfName(name: string): (PlayedBatch & { readonly isIndex: boolean }) | null {
  const { iteration, heldOut, form } = namePattern.exec(name)?.groups ?? {};
  if (iteration === undefined) return null;
  const split = heldOut === undefined ? 'training' : 'held-out';
  return { split, iteration: Number(iteration), isIndex: form === 'index.json' };
}

function fileNames({ split, iteration }: PlayedBatch): { readonly rows: string; readonly index: string } {
  const name = `${iterationName(iteration)}${split === 'training' ? '' : `.${split}`}`;
  return { rows: `${name}.jsonl.gz`, index: `${name}.index.json` };
}

/** The rollouts of a run, which may be somebody else's: nothing outside of its folder is read. */
export class RolloutFolder {
  private readonly files: GuardedFolder;

  /** @param dir of the run; need not have any */
  constructor(dir: string) {
    this.files = new GuardedFolder(dir);
  }

  get dir(): string {
    return join(this.files.dir, rolloutFolder);
  }

  /**
   * Writes rows, and then their index.
   * @param groups the rows of each group, which is asked for when the one before is packed
   * @param indexOf what the index holds, by the places of the groups
   */
  async write(
    batch: PlayedBatch,
    groups: Iterable<readonly object[]>,
    indexOf: (places: readonly RowPlace[]) => object,
  ): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    const { members, places } = await packGroups(groups, (text) => promisify(gzip)(text, { level }));
    const { rows, index } = fileNames(batch);
    await writeFileAtomic(join(this.dir, rows), members);
    await writeFileAtomic(join(this.dir, index), [`${JSON.stringify(indexOf(places))}\n`]);
  }

  /** Removes all that was written, and nothing else that may be in the folder. */
  async remove(): Promise<void> {
    for (const name of await this.files.list(rolloutFolder))
      if (batchOfName(name)) await rm(join(this.dir, name), { force: true });
  }

  /** Iterations of which rows of a split were kept, rising. */
  async iterations(split: RolloutSplit = 'training'): Promise<number[]> {
    const found = (await this.files.list(rolloutFolder)).flatMap((name) => {
      const batch = batchOfName(name);
      return batch?.isIndex && batch.split === split ? [batch.iteration] : [];
    });
    return found.sort((a, b) => a - b);
  }

  /** Whether there are rows as earlier versions of this package wrote them: without an index. */
  async hasEarlierForm(): Promise<boolean> {
    return (await this.files.list(rolloutFolder)).some((name) => /^\d{6,}\.jsonl$/.test(name));
  }

  /**
   * An index; null where none was kept.
   * @throws {ProxmoError} `file` if it is damaged
   */
  async readIndex<T>(batch: PlayedBatch, schema: z.ZodType<T>): Promise<ReadJson<T> | null> {
    const { index } = fileNames(batch);
    const text = await this.files.readText(rolloutFolder, index);
    return text === null ? null : { text, value: parseJson(text, schema, join(this.dir, index)) };
  }

  /**
   * The rows of a group, or of all groups.
   * @param part where its index says that they are, and how many; null for all
   * @throws {ProxmoError} `file` if they are damaged, or gone
   */
  async readRows<T>(
    batch: PlayedBatch,
    part: (Pick<RowPlace, 'offset' | 'bytes'> & Partial<RowPlace>) | null,
    schema: z.ZodType<T>,
  ): Promise<ReadJson<T[]>> {
    const { rows } = fileNames(batch);
    const path = join(this.dir, rows);
    const bytes = await this.files.readBytes([rolloutFolder, rows], part ?? undefined);
    if (bytes === null) throw damaged(path, part ? 'is gone, or shorter than its index says' : 'cannot be read');
    const text = await unzipped(bytes, path, part?.offset ?? 0);
    const lines = text.split('\n').slice(0, -1);
    if (part?.count !== undefined && part.count !== lines.length)
      throw damaged(path, `has ${lines.length} rows where its index says ${part.count}`);
    return { text, value: parseJson(`[${lines.join(',')}]`, z.array(schema), path) };
  }
}

async function unzipped(bytes: Buffer, path: string, offset: number): Promise<string> {
  const text = await promisify(gunzip)(bytes, { maxOutputLength: largestText }).catch((cause: unknown) => {
    throw damaged(path, `is no gzip at byte ${offset}, or too large to read at once`, cause);
  });
  return text.toString('utf8');
}

function damaged(path: string, what: string, cause?: unknown): ProxmoError {
  return new ProxmoError('file', `${path} ${what}; it is damaged, so restore it from a copy.`, { cause });
}
