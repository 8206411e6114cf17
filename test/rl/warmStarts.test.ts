/** Warm starts that runs share: who may, and that it changes no bits. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { TrainEvent } from '../../src/rl/trainingRun.node.ts';
import { WarmStarts } from '../../src/rl/warmStarts.node.ts';
import { essenceOf, type TinySettings, tinyConfig, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-warm-starts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);
const shared = join(folder, 'shared');

let count = 0;
/** Trains, and says whether the warm start was that of another run. */
async function train(settings: TinySettings, warmStarts?: WarmStarts) {
  const dir = join(folder, String(count++));
  const events: TrainEvent[] = [];
  const merged = { ...settings, warmStart: { tasks: 4, ...settings.warmStart } };
  await trainTiny(dir, tinyConfig(world, merged), {
    onEvent: (event) => void events.push(event),
    ...(warmStarts ? { warmStarts } : {}),
  });
  return { dir, isShared: events.find((event) => event.kind === 'warm start')!.isShared };
}

const other: TinySettings = { training: { groupSize: 4, learningRate: 2e-2 }, evaluation: { every: 1 } };

it('a run with the warm start of another one has the bits of its own', async () => {
  const store = new WarmStarts(shared, '1');
  expect((await train({}, store)).isShared).toBe(false);
  const begun = await train(other, store);
  expect(begun.isShared).toBe(true);
  const own = await train(other);
  expect(own.isShared).toBe(false);
  expect(await essenceOf(begun.dir)).toEqual(await essenceOf(own.dir));
});

it.each<[string, TinySettings, string]>([
  ['another seed', { seed: 2 }, '1'],
  ['another warm start', { warmStart: { learningRate: 1e-3 } }, '1'],
  ['another policy', { policy: { dFf: 16 } }, '1'],
  ['another version', {}, '2'],
])('%s has a warm start of its own', async (_, settings, version) => {
  expect((await train(settings, new WarmStarts(shared, version))).isShared).toBe(false);
});

it('one that is damaged is made again', async () => {
  const store = new WarmStarts(join(folder, 'damaged'), '1');
  await train({}, store);
  const [name] = readdirSync(join(folder, 'damaged'));
  const weights = join(folder, 'damaged', name!, '000000', 'weights.safetensors');
  const bytes = readFileSync(weights);
  writeFileSync(weights, bytes.subarray(0, bytes.length - 4));
  expect((await train({}, store)).isShared).toBe(false);
  expect(readFileSync(weights).equals(bytes)).toBe(true);
  expect((await train({}, store)).isShared).toBe(true);
});
