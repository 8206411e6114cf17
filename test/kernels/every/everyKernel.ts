/**
 * What holds for every kernel on an adapter. Each adapter has one file of tests: adapters are tested side by side, and
 * each compiles a kernel once for all of its checks, which is what takes the time.
 */
import { describe, expect, it } from 'vitest';
import { ableVariants, isSupported, type KernelCase } from '../../../kernels/spec.ts';
import { checkVariant } from '../../../src/gpu/kernelCheck.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { chosenKernels } from '../../support/chosenKernels.ts';
import { makeReady } from '../../support/kernelHarness.ts';
import { needs } from '../../support/needs.ts';
import { benchCasesAreRight } from './benchCases.ts';
import { packedShapesAreRight } from './packedShapes.ts';
import { partsHaveTheSameBits } from './parts.ts';
import { tuningCasesAreRight } from './tuningCases.ts';

export function describeKernelsOn(adapters: readonly string[]): void {
  if (adapters.length === 0) it('is on another adapter', needs('another adapter under test', false), () => {});
  describe.each(adapters)('on %s', (adapter) => {
    casesAreRight(adapter);
    tuningCasesAreRight(adapter);
    benchCasesAreRight(adapter);
    packedShapesAreRight(adapter);
    // The code of parts is made the same way for all adapters: one of them tells.
    if (adapter === testAdapters.at(-1)) partsHaveTheSameBits(adapter);
  });
}

/**
 * Every case in every variant that the adapter can run is as the float64 reference, between sentinels, twice with the
 * same bits.
 */
function casesAreRight(adapter: string): void {
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
}

function describeCase({ params, note }: KernelCase): string {
  return [note, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].filter(Boolean).join(' ');
}
