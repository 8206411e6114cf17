import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import {
  type Checkpoint,
  latestCheckpoint,
  listCheckpoints,
  openCheckpoint,
  openWholeCheckpoint,
  removeLeftovers,
  saveCheckpoint,
} from '../../src/runs/checkpoint.ts';
import { checkpointValues, namedTensor, savedValues } from '../support/checkpoints.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'proxmo-checkpoint-')), 'checkpoints');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

function checkpointOf(iteration: number): Checkpoint {
  return {
    iteration,
    weights: [
      namedTensor(
        'layer.0.weight',
        [2, 3],
        Float32Array.from({ length: 6 }, (_, i) => iteration + i / 8),
      ),
      namedTensor('scale', [], Float32Array.of(Number.NaN)),
    ],
    optimizer: [namedTensor('m.layer.0.weight', [0], new Float32Array(0))],
    state: { step: iteration * 2, rng: [1, 2, 3], best: null },
  };
}

test('comes back bit for bit', async () => {
  await saveCheckpoint(folder, checkpointOf(12), 3);
  expect(await savedValues(openCheckpoint(folder))).toEqual(await checkpointValues(checkpointOf(12)));
  expect((await readdir(folder)).sort()).toEqual(['000012', 'latest']);
  expect((await readdir(join(folder, '000012'))).sort()).toEqual([
    'optimizer.safetensors',
    'state.json',
    'weights.safetensors',
  ]);
});

test('tensors are written and read in pieces', async () => {
  // All pieces are in one array, whose values hold only until the next piece.
  const shared = new Float32Array(1000);
  const weights = Array.from({ length: 20 }, (_, index) => ({
    name: `w${String(index).padStart(2, '0')}`,
    shape: [3, shared.length],
    async *pieces() {
      for (let piece = 0; piece < 3; piece++) yield shared.fill(10 * index + piece);
    },
  }));
  await saveCheckpoint(folder, { iteration: 1, weights, optimizer: [], state: {} }, 3);
  const saved = await savedValues(openCheckpoint(folder));
  for (const [index, { data }] of saved.weights.entries()) {
    expect(data.length).toBe(3000);
    expect([0, 999, 1000, 1999, 2000, 2999].map((at) => data[at])).toEqual(
      [0, 0, 1, 1, 2, 2].map((piece) => 10 * index + piece),
    );
  }
});

test('a large checkpoint takes little memory', { timeout: 60_000 }, async () => {
  const [count, size] = [12, 2 ** 20];
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const watch = () => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  };
  const optimizer = [0, 1, 2, 3].map((index) => ({
    name: `w${index}`,
    shape: [count, size],
    async *pieces() {
      for (let piece = 0; piece < count; piece++) {
        yield new Float32Array(size).fill(index);
        watch();
      }
    },
  }));
  await saveCheckpoint(folder, { iteration: 1, weights: [], optimizer, state: {} }, 3);
  const opened = await openCheckpoint(folder);
  for (const { pieces } of opened.optimizer) for await (const _ of pieces()) watch();
  await opened.close();
  // Pieces that are written already wait for the collector; of 192 MiB it lets fewer than half be.
  expect(most).toBeLessThan((4 * count * size * 4) / 2);
});

test('the last few are kept, and the newest is the latest', async () => {
  for (const iteration of [1, 2, 5, 9]) await saveCheckpoint(folder, checkpointOf(iteration), 2);
  expect(await listCheckpoints(folder)).toEqual([5, 9]);
  expect(await latestCheckpoint(folder)).toBe(9);
  expect((await savedValues(openCheckpoint(folder, 5))).iteration).toBe(5);
  await expect(openCheckpoint(folder, 1)).rejects.toThrow('has no checkpoint of iteration 1; there are 5, 9.');
});

test('the latest is never replaced, an orphan is', async () => {
  await saveCheckpoint(folder, checkpointOf(1), 3);
  await expect(saveCheckpoint(folder, checkpointOf(1), 3)).rejects.toThrow('saved already');
  await saveCheckpoint(folder, checkpointOf(2), 3);
  await writeFile(join(folder, 'latest'), '000001\n');
  await saveCheckpoint(folder, { ...checkpointOf(2), state: { again: true } }, 3);
  expect((await savedValues(openCheckpoint(folder))).state).toEqual({ again: true });
});

test('an empty folder, or none, has no checkpoint', async () => {
  expect(await listCheckpoints(folder)).toEqual([]);
  expect(await latestCheckpoint(folder)).toBeNull();
  await expect(openCheckpoint(folder)).rejects.toThrow('has no checkpoint: none was saved yet, or they were removed;');
});

describe('what cannot be saved leaves nothing', () => {
  test.each<[string, Partial<Checkpoint>, number]>([
    ['an iteration that is not a count', { iteration: 1.5 }, 3],
    ['keeping none', {}, 0],
    ['a state with NaN', { state: { loss: Number.NaN } }, 3],
    ['a tensor that does not fit its shape', { weights: [namedTensor('w', [3], new Float32Array(2))] }, 3],
  ])('%s', async (_, change, keep) => {
    await expect(saveCheckpoint(folder, { ...checkpointOf(1), ...change }, keep)).rejects.toBeInstanceOf(ProxmoError);
    expect(await readdir(folder).catch(() => [])).toEqual([]);
  });
});

describe('damage is noticed', () => {
  const inside = (name: string) => join(folder, '000001', name);
  beforeEach(() => saveCheckpoint(folder, checkpointOf(1), 3));

  test.each(['weights.safetensors', 'optimizer.safetensors'])('a changed, cut or missing %s', async (name) => {
    const bytes = await readFile(inside(name));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(inside(name), bytes);
    await expect(openCheckpoint(folder)).rejects.toThrow('does not match the hash');
    await writeFile(inside(name), bytes.subarray(0, 20));
    await expect(openCheckpoint(folder)).rejects.toThrow('does not match the hash');
    await rm(inside(name));
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'file',
      message: /cannot be read: there is no such file or folder \(ENOENT\)/,
    });
  });

  test('a missing or changed state', async () => {
    const text = await readFile(inside('state.json'), 'utf8');
    await writeFile(inside('state.json'), text.replace('"version": 1', '"version": 2'));
    await expect(openCheckpoint(folder)).rejects.toThrow('`version` must be 1, not 2');
    await rm(inside('state.json'));
    await expect(openCheckpoint(folder)).rejects.toThrow('state.json is missing');
  });

  test('a state of any text gives a checkpoint or a ProxmoError', async () => {
    const text = await readFile(inside('state.json'), 'utf8');
    const cut = fc.nat(text.length).map((at) => text.slice(0, at));
    const edited = fc
      .tuple(fc.nat(text.length - 1), fc.string({ maxLength: 3 }))
      .map(([at, put]) => text.slice(0, at) + put + text.slice(at + 1));
    await fc.assert(
      fc.asyncProperty(fc.oneof(cut, edited, fc.json()), async (state) => {
        await writeFile(inside('state.json'), state);
        const outcome = await savedValues(openCheckpoint(folder)).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ProxmoError);
      }),
      { numRuns: 60 },
    );
  });

  test('a folder under another name, and a pointer to nothing', async () => {
    await rename(join(folder, '000001'), join(folder, '000004'));
    await expect(openCheckpoint(folder, 4)).rejects.toThrow('is of iteration 1, not 4');
    await expect(latestCheckpoint(folder)).rejects.toThrow(
      'names "000001", which is no checkpoint; write the name of one that is there: 000004',
    );
  });
});

test('a process that was killed leaves nothing that looks like a checkpoint', async () => {
  await saveCheckpoint(folder, checkpointOf(1), 3);
  await mkdir(join(folder, '.000002.123-0.tmp'));
  await writeFile(join(folder, '.000002.123-0.tmp', 'weights.safetensors'), 'half');
  expect(await listCheckpoints(folder)).toEqual([1]);
  await removeLeftovers(folder);
  expect((await readdir(folder)).sort()).toEqual(['000001', 'latest']);
});

describe('a run goes on from the newest whole checkpoint', () => {
  const pathOf = (iteration: number, name: string) => join(folder, String(iteration).padStart(6, '0'), name);
  const latest = () => join(folder, 'latest');
  const cut = async (path: string, bytes: number) => writeFile(path, (await readFile(path)).subarray(0, bytes));
  beforeEach(async () => {
    for (const iteration of [3, 6, 9]) await saveCheckpoint(folder, checkpointOf(iteration), 5);
  });
  async function found() {
    const { checkpoint, problems } = await openWholeCheckpoint(folder);
    await checkpoint?.close();
    return { iteration: checkpoint?.iteration ?? null, problems };
  }

  test('which is the latest, also where a newer one is there', async () => {
    expect(await found()).toEqual({ iteration: 9, problems: [] });
    await writeFile(latest(), '000006\n');
    expect(await found()).toEqual({ iteration: 6, problems: [] });
  });

  test.each<[string, () => Promise<void>, number | null, RegExp[]]>([
    ['a missing latest', () => rm(latest()), 9, [/latest is missing/]],
    ['an empty latest', () => writeFile(latest(), ''), 9, [/latest names "", which is no checkpoint/]],
    ['a removed latest', () => rm(join(folder, '000009'), { recursive: true }), 6, [/names "000009", which is no/]],
    ['cut weights', () => cut(pathOf(9, 'weights.safetensors'), 100), 6, [/000009.weights.* not match the hash/]],
    ['a cut state', () => cut(pathOf(9, 'state.json'), 50), 6, [/000009.state\.json is not JSON/]],
    [
      'no optimiser',
      () => rm(pathOf(9, 'optimizer.safetensors')),
      6,
      [/optimizer.* cannot be read: there is no such file or folder \(ENOENT\)/],
    ],
    [
      'damage in all',
      async () => {
        for (const iteration of [3, 6, 9]) await rm(pathOf(iteration, 'state.json'));
      },
      null,
      [/000009.*missing/, /000006.*missing/, /000003.*missing/],
    ],
    ['nothing', () => rm(folder, { recursive: true }), null, []],
  ])('with %s', async (_, damage, iteration, problems) => {
    await damage();
    expect(await found()).toEqual({ iteration, problems: problems.map((problem) => expect.stringMatching(problem)) });
  });

  test('and a reader is told which there are', async () => {
    await rm(latest());
    await expect(openCheckpoint(folder)).rejects.toThrow('says which is the last; choose one: 3, 6, 9.');
  });
});
