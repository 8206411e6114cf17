import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ProxmoError } from '../../src/errors.ts';
import {
  type Checkpoint,
  latestCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  removeLeftovers,
  saveCheckpoint,
} from '../../src/runs/checkpoint.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'proxmo-checkpoint-')), 'checkpoints');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

function checkpointOf(iteration: number): Checkpoint {
  return {
    iteration,
    weights: [
      { name: 'layer.0.weight', shape: [2, 3], data: Float32Array.from({ length: 6 }, (_, i) => iteration + i / 8) },
      { name: 'scale', shape: [], data: Float32Array.of(Number.NaN) },
    ],
    optimizer: [{ name: 'm.layer.0.weight', shape: [0], data: new Float32Array(0) }],
    state: { step: iteration * 2, rng: [1, 2, 3], best: null },
  };
}

test('comes back bit for bit', async () => {
  await saveCheckpoint(folder, checkpointOf(12), 3);
  expect(await loadCheckpoint(folder)).toEqual(checkpointOf(12));
  expect((await readdir(folder)).sort()).toEqual(['000012', 'latest']);
  expect((await readdir(join(folder, '000012'))).sort()).toEqual(['optimizer.safetensors', 'state.json', 'weights.safetensors']);
});

test('the last few are kept, and the newest is the latest', async () => {
  for (const iteration of [1, 2, 5, 9]) await saveCheckpoint(folder, checkpointOf(iteration), 2);
  expect(await listCheckpoints(folder)).toEqual([5, 9]);
  expect(await latestCheckpoint(folder)).toBe(9);
  expect((await loadCheckpoint(folder, 5)).iteration).toBe(5);
  await expect(loadCheckpoint(folder, 1)).rejects.toThrow('has no checkpoint of iteration 1; there are 5, 9.');
});

test('the latest is never replaced, an orphan is', async () => {
  await saveCheckpoint(folder, checkpointOf(1), 3);
  await expect(saveCheckpoint(folder, checkpointOf(1), 3)).rejects.toThrow('saved already');
  await saveCheckpoint(folder, checkpointOf(2), 3);
  await writeFile(join(folder, 'latest'), '000001\n');
  await saveCheckpoint(folder, { ...checkpointOf(2), state: { again: true } }, 3);
  expect((await loadCheckpoint(folder)).state).toEqual({ again: true });
});

test('an empty folder, or none, has no checkpoint', async () => {
  expect(await listCheckpoints(folder)).toEqual([]);
  expect(await latestCheckpoint(folder)).toBeNull();
  await expect(loadCheckpoint(folder)).rejects.toThrow('has no checkpoint yet');
});

describe('what cannot be saved leaves nothing', () => {
  test.each<[string, Partial<Checkpoint>, number]>([
    ['an iteration that is not a count', { iteration: 1.5 }, 3],
    ['keeping none', {}, 0],
    ['a state with NaN', { state: { loss: Number.NaN } }, 3],
    ['a tensor that does not fit its shape', { weights: [{ name: 'w', shape: [3], data: new Float32Array(2) }] }, 3],
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
    await expect(loadCheckpoint(folder)).rejects.toThrow('does not match the hash');
    await writeFile(inside(name), bytes.subarray(0, 20));
    await expect(loadCheckpoint(folder)).rejects.toThrow('does not match the hash');
    await rm(inside(name));
    await expect(loadCheckpoint(folder)).rejects.toMatchObject({ code: 'file', message: /cannot be read \(ENOENT\)/ });
  });

  test('a missing or changed state', async () => {
    const text = await readFile(inside('state.json'), 'utf8');
    await writeFile(inside('state.json'), text.replace('"version": 1', '"version": 2'));
    await expect(loadCheckpoint(folder)).rejects.toThrow('at `version`');
    await rm(inside('state.json'));
    await expect(loadCheckpoint(folder)).rejects.toThrow('state.json is missing');
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
        const outcome = await loadCheckpoint(folder).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ProxmoError);
      }),
      { numRuns: 60 },
    );
  });

  test('a folder under another name, and a pointer to nothing', async () => {
    await rename(join(folder, '000001'), join(folder, '000004'));
    await expect(loadCheckpoint(folder, 4)).rejects.toThrow('is of iteration 1, not 4');
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
