/**
 * Runs that begin with saved adapters: whose form they have, what the reference is, and that they go on only with the
 * same files.
 */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { AdapterFolder, saveAdapter } from '../../src/models/peft.node.ts';
import { openPretrained } from '../../src/models/pretrained.node.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { adapterWeights } from '../../src/nn/loraWeights.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { planRun } from '../../src/rl/planRun.node.ts';
import { loadRunModel, trainRun } from '../../src/rl/run.node.ts';
import { startingAdapters } from '../../src/rl/startingAdapters.node.ts';
import { openRun } from '../../src/runs/run.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { lastTensors } from '../support/checkpoints.ts';
import { hfFixture, sourceOf } from '../support/hfFixtures.ts';
import { peftFixture } from '../support/peftFixtures.ts';
import { vowelWorld } from '../support/vowelWorld.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-starting-adapters-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf');
const saved = join(folder, 'saved');

const world = join(folder, 'doors.mjs');
writeFileSync(world, vowelWorld('abcd'));

const settings = (iterations: number, lora: object): TrainConfig =>
  trainConfigSchema.parse({
    model,
    environment: { name: world },
    lora,
    prompt: { maxTokens: 64 },
    sampling: { maxNewTokens: 4, blockSize: 4 },
    warmStart: { tasks: 0 },
    training: { iterations, pool: 2, tasks: 2, groupSize: 4, miniBatches: 2, learningRate: 1e-2 },
    evaluation: { split: 'train', tasks: 2 },
    checkpoints: { every: 1, keep: 3 },
  });

const makeEngine = async () => new Engine(await testDevice(testAdapters.at(-1)!));
const train = async (dir: string, config: TrainConfig, resume = false) =>
  trainRun(await makeEngine(), { dir, config, version: '0.0.0', resume });

/** Adapters that change the model: neither matrix is 0. */
beforeAll(async () => {
  const engine = await makeEngine();
  const { model: hf, close } = await openPretrained(model);
  await close();
  const config = { rank: 3, alpha: 6, targets: ['q_proj', 'down_proj'], rankStabilised: true };
  const adapters = new LoraAdapters(hf, config, 5);
  const { variable, size } = adapters.slab;
  engine.write(
    variable,
    Float32Array.from({ length: size }, (_, index) => Math.sin(index) / 8),
  );
  await saveAdapter(saved, hf, config, adapterWeights(engine, adapters), model);
});

async function savedTensors(): Promise<ReadonlyMap<string, Float32Array>> {
  const opened = await AdapterFolder.open(saved);
  const tensors = new Map<string, Float32Array>();
  for (const name of opened.names()) tensors.set(name, await opened.read(name));
  await opened.close();
  return tensors;
}

describe('a run that begins with saved adapters', () => {
  const [whole, stopped] = [join(folder, 'whole'), join(folder, 'stopped')];

  it('has their form and their weights, and holds on to them', async () => {
    await train(whole, settings(2, { from: saved, dropout: 0.1 }));
    const { source } = await loadRunModel(await makeEngine(), whole, 0);
    expect(source.model.adapters!.config).toEqual({
      rank: 3,
      alpha: 6,
      targets: ['q_proj', 'down_proj'],
      rankStabilised: true,
      dropout: 0.1,
    });
    const engine = await makeEngine();
    const first = adapterWeights(engine, (await loadRunModel(engine, whole, 0)).source.model.adapters!);
    const last = await lastTensors(await openRun(whole));
    for (const [name, values] of await savedTensors()) {
      expect(await first.read(name), name).toEqual(values);
      expect(last.get(name)!.data, name).not.toEqual(values);
      expect(last.get(`reference.${name}`)!.data, name).toEqual(values);
    }
  });

  it('goes on after a stop with the same bits', async () => {
    const config = settings(1, { from: saved, dropout: 0.1 });
    await train(stopped, config);
    await train(stopped, { ...config, training: { ...config.training, iterations: 2 } }, true);
    expect(await lastTensors(await openRun(stopped))).toEqual(await lastTensors(await openRun(whole)));
  });

  it('counts their copy in its memory plan', async () => {
    const engine = await makeEngine();
    const taskSet = await createNamedTaskSet(world, {});
    const { parts } = await planRun(engine, settings(1, { from: saved }), taskSet);
    expect(parts.reference).toBe(parts.adapters);
    expect(parts.adapters).toBeGreaterThan(0);
    expect((await planRun(engine, settings(1, {}), taskSet)).parts.reference).toBe(0);
  });

  it('does not go on with others', async () => {
    const [dir, own] = [join(folder, 'changed'), join(folder, 'own')];
    cpSync(saved, own, { recursive: true });
    await train(dir, settings(0, { from: own }));
    await expect(train(dir, settings(1, { from: saved }), true)).rejects.toThrow(
      `other settings than it began with: lora.from was "${own.slice(0, 59)}`,
    );
    await expect(train(dir, settings(1, { rank: 3 }), true)).rejects.toThrow('lora.from was');
    const edited = join(dir, 'config.yaml');
    const text = readFileSync(edited, 'utf8');
    writeFileSync(edited, text.replace(own, saved));
    await expect(loadRunModel(await makeEngine(), dir)).rejects.toThrow(
      `names the adapter ${saved}, but the run began with ${own}; restore it.`,
    );
    writeFileSync(edited, text);
    appendFileSync(join(own, 'adapter_config.json'), '\n');
    await expect(train(dir, settings(1, { from: own }), true)).rejects.toMatchObject({
      code: 'file',
      message: `${own} is not the adapter that ${dir} began with: its files have changed; put them back.`,
    });
  });
});

/** Of a model, where adapters have no copies of them. */
const noWeights = sourceOf(new Map());

describe('settings beside saved adapters', () => {
  const open = async (lora: object) => {
    const { lora: given } = settings(0, { from: peftFixture('llama'), ...lora });
    return startingAdapters(await makeEngine(), await readHfModel(hfFixture('llama')), noWeights, given!, 1);
  };
  const targets = (
    JSON.parse(readFileSync(join(peftFixture('llama'), 'adapter_config.json'), 'utf8')) as { target_modules: string[] }
  ).target_modules;

  it.each([{}, { rank: 4 }, { alpha: 6, rankStabilised: false }, { targets }])('may agree: %j', async (lora) => {
    expect((await open(lora)).config).toMatchObject({ rank: 4, alpha: 6, targets });
  });

  it.each([
    [{ rank: 8 }, /^lora\.rank is 8, but the adapters in .*llama have 4; leave lora\.rank out\.$/],
    [{ alpha: 32 }, /^lora\.alpha is 32, but .* have 6;/],
    [{ rankStabilised: true }, /^lora\.rankStabilised is true, but .* have false;/],
    [
      { targets: ['q_proj'] },
      /^lora\.targets and the adapters in .* differ: only one of them names model\.layers\.0\./,
    ],
    [
      { targets: 'all-linear' },
      /only one of them names model\.layers\.0\.self_attn\.k_proj; leave lora\.targets out\.$/,
    ],
    [{ targets: ['c_attn'] }, /targets name no projection "c_attn"/],
  ])('must not differ: %j', async (lora, message) => {
    await expect(open(lora)).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(message) });
  });

  it('are of this model', async () => {
    const { lora } = settings(0, { from: peftFixture('gpt2') });
    const hf = await readHfModel(hfFixture('llama'));
    await expect(startingAdapters(await makeEngine(), hf, noWeights, lora!, 1)).rejects.toMatchObject({
      code: 'config',
    });
    // The same names of projections, of other sizes: the message says whose they are.
    const { lora: ofQwen } = settings(0, { from: peftFixture('qwen3') });
    await expect(startingAdapters(await makeEngine(), hf, noWeights, ofQwen!, 1)).rejects.toMatchObject({
      code: 'file',
      message: expect.stringMatching(/peft\/qwen3 \(made for .*qwen3\)(: | has no tensor )/),
    });
  });
});

it('new adapters have the defaults, and √rank where that is asked for', async () => {
  const config = settings(0, { rankStabilised: true, rank: 4 });
  expect(config.lora).toEqual({ rank: 4, alpha: 32, targets: 'all-linear', rankStabilised: true, dropout: 0 });
  expect(trainConfigSchema.parse(config)).toEqual(config);
  const hf = await readHfModel(hfFixture('llama'));
  expect((await startingAdapters(await makeEngine(), hf, noWeights, config.lora!, 1)).config.rankStabilised).toBe(true);
});
