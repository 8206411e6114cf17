/**
 * Every kernel, every variant that the adapter can run, every case: against the float64 reference, with sentinels
 * around each binding, twice for equal bits. `KERNEL=matmul npx vitest run test/kernels` checks the kernels whose name
 * contains a word.
 */
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import { ableVariants, isSupported } from '../../kernels/spec.ts';
import { checkVariant } from '../../src/gpu/kernelCheck.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { makeInputs } from '../support/kernelHarness.ts';

const chosen = kernels.filter(({ name }) => name.includes(process.env.KERNEL ?? ''));

it('has a name of its own for every kernel', () => {
  expect(new Set(kernels.map(({ name }) => name)).size).toBe(kernels.length);
});

describe.each(testAdapters)('on %s', (adapter) => {
  describe.each(chosen.map((spec) => [spec.name, spec] as const))('%s', (_, spec) => {
    it.for(spec.cases.map((kernelCase) => [describeCase(kernelCase), kernelCase] as const))(
      '%s',
      async ([, kernelCase], { skip }) => {
        const gpu = await testDevice(adapter);
        skip(!isSupported(spec, gpu.profile), `${adapter} stores no f16`);
        const inputs = makeInputs(spec, kernelCase, 1);
        const able = ableVariants(spec, gpu.profile, kernelCase.params);
        expect(able.length, 'variants').toBeGreaterThan(0);
        for (const variant of able)
          expect(await checkVariant(gpu, spec, variant, kernelCase, inputs), variant.label).toBeNull();
      },
    );
  });
});

function describeCase({ params, note }: (typeof kernels)[number]['cases'][number]): string {
  return [note, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].filter(Boolean).join(' ');
}
