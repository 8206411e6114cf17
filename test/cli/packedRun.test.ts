/** Adapters that are trained on packed weights (QLoRA), through the commands. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadRunModel } from '../../src/rl/run.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';
import { vowelWorld } from '../support/vowelWorld.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-packed-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const base = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'qwen2.gguf');
const world = join(folder, 'doors.mjs');
writeFileSync(world, vowelWorld('abcdef'));

const dir = join(folder, 'run');
const train = (...more: string[]) => {
  const settings = [
    'prompt.maxTokens=64',
    'sampling.constrained=false',
    'sampling.maxNewTokens=4',
    'warmStart.tasks=0',
    'training.iterations=1',
    'training.pool=2',
    'training.tasks=2',
    'training.groupSize=4',
    'evaluation.split=train',
    'evaluation.tasks=2',
  ].flatMap((setting) => ['--set', setting]);
  return proxmo(['train', '--preset', 'small', '--env', world, '--model', base, ...settings, ...more]);
};
const packed = ['--set', 'precision=packed'];
const lora = ['--set', 'lora.rank=2'];

beforeAll(async () => {
  const { code, stderr } = await train(...packed, ...lora, '--out', dir);
  expect(stderr).toContain('iteration 1/1');
  expect(code).toBe(0);
}, 120_000);

it('is evaluated and asked, and its weights take the bytes that were planned', async () => {
  expect(JSON.parse((await proxmo(['eval', dir, '--json'])).stdout)).toMatchObject({ iteration: 1, episodes: 2 });
  const ask = async (...more: string[]) => {
    const args = ['--model', dir, '--prompt', 'look', '--json', '--max-tokens', '8', '--temperature', '0'];
    return JSON.parse((await proxmo(['generate', ...args, ...more])).stdout).replies[0];
  };
  const [own, widened] = [await ask(), await ask('--precision', 'f32')];
  expect(own.tokens).toEqual(widened.tokens);
  expect(Math.abs(own.logProb - widened.logProb)).toBeLessThan(1e-3);

  const { slab } = (await loadRunModel(new Engine(await testDevice(testAdapters.at(-1)!)), dir)).source.model;
  const planOf = async (...more: string[]) =>
    JSON.parse((await train(...more, '--plan', '--json')).stdout).parts.weights;
  expect(await planOf(...packed, ...lora)).toBe(slab.bytes);
  expect(slab.bytes).toBeLessThan(0.9 * (await planOf(...lora)));
});

it('is exported with its adapters merged into widened weights', async () => {
  const { code, stdout } = await proxmo(['model', 'export', dir, join(folder, 'merged'), '--merge']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('in float32, adapters merged')]);
});

it('is refused without adapters, before anything is written', async () => {
  const never = join(folder, 'never');
  const { code, stderr } = await train(...packed, '--set', 'lora=null', '--out', never);
  expect(code).not.toBe(0);
  expect(stderr).toContain('Packed weights cannot be trained themselves; train adapters on them');
  expect(existsSync(never)).toBe(false);
});
