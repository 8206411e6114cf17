/** Each kernel has right results on what it is tuned on, in every variant. */
import { expect, it } from 'vitest';
import { ableVariants } from '../../../kernels/spec.ts';
import { firstMismatch, runKernel } from '../../../src/gpu/kernelCheck.ts';
import { testDevice } from '../../support/adapters.ts';
import { chosenKernels } from '../../support/chosenKernels.ts';
import { makeReady } from '../../support/kernelHarness.ts';

export function tuningCasesAreRight(adapter: string): void {
  const smallest = 2 ** 16;
  const tuned = chosenKernels.flatMap((spec) => {
    const shapes = spec.cases.map(({ params: shape }) => shape);
    const small = shapes
      .filter((shape) => Object.values(spec.sizes(shape)).every((size) => size > 0 && size < smallest))
      .slice(-2);
    return spec.tuningCase ? small.map((shape) => [spec.name, spec, spec.tuningCase!(shape)] as const) : [];
  });

  it.each(tuned)('%s has right results on what it is tuned on', async (_, spec, kernelCase) => {
    const gpu = await testDevice(adapter);
    const ready = makeReady(spec, kernelCase, 1);
    for (const variant of ableVariants(spec, gpu.profile, kernelCase.params)) {
      const run = await runKernel(gpu, spec, variant, ready);
      expect(firstMismatch(spec, ready, run), variant.label).toBeNull();
    }
  });
}
