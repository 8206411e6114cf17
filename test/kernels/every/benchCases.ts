/** What the cases that `proxmo bench` measures on GPUs expect, made small, is what kernels give. */
import { expect, it } from 'vitest';
import { defaultVariant, isSupported } from '../../../kernels/spec.ts';
import { type GpuSizes, gpuCases } from '../../../src/cli/bench/gpuCases.ts';
import { resultsAgree } from '../../../src/gpu/agreement.ts';
import { KernelBench } from '../../../src/gpu/benchmark.ts';
import { testDevice } from '../../support/adapters.ts';
import { chosenKernels } from '../../support/chosenKernels.ts';

// The longest block of a packed matrix is 256 values.
const small: GpuSizes = { leastBytes: 2 ** 16, side: 256, rows: 128, lengths: [128] };
const largestBinding = 2 ** 27;
const measured = chosenKernels.filter(({ cases }) => cases.length > 0);

export function benchCasesAreRight(adapter: string): void {
  it.for(measured.map((spec) => [spec.name, spec] as const))(
    '%s gives what its bench cases expect',
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
}
