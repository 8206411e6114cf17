/**
 * What can be done with a run of supervised fine-tuning: it speaks, it is where training begins, and it plays nothing.
 */
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readOutcome } from '../../../src/cli/compare/outcomes.ts';
import { checkSource, openSource } from '../../../src/cli/generate/source.ts';
import { modelCard } from '../../../src/cli/model/card.ts';
import { newRunConfig } from '../../../src/cli/newConfig.ts';
import { loadStart } from '../../../src/rl/run.node.ts';
import { policyConfig } from '../../../src/rl/runConfig.node.ts';
import { openRun } from '../../../src/runs/run.ts';
import { openFolders } from '../../../src/view/server/openFolders.node.ts';
import { lastTensors } from '../../support/checkpoints.ts';
import { type SftWorld, sftSettings, sftWorld, trainSft } from '../../support/sftRun.ts';
import { tinyEngine, writeTinyWorld } from '../../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-sft-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [adapters, weights, unfinished] = ['adapters', 'weights', 'unfinished'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
let world: SftWorld;
let set: string[];

beforeAll(async () => {
  world = await sftWorld(folder);
  const training = { epochs: 1, batchChats: 3, learningRate: 1e-2 };
  await trainSft(adapters, sftSettings(world, { training }));
  await trainSft(weights, sftSettings(world, { training, lora: null }));
  const stopped = trainSft(unfinished, sftSettings(world, { training }), {
    onEvent: (event) => {
      if (event.kind === 'step') throw new Error('killed');
    },
  });
  await expect(stopped).rejects.toThrow('killed');
  const environment = writeTinyWorld(folder);
  set = [
    `environment.name=${environment}`,
    'prompt.maxTokens=400',
    'sampling.maxNewTokens=4',
    'sampling.blockSize=4',
    'evaluation.tasks=2',
    'training.tasks=1',
    'training.groupSize=2',
  ];
});

/** All weights that a model trains, in the order of its slab. */
async function trainedOf(engine: Awaited<ReturnType<typeof tinyEngine>>, config: Parameters<typeof loadStart>[1]) {
  const { trainer } = await loadStart(engine, config);
  return { trainer, values: await engine.read(trainer.policy.model.trainable.variable) };
}

describe('training that goes on from it', () => {
  it('begins with its adapters', async () => {
    const engine = await tinyEngine();
    const config = await newRunConfig('pretrained', { set }, adapters);
    expect(config).toMatchObject({ model: world.model, lora: { from: join(adapters, 'adapters') } });
    const { trainer, values } = await trainedOf(engine, config);
    const saved = await lastTensors(await openRun(adapters));
    for (const { name, offset } of trainer.policy.model.trainable.parameters) {
      const { data } = saved.get(name)!;
      expect(values.subarray(offset, offset + data.length)).toEqual(data);
    }
    expect((await trainer.evaluate()).episodes).toBe(2);
  });

  it('begins with its weights, under new adapters or as they are', async () => {
    const engine = await tinyEngine();
    const config = await newRunConfig('pretrained', { set: [...set, 'lora=null'] }, weights);
    expect(config.model).toBe(join(weights, 'model'));
    const { trainer } = await trainedOf(engine, config);
    const saved = await lastTensors(await openRun(weights));
    const name = trainer.policy.model.trainable.all[0]!.name;
    expect([...saved.keys()]).toContain(name);
    const again = await newRunConfig('pretrained', { set }, weights);
    expect(again).toMatchObject({ model: join(weights, 'model'), lora: { rank: 16 } });
  });

  it('is refused with another model, without adapters, and from what is not finished', async () => {
    const other = join(folder, 'other');
    cpSync(world.model, other, { recursive: true });
    appendFileSync(join(other, 'tokenizer_config.json'), '\n');
    const init = (dir: string, ...more: string[]) => newRunConfig('pretrained', { set: [...set, ...more] }, dir);
    await expect(init(adapters, `model=${other}`)).rejects.toThrow(`belong to ${world.model}, and ${other} is another`);
    await expect(init(weights, `model=${other}`)).rejects.toThrow('no other model can be named');
    await expect(init(adapters, 'lora=null')).rejects.toThrow('these settings train all weights (lora: null)');
    await expect(init(unfinished)).rejects.toThrow(`${unfinished} is not finished; go on with it first`);
    await expect(init(folder)).rejects.toThrow('is not a run');
  });
});

describe('a run that plays nothing', () => {
  it('speaks, as its model samples', async () => {
    expect(await checkSource(adapters)).toBe(adapters);
    const source = await openSource(await tinyEngine(), adapters);
    // They are in its weights.
    expect(source.model.adapters).toBeNull();
    expect(source.encodeMessage?.('hi').length).toBeGreaterThan(0);
    expect(source.sampling?.from).not.toBe('the run');
  });

  it('has a card that tells of chats', async () => {
    const run = await openRun(adapters);
    const subject = {
      run,
      config: policyConfig(run),
      base: world.model,
      iteration: 3,
      dir: 'out',
      form: 'adapters',
    } as const;
    const card = await modelCard(subject);
    expect(card).toContain('fine-tuned by');
    expect(card).toMatch(/of 9 chats: 3 optimiser steps.*Loss on 3 held-out chats/s);
    expect(card).not.toMatch(/episode|iterations of/);
  });

  it('is refused by what shows episodes, in a sentence, and shown by its losses', async () => {
    await expect(readOutcome(adapters)).rejects.toThrow(`${adapters} is a run of proxmo sft, which plays nothing`);
    const [folder] = await openFolders([adapters]);
    expect(await folder!.describe()).toMatchObject({ kind: 'sft', state: 'finished', rollouts: [], problem: null });
  });
});
