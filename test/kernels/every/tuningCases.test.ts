/**
 * What kernels are tuned on. All are tuned that have a choice on some adapter; those that work in place run the variant
 * of the kernel that they are a form of.
 */
import { describe, expect, it } from 'vitest';
import { ableVariants } from '../../../kernels/spec.ts';
import { firstMismatch, runKernel } from '../../../src/gpu/kernelCheck.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { chosenKernels, sayIfNone } from '../../support/chosenKernels.ts';
import { makeReady } from '../../support/kernelHarness.ts';

describe('a kernel with several variants', () => {
  const able = chosenKernels.filter(({ variants, inPlaceOf }) => variants.length > 1 && !inPlaceOf);
  const readsIntegers = able.filter(({ bindings }) =>
    Object.values(bindings).some(({ access, dtype }) => access !== 'write' && dtype === 'u32'),
  );
  sayIfNone(readsIntegers);

  it.each(readsIntegers.map((spec) => [spec.name, spec] as const))(
    '%s, which reads whole numbers, has contents of them to be tuned on',
    (_, spec) => {
      const { params } = (spec.benchCases ?? spec.cases).at(-1)!;
      const tuned = spec.tuningCase?.(params);
      expect(tuned?.params).toEqual(params);
      const inputs = tuned!.inputs!(() => 0.5);
      for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
        if (access !== 'write' && dtype === 'u32') expect(inputs[name], name).toHaveLength(spec.sizes(params)[name]!);
      }
    },
  );
});

describe.each(testAdapters)('on %s', (adapter) => {
  const smallest = 2 ** 16;
  const tuned = chosenKernels.flatMap((spec) => {
    const shapes = spec.cases.map(({ params: shape }) => shape);
    const small = shapes
      .filter((shape) => Object.values(spec.sizes(shape)).every((size) => size > 0 && size < smallest))
      .slice(-2);
    return spec.tuningCase ? small.map((shape) => [spec.name, spec, spec.tuningCase!(shape)] as const) : [];
  });
  sayIfNone(tuned);

  it.each(tuned)('%s has right results on what it is tuned on', async (_, spec, kernelCase) => {
    const gpu = await testDevice(adapter);
    const ready = makeReady(spec, kernelCase, 1);
    for (const variant of ableVariants(spec, gpu.profile, kernelCase.params)) {
      const run = await runKernel(gpu, spec, variant, ready);
      expect(firstMismatch(spec, ready, run), variant.label).toBeNull();
    }
  });
});
