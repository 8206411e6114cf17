/** Training as a part of another program: a task set in memory, events as a stream, with a folder or without. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageVersion } from '../../src/base/packageVersion.ts';
import { defineTaskSet } from '../../src/envs/define.ts';
import { streamRun, trainRun } from '../../src/rl/run.node.ts';
import { type TrainingEvent, train } from '../../src/rl/train.ts';
import { openRun } from '../../src/runs/run.ts';
import { tinyConfig, tinyEngine, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-train-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = tinyConfig(writeTinyWorld(folder), { evaluation: { every: 1 } });

const taskSet = defineTaskSet({
  name: 'doors',
  maxSteps: 1,
  tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((id) => ({ id, type: 'door' })),
  words: ['go', 'two', 'doors', 'over', 'left', 'right'],
  instruction: () => 'go',
  *play() {
    const action = yield { observation: 'two doors', actions: ['left', 'right'] };
    return { observation: 'over', success: action === 'left' };
  },
});

describe('train', () => {
  it('tells of a warm start, evaluations and iterations, and comes to a trainer', async () => {
    const engine = await tinyEngine();
    const training = train(engine, { taskSet, config });
    const told: string[] = [];
    const iterations: Extract<TrainingEvent, { kind: 'iteration' }>[] = [];
    for await (const event of training) {
      if (event.kind === 'iteration') iterations.push(event);
      if (event.kind === 'iteration' || event.kind === 'evaluation') told.push(`${event.kind} ${event.iteration}`);
      else if (event.kind === 'warm start') told.push(`warm start ${event.loss}`);
    }
    expect(told).toEqual([
      ...['warm start null', 'evaluation 0', 'iteration 1', 'evaluation 1', 'iteration 2', 'evaluation 2'],
    ]);
    expect(iterations[0]!.episodes).toHaveLength(4);
    expect(iterations[0]!.advantages.advantage).toHaveLength(4);
    const { trainer, before, after } = await training.result;
    expect(before.success).toBeGreaterThanOrEqual(0);
    expect(after.success).toBeLessThanOrEqual(1);
    expect(engine.memory.variables).toBeGreaterThan(0);
    await trainer.destroy();
    expect(engine.memory.variables).toBe(0);
  });

  it.each([
    [
      'a loop over its events is left',
      async (training: ReturnType<typeof train>) => {
        for await (const { kind } of training) if (kind === 'iteration') break;
      },
    ],
    [
      'its signal fires',
      async (training: ReturnType<typeof train>, controller: AbortController) => {
        controller.abort();
        await expect(training.result).rejects.toMatchObject({ code: 'interrupted' });
      },
    ],
  ])('ends where %s, and holds nothing then', async (_, end) => {
    const engine = await tinyEngine();
    const controller = new AbortController();
    const training = train(engine, { taskSet, config, signal: controller.signal });
    await end(training, controller);
    await expect(training.result).rejects.toMatchObject({ code: 'interrupted' });
    expect(engine.memory.variables).toBe(0);
  });

  it('names the setting that is not valid', async () => {
    const training = train(await tinyEngine(), { taskSet, config: { training: { groupSize: -1 } } });
    await expect(training.result).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/^The settings of this training are not valid: .*training\.groupSize/),
    });
  });
});

it('streamRun writes a run of a task set in memory, stops where its loop is left, and goes on', async () => {
  const engine = await tinyEngine();
  const dir = join(folder, 'run');
  // Of the settings only those that differ from their defaults.
  const { seed, policy, prompt, sampling, warmStart, training, evaluation, checkpoints } = config;
  const some = { seed, policy, prompt, sampling, warmStart, training, evaluation, checkpoints };
  const options = { dir, config: some, taskSet };
  const first = streamRun(engine, options);
  for await (const { kind } of first) if (kind === 'iteration') break;
  await expect(first.result).rejects.toMatchObject({ code: 'interrupted' });
  const stopped = await openRun(dir);
  expect(stopped.config).toMatchObject({ environment: { name: 'doors' } });
  expect(stopped.manifest.version).toBe(packageVersion);
  expect(await stopped.latestCheckpoint()).toBeGreaterThanOrEqual(1);
  const kinds: string[] = [];
  const second = streamRun(engine, { ...options, resume: true });
  for await (const { kind } of second) kinds.push(kind);
  expect(kinds.at(-1)).toBe('checkpoint');
  expect(await second.result).toMatchObject({ seed: 1 });
  expect(await (await openRun(dir)).latestCheckpoint()).toBe(2);
  expect(engine.memory.variables).toBe(0);
});

it('trainRun says what is wrong with its settings, and leaves no folder', async () => {
  const dir = join(folder, 'never');
  const run = trainRun(await tinyEngine(), { dir, taskSet, config: { training: { iterations: -1 } } });
  await expect(run).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(/training\.iterations/) });
  expect(existsSync(dir)).toBe(false);
});
