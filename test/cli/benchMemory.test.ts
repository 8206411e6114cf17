/**
 * Memory of training steps and of sampling: how it grows with the context, and that nothing is made or left behind once
 * a program is warm.
 */
import { describe, expect, it } from 'vitest';
import { measureGrowth, slopeOf } from '../../src/cli/bench/growth.ts';
import { leakWorkload } from '../../src/cli/bench/leakWorkload.ts';
import { scaleWorkloads, sequenceOf } from '../../src/cli/bench/scaleWorkloads.ts';
import { SequenceStep, sequenceGraph } from '../../src/cli/bench/sequenceStep.ts';
import { model1M, model10M, model100M } from '../../src/cli/bench/sizes.ts';
import { workloadRow } from '../../src/cli/bench/workload.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { plan } from '../../src/tensor/planner.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const small = { ...model1M.config, layers: 1, dModel: 32, heads: 1, kvHeads: 1, dFf: 64 };

describe('the models', () => {
  it.each([
    [model1M, 1e6],
    [model10M, 1e7],
    [model100M, 1e8],
  ])('have about the parameters that they are named for', ({ config }, count) => {
    const { parameterCount } = new Transformer(config, null).slab;
    expect(Math.abs(parameterCount / count - 1)).toBeLessThan(0.1);
  });
});

describe('a slope', () => {
  it('is that of a straight line, with an error that is 0 on it', () => {
    expect(slopeOf([5, 8, 11, 14])).toEqual({ bytes: 3, error: 0 });
  });

  it('has the standard error of least squares', () => {
    const { bytes, error } = slopeOf([1, 3, 2, 5, 4]);
    expect(bytes).toBeCloseTo(0.8, 12);
    expect(error).toBeCloseTo(Math.sqrt(3.6 / 3 / 10), 12);
  });
});

describe('the memory plan of a training step', () => {
  const memoryAt = (length: number) => {
    const { loss, updates } = sequenceGraph(model1M.config, length);
    return plan([loss], updates).memory;
  };

  it('grows linearly with the context', () => {
    const [at512, at1024, at2048, at4096] = [512, 1024, 2048, 4096].map((length) => memoryAt(length).planned) as [
      number,
      number,
      number,
      number,
    ];
    expect(at1024 / at512).toBeCloseTo(2, 1);
    expect(at2048 / at1024).toBeCloseTo(2, 1);
    expect(at4096 / at2048).toBeCloseTo(2, 1);
    // A matrix of scores of one head alone, [4096, 4096], would take 64 MiB.
    expect(at4096 - 2 * at2048).toBeLessThan(2 ** 20);
  });

  it('is close to the least there can be, and far below the sum of all values', () => {
    const { planned, sum, lowerBound } = memoryAt(1024);
    expect(planned).toBeGreaterThanOrEqual(lowerBound);
    expect(planned).toBeLessThan(1.1 * lowerBound);
    expect(planned).toBeLessThan(sum / 2);
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  it('makes no buffer in 50 training steps after the first', async () => {
    const gpu = await testDevice(adapter);
    const step = await SequenceStep.create(new Engine(gpu), small, 64);
    const run = (round: number) => step.step(sequenceOf(round, 64, small.vocabSize));
    await run(0);
    const before = gpu.allocations.made;
    for (let round = 0; round < 50; round++) await run(round);
    expect(gpu.allocations.made - before).toBe(0);
    step.destroy();
  });

  it('leaves nothing behind in training and sampling', async () => {
    const gpu = await testDevice(adapter);
    const open = await leakWorkload.open(new Engine(gpu));
    // JavaScript's compiler takes memory for itself now and then; what leaks does so in every window.
    const windows: number[] = [];
    do {
      const { heap, arrays, device } = await measureGrowth(gpu, 20, 20, open.run);
      expect(device).toEqual({ bytes: 0, error: 0 });
      expect(arrays!.bytes - 3 * arrays!.error).toBeLessThan(100);
      windows.push(heap!.bytes - 3 * heap!.error);
    } while (windows.at(-1)! > 600 && windows.length < 5);
    open.destroy();
    // The replies of one step alone are more than a kilobyte.
    expect(Math.min(...windows)).toBeLessThan(600);
  });

  it('sees what is left behind', async () => {
    const gpu = await testDevice(adapter);
    const kept: unknown[] = [];
    const { heap, arrays, device } = await measureGrowth(gpu, 2, 8, async () => {
      kept.push(new Array(10_000).fill(0.5), new Uint8Array(5000), gpu.createStorage(4096, 'left behind'));
    });
    expect(device!.bytes).toBe(4096);
    expect(arrays!.bytes).toBeGreaterThan(4000);
    expect(heap!.bytes).toBeGreaterThan(40_000);
    for (const each of kept) if (each instanceof GPUBuffer) each.destroy();
  });

  it('frees what a bench took', async () => {
    const gpu = await testDevice(adapter);
    gpu.arena.clear();
    const before = gpu.allocations.bytes;
    const smallest = scaleWorkloads[0]!;
    const row = await workloadRow(new Engine(gpu), smallest, { gflops: 1, gbps: 1 }, 1);
    gpu.arena.clear();
    expect(gpu.allocations.bytes).toBe(before);
    expect(row.check).toBe('reference');
    const parameters = new Transformer(model1M.config, null).slab.size;
    // Weights, gradients and two moments.
    expect(row.memory!.variables).toBe(4 * 4 * parameters);
    expect(row.host!.encodeMs).toBeGreaterThan(0);
    expect(row.host!.kernelMs).toBeGreaterThan(row.host!.encodeMs);
  });
});
