/** The cases that `proxmo bench` measures on GPUs. What they expect is checked in `test/kernels/every`. */
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { gpuCases } from '../../src/cli/bench/gpuCases.ts';

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
