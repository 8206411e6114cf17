/** Rollouts on disk: what was written is read, group by group, and nothing half-written is. */
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { RolloutSplit, RowPlace } from '../../src/base/playedBatch.ts';
import { RolloutFolder } from '../../src/runs/rollouts.ts';
import { needs } from '../support/needs.ts';

let dir: string;
let folder: RolloutFolder;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'proxmo-rollouts-'));
  folder = new RolloutFolder(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const row = z.object({ text: z.string() });
const index = z.object({
  places: z.array(z.object({ first: z.number(), count: z.number(), offset: z.number(), bytes: z.number() })),
});
const groups = [
  [{ text: 'one\ntwo' }, { text: '\u2028 "quoted" \u0007' }],
  [],
  Array.from({ length: 300 }, (_, i) => ({ text: `turn ${i}` })),
];
const batch = (iteration: number, split: RolloutSplit = 'training') => ({ split, iteration });
const write = (iteration: number, split?: RolloutSplit) =>
  folder.write(batch(iteration, split), groups, (places) => ({ places: places.map((place) => ({ ...place })) }));
const placesOf = async (iteration: number): Promise<readonly RowPlace[]> =>
  (await folder.readIndex(batch(iteration), index))!.value.places;
const rowsFile = () => join(folder.dir, '000003.jsonl.gz');

describe('the rows of an iteration', () => {
  test('are read by group, and by any reader of gzip', async () => {
    await write(3);
    const places = await placesOf(3);
    for (const [group, place] of places.entries())
      expect((await folder.readRows(batch(3), place, row)).value).toEqual(groups[group]);
    expect((await folder.readRows(batch(3), null, row)).value).toEqual(groups.flat());
    expect(places.map(({ first, count }) => [first, count])).toEqual([
      [0, 2],
      [2, 0],
      [2, 300],
    ]);
    const lines = gunzipSync(readFileSync(rowsFile())).toString().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(groups.flat());
  });

  test('are there with their index only', async () => {
    expect(await folder.iterations()).toEqual([]);
    await write(3);
    await write(12);
    await write(1_000_000);
    writeFileSync(join(folder.dir, '000013.jsonl.gz'), 'rows without an index');
    writeFileSync(join(folder.dir, '.000014.index.json.1-1.tmp'), '{"pla');
    writeFileSync(join(folder.dir, '000002.jsonl'), 'of an earlier version');
    expect(await folder.iterations()).toEqual([3, 12, 1_000_000]);
    expect(await folder.readIndex(batch(13), index)).toBeNull();
  });

  test('are kept apart from those of the evaluation after it', async () => {
    await write(3);
    await folder.write(batch(3, 'held-out'), [[{ text: 'held out' }]], () => ({ places: [] }));
    await write(0, 'held-out');
    expect([await folder.iterations(), await folder.iterations('held-out')]).toEqual([[3], [0, 3]]);
    expect((await folder.readRows(batch(3, 'held-out'), null, row)).value).toEqual([{ text: 'held out' }]);
    expect((await folder.readRows(batch(3), null, row)).value).toHaveLength(302);
  });

  test(
    'are not read through a link that leads out of the run',
    needs('another system than Windows', process.platform !== 'win32'),
    async () => {
      const elsewhere = mkdtempSync(join(tmpdir(), 'proxmo-elsewhere-'));
      await new RolloutFolder(elsewhere).write(batch(3), groups, (places) => ({ places }));
      symlinkSync(join(elsewhere, 'rollouts'), folder.dir);
      expect(await folder.iterations()).toEqual([]);
      expect(await folder.readIndex(batch(3), index)).toBeNull();
      await expect(folder.readRows(batch(3), null, row)).rejects.toThrow(/cannot be read/);
      rmSync(elsewhere, { recursive: true });
    },
  );

  test.each<[string, () => void, RegExp]>([
    [
      'cut',
      () => truncateSync(rowsFile(), 60),
      /000003\.jsonl\.gz is gone, or shorter than its index says; it is damaged/,
    ],
    ['garbage', () => writeFileSync(rowsFile(), 'x'.repeat(4000)), /000003\.jsonl\.gz is no gzip at byte 0/],
    ['gone', () => renameSync(rowsFile(), `${rowsFile()}.old`), /is gone, or shorter/],
  ])('that are %s end in a sentence', async (_, damage, said) => {
    await write(3);
    damage();
    await expect(folder.readRows(batch(3), (await placesOf(3))[0]!, row)).rejects.toThrow(said);
  });

  test('with fewer lines than the index says, or an index that is none, end in a sentence', async () => {
    await write(3);
    const [place] = await placesOf(3);
    await expect(folder.readRows(batch(3), { ...place!, count: 3 }, row)).rejects.toThrow(
      /has 2 rows where its index says 3/,
    );
    appendFileSync(join(folder.dir, '000003.index.json'), '{');
    await expect(folder.readIndex(batch(3), index)).rejects.toThrow(/000003\.index\.json is not JSON/);
  });
});
