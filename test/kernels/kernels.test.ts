/**
 * Every kernel, every variant that the adapter can run, every case: against the float64 reference, with sentinels around each binding, twice for equal bits.
 * `KERNEL=matmul npx vitest run test/kernels` checks the kernels whose name contains a word.
 */
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import { isSupported } from '../../kernels/spec.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { firstMismatch, makeInputs, runKernel, runnableVariants } from '../support/kernelHarness.ts';

const chosen = kernels.filter(({ name }) => name.includes(process.env.KERNEL ?? ''));

it('has a name of its own for every kernel', () => {
  expect(new Set(kernels.map(({ name }) => name)).size).toBe(kernels.length);
});

describe.each(testAdapters)('on %s', (adapter) => {
  describe.each(chosen.map((spec) => [spec.name, spec] as const))('%s', (_, spec) => {
    it.for(spec.cases.map((kernelCase) => [describeCase(kernelCase), kernelCase] as const))('%s', async ([, kernelCase], { skip }) => {
      const gpu = await testDevice(adapter);
      skip(!isSupported(spec, gpu.profile), `${adapter} stores no f16`);
      const inputs = makeInputs(spec, kernelCase, 1);
      for (const variant of runnableVariants(gpu, spec, kernelCase.params)) {
        const run = await runKernel(gpu, spec, variant, kernelCase, inputs);
        expect(firstMismatch(spec, kernelCase.params, run), variant.label).toBeNull();
        expect(run.overruns, `${variant.label} wrote outside`).toEqual([]);
        const again = await runKernel(gpu, spec, variant, kernelCase, inputs);
        expect(again.bits, `${variant.label} is repeatable`).toEqual(run.bits);
      }
    });
  });
});

function describeCase({ params, note }: (typeof kernels)[number]['cases'][number]): string {
  return [note, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].filter(Boolean).join(' ');
}
