/** The cases that `proxmo bench` measures on GPUs, made small: what they expect is what kernels give. */
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import { defaultVariant, isSupported, type KernelSpec } from '../../kernels/spec.ts';
import { type GpuSizes, gpuCases } from '../../src/cli/bench/gpuCases.ts';
import { resultsAgree } from '../../src/gpu/agreement.ts';
import { KernelBench } from '../../src/gpu/benchmark.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

// The longest block of a packed matrix is 256 values.
const small: GpuSizes = { leastBytes: 2 ** 16, side: 256, rows: 128, lengths: [128] };
const largestBinding = 2 ** 27;
const kernelOf = (name: string) => kernels.find((spec) => spec.name === name) as KernelSpec;

describe('cases for a GPU', () => {
  it.each([
    'add',
    'copy',
    'adamW',
    'rmsNorm',
    'addRmsNormGradients',
    'softmax',
    'tokenLogProbsBackward',
    'columnSum',
    'squareRuns',
    'gatherRows',
  ])('%s moves more than its caches hold, and fits its bindings', (name) => {
    const spec = kernelOf(name);
    const [{ kernelCase } = { kernelCase: { params: {} } }] = gpuCases(spec, 2 ** 31);
    expect(spec.cost(kernelCase.params).bytes).toBeGreaterThanOrEqual(2 ** 29);
    expect(Object.values(spec.sizes(kernelCase.params)).every((size) => 4 * size <= 2 ** 30)).toBe(true);
  });

  it('count the pairs that attend each other', () => {
    const flops = gpuCases(kernelOf('attention'), largestBinding).map((each) => each.flops! / 1e9);
    // 8 sequences of 1,024 rows and 2 of 4,096, each once with heads of 64 and of 128.
    expect(flops.map(Math.round)).toEqual([13, 26, 52, 103]);
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  it.for(kernels.filter(({ cases }) => cases.length > 0).map((spec) => [spec.name, spec] as const))(
    '%s gives what its cases expect',
    async ([, spec], { skip }) => {
      const gpu = await testDevice(adapter);
      skip(!isSupported(spec, gpu.profile), `${adapter} stores no f16`);
      for (const { kernelCase, expected } of gpuCases(spec, largestBinding, small)) {
        if (!expected) continue;
        const bench = await KernelBench.create(
          gpu,
          spec,
          defaultVariant(spec, gpu.profile, kernelCase.params),
          kernelCase,
        );
        const want = expected();
        const got = Object.entries(await bench.run()).map(([name, values]) => [
          name,
          values.subarray(0, want[name]?.length),
        ]);
        bench.destroy();
        expect(resultsAgree(spec, Object.fromEntries(got), want)).toBe(true);
      }
    },
  );
});
