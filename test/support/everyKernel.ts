/**
 * Every kernel, every variant that the adapter can run, every case: against the float64 reference, with sentinels
 * around each binding, twice for equal bits.
 */
import { describe, expect, it } from 'vitest';
import { ableVariants, isSupported, type KernelCase } from '../../kernels/spec.ts';
import { checkVariant } from '../../src/gpu/kernelCheck.ts';
import { testDevice } from './adapters.ts';
import { chosenKernels } from './chosenKernels.ts';
import { makeReady } from './kernelHarness.ts';
import { needs } from './needs.ts';

/** Defines the tests of one file. Each adapter has a file of its own, so that they run side by side. */
export function describeKernelsOn(adapters: readonly string[]): void {
  if (adapters.length === 0) it('is on another adapter', needs('another adapter under test', false), () => {});
  describe.each(adapters)('on %s', (adapter) => {
    describe.each(chosenKernels.map((spec) => [spec.name, spec] as const))('%s', (_, spec) => {
      it.for(spec.cases.map((kernelCase) => [describeCase(kernelCase), kernelCase] as const))(
        '%s',
        async ([, kernelCase], { skip }) => {
          const gpu = await testDevice(adapter);
          skip(!isSupported(spec, gpu.profile), `${adapter} stores no f16`);
          const ready = makeReady(spec, kernelCase, 1);
          const able = ableVariants(spec, gpu.profile, kernelCase.params);
          expect(able.length, 'variants').toBeGreaterThan(0);
          for (const variant of able) expect(await checkVariant(gpu, spec, variant, ready), variant.label).toBeNull();
        },
      );
    });
  });
}

function describeCase({ params, note }: KernelCase): string {
  return [note, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].filter(Boolean).join(' ');
}
