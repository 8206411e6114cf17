/** Timing kernels: the results that benches check, and times that make sense. */
import { describe, expect, it } from 'vitest';
import { scale } from '../../kernels/elementwise.ts';
import { fill } from '../../kernels/fill.ts';
import { defaultVariant } from '../../kernels/spec.ts';
import { KernelBench, throughput, timeKernel } from '../../src/gpu/benchmark.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

describe.each(testAdapters)('on %s', (adapter) => {
  it('runs a kernel on inputs that it shows', async () => {
    const gpu = await testDevice(adapter);
    const params = { count: 1000, factor: 0.5 };
    const bench = await KernelBench.create(gpu, scale, defaultVariant(scale, gpu.profile, params), { params });
    const { y } = await bench.run();
    bench.destroy();
    const { a } = bench.inputs;
    expect(new Set(a).size).toBeGreaterThan(900);
    expect([...y!]).toEqual([...a!].map((value) => Math.fround(value / 2)));
  });

  it('frees what it made where a later buffer cannot be made', async () => {
    const gpu = await testDevice(adapter);
    const held = gpu.allocations.bytes;
    let made = 0;
    const full = Object.create(gpu, {
      createStorage: {
        value: (bytes: number, label: string) => {
          if (++made > 1) throw new Error('too large');
          return gpu.createStorage(bytes, label);
        },
      },
    }) as typeof gpu;
    const params = { count: 1000, factor: 0.5 };
    const variant = defaultVariant(scale, gpu.profile, params);
    await expect(KernelBench.create(full, scale, variant, { params })).rejects.toThrow('too large');
    expect([made, gpu.allocations.bytes]).toEqual([2, held]);
  });

  it('times larger work as longer', async () => {
    const gpu = await testDevice(adapter);
    const timeOf = (count: number) => {
      const params = { count, value: 1 };
      return timeKernel(gpu, fill, defaultVariant(fill, gpu.profile, params), { params }, { batchMs: 2, repeats: 3 });
    };
    const [small, large] = [await timeOf(1 << 10), await timeOf(1 << 20)];
    expect(large.min).toBeGreaterThan(small.min);
    for (const { min, median, max } of [small, large]) {
      expect(min).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(min);
      expect(max).toBeGreaterThanOrEqual(median);
    }
  });
});

describe('throughput', () => {
  it('follows from the cost: 10⁹ operations and bytes a second', () => {
    expect(throughput(scale, { count: 1e6, factor: 2 }, 2)).toEqual({ gflops: 0.5, gbps: 4 });
    expect(throughput(fill, { count: 1e6, value: 2 }, 2)).toEqual({ gbps: 2 });
  });
});
