/**
 * Runs on disk that train adapters: what checkpoints hold, and that a run which was stopped goes on with the same bits.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { loadRun, loadRunModel, trainRun } from '../../src/rl/run.node.ts';
import { openRun } from '../../src/runs/run.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { lastTensors } from '../support/checkpoints.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-lora-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf');

/** Two actions, of which one is right, and an expert who knows it. */
const world = join(folder, 'doors.mjs');
writeFileSync(
  world,
  `export default (options, { defineTaskSet }) => defineTaskSet({
    name: 'doors',
    maxSteps: 2,
    tasks: [...'abcdefgh'].map((id) => ({ id, type: 'door' })),
    instruction: () => 'go',
    *play() {
      const action = yield { observation: 'two doors', actions: ['left', 'right'] };
      return { observation: 'over', success: action === 'right' };
    },
    createExpert: () => ({ reset() {}, act: () => 'right' }),
  });`,
);

const settings = (warmStartTasks: number, iterations: number): TrainConfig =>
  trainConfigSchema.parse({
    model,
    environment: { name: world },
    lora: { rank: 2, alpha: 4, targets: ['q_proj', 'up_proj'], dropout: 0.2 },
    prompt: { maxTokens: 64 },
    sampling: { maxNewTokens: 8, blockSize: 4 },
    warmStart: { tasks: warmStartTasks, epochs: 2, batchTurns: 2, learningRate: 1e-2 },
    training: { iterations, pool: 2, tasks: 2, groupSize: 4, miniBatches: 2, learningRate: 1e-2 },
    optimiser: { microBatchTokens: 256, checkpointing: 'block' },
    evaluation: { split: 'train', tasks: 2 },
    checkpoints: { every: 1, keep: 3 },
  });

const makeEngine = async () => new Engine(await testDevice(testAdapters.at(-1)!));
const train = async (dir: string, config: TrainConfig, resume = false) =>
  trainRun(await makeEngine(), { dir, config, version: '0.0.0', resume });

/** All that the last checkpoint holds, by name. */
const tensorsOf = async (dir: string) => lastTensors(await openRun(dir));

describe.each([
  ['from the base', 0],
  ['after a warm start', 4],
])('a run with adapters and dropout %s', (name, warmStartTasks) => {
  const whole = join(folder, `whole ${name}`);
  const stopped = join(folder, `stopped ${name}`);

  it('goes on after a stop with the same bits', async () => {
    await train(whole, settings(warmStartTasks, 3));
    await train(stopped, settings(warmStartTasks, 2));
    const config = join(stopped, 'config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('iterations: 2', 'iterations: 3'));
    await train(stopped, settings(warmStartTasks, 3), true);
    expect(await tensorsOf(stopped)).toEqual(await tensorsOf(whole));
  });

  it('keeps the adapters alone, and of the reference what a warm start moved', async () => {
    const names = [...(await tensorsOf(whole)).keys()];
    const kinds = new Set(names.map((tensor) => tensor.replace(/base_model.*/, '')));
    const adapters = names.filter((tensor) => tensor.startsWith('base_model'));
    expect(adapters).toHaveLength(2 * 2 * 2);
    expect(names.every((tensor) => /lora_[AB]\.weight$/.test(tensor))).toBe(true);
    expect(kinds).toEqual(
      new Set(['', 'adapters first moment.', 'adapters second moment.', ...(warmStartTasks > 0 ? ['reference.'] : [])]),
    );
    const bytes = (file: string) => statSync(join(whole, 'checkpoints', '000003', file)).size;
    expect(bytes('weights.safetensors')).toBeLessThan(statSync(model).size / 3);
  });

  it('acts with its adapters', async () => {
    const engine = await makeEngine();
    const { source } = await loadRunModel(engine, whole);
    const saved = await tensorsOf(whole);
    const { variable, parameters } = source.model.trainable;
    const values = await engine.read(variable);
    for (const { name: tensor, offset } of parameters) {
      const { data } = saved.get(tensor)!;
      expect(values.subarray(offset, offset + data.length)).toEqual(data);
    }
    const { trainer } = await loadRun(await makeEngine(), whole);
    expect([trainer.reference, (await trainer.evaluate()).episodes]).toEqual([null, 2]);
  });
});
