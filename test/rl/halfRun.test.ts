/** Runs on disk with weights in f16: that they go on after a stop with the same bits, and what the policy acts with. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../src/base/float16.ts';
import { readParameter } from '../../src/nn/halfWeights.ts';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { planMemory } from '../../src/rl/memoryPlan.ts';
import { loadRun, loadRunModel, trainRun } from '../../src/rl/run.node.ts';
import { openRun } from '../../src/runs/run.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { halfAdapter, needsHalf, testDevice } from '../support/adapters.ts';
import { lastTensors } from '../support/checkpoints.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-half-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings = (iterations: number): TrainConfig =>
  trainConfigSchema.parse({
    precision: 'f16',
    environment: { options: { receptacles: 4, objects: 3, maxSteps: 4, rooms: 80 } },
    prompt: { maxTokens: 128 },
    policy: { dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 24 },
    sampling: { maxNewTokens: 4, blockSize: 2, constrained: true },
    warmStart: { tasks: 8, epochs: 1, batchTurns: 8 },
    training: { iterations, pool: 2, tasks: 2, groupSize: 2, miniBatches: 2 },
    optimiser: { microBatchTokens: 512 },
    evaluation: { tasks: 2 },
    checkpoints: { every: 1, keep: 3 },
  });

const makeEngine = async () => new Engine(await testDevice(halfAdapter!));
const train = async (dir: string, config: TrainConfig, resume = false) =>
  trainRun(await makeEngine(), { dir, config, version: '0.0.0', resume });

/** All that the last checkpoint holds, by name. */
const tensorsOf = async (dir: string) => lastTensors(await openRun(dir));

function rounded(values: Float32Array): Float32Array {
  return float16ToFloat32(float32ToFloat16(values));
}

describe('a run with weights in f16', needsHalf, () => {
  const whole = join(folder, 'whole');
  const stopped = join(folder, 'stopped');

  it('goes on after a stop with the same bits', async () => {
    await train(whole, settings(2));
    await train(stopped, settings(1));
    const config = join(stopped, 'config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('iterations: 1', 'iterations: 2'));
    await train(stopped, settings(2), true);
    expect(await tensorsOf(stopped)).toEqual(await tensorsOf(whole));
  });

  it('keeps float32 masters, and of the reference what its f16 matrices are', async () => {
    const tensors = await tensorsOf(whole);
    const { data } = tensors.get('embedding')!;
    expect(rounded(data)).not.toEqual(data);
    const reference = tensors.get('reference.embedding')!.data;
    expect(rounded(reference)).toEqual(reference);
    expect(tensors.get('reference.finalNorm')!.data).not.toEqual(new Float32Array(16));
  });

  it('acts with its masters rounded, or in float32 where that is asked for', async () => {
    const engine = await makeEngine();
    const saved = await tensorsOf(whole);
    for (const precision of ['f16', 'f32'] as const) {
      const { slab } = (await loadRunModel(engine, whole, undefined, precision)).source.model;
      expect(slab.half === null).toBe(precision === 'f32');
      for (const { name, shape, decay } of slab.all) {
        const { data } = saved.get(name)!;
        const want = precision === 'f16' && decay ? rounded(data) : data;
        expect(await readParameter(engine, slab, name, 0, sizeOf(shape)), name).toEqual(want);
      }
    }
    const { trainer } = await loadRun(await makeEngine(), whole);
    expect((await trainer.evaluate()).episodes).toBe(2);
  });

  it('is planned with two bytes for what is frozen', async () => {
    const { source, config } = await loadRunModel(await makeEngine(), whole, undefined, 'f16');
    const { slab } = source.model;
    const { parts } = planMemory(
      { model: source.model, config, maxSteps: 16 },
      { largestBuffer: 2 ** 30, total: null },
    );
    expect(parts.weights).toBe(4 * slab.size + 2 * slab.half!.size);
  });
});

it('is refused on a device without 16-bit floats, before there is a folder', async () => {
  const dir = join(folder, 'refused');
  const config = { ...settings(1), loss: { ...settings(1).loss, klCoefficient: 0 } };
  const engine = new Engine(await testDevice('swiftshader'));
  await expect(trainRun(engine, { dir, config, version: '0.0.0' })).rejects.toThrow(
    'has no 16-bit floats (shader-f16)',
  );
  expect(existsSync(dir)).toBe(false);
});
