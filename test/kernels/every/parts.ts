/** Each kernel has the same bits where its grid runs in parts. */
import { afterEach, expect, it } from 'vitest';
import { ableVariants, isSupported, type KernelSpec } from '../../../kernels/spec.ts';
import { partsOfGrid } from '../../../src/gpu/gridParts.ts';
import { runKernel } from '../../../src/gpu/kernelCheck.ts';
import { Pace } from '../../../src/gpu/pace.ts';
import { testDevice } from '../../support/adapters.ts';
import { chosenKernels } from '../../support/chosenKernels.ts';
import { makeInputs } from '../../support/kernelHarness.ts';

export function partsHaveTheSameBits(adapter: string): void {
  afterEach(async () => {
    const gpu = await testDevice(adapter);
    Object.assign(gpu.pace, { rate: null, submitMs: new Pace(gpu).submitMs });
  });

  it.for(chosenKernels.map((spec) => [spec.name, spec] as const))(
    '%s has the same bits in parts',
    async ([, spec], { skip }) => {
      const gpu = await testDevice(adapter);
      skip(!isSupported(spec, gpu.profile), `${adapter} stores no f16`);
      const kernelCase = largestCase(spec);
      const ready = { params: kernelCase.params, inputs: makeInputs(spec, kernelCase, 3) };
      const variant = ableVariants(spec, gpu.profile, kernelCase.params)[0]!;
      const whole = await runKernel(gpu, spec, variant, ready);
      const cost = spec.cost(kernelCase.params);
      Object.assign(gpu.pace, { rate: { gflops: 1, gbps: 1 }, submitMs: Math.max(cost.flops, cost.bytes) / 1e6 / 3 });
      const grid = spec.dispatch(kernelCase.params, variant.constants);
      const parts = partsOfGrid(grid, gpu.pace.partsOf(cost));
      expect(parts.length > 1).toBe(grid.some((extent) => extent > 1));
      const inParts = await runKernel(gpu, spec, variant, ready);
      expect(inParts.overruns).toEqual([]);
      for (const [name, bits] of Object.entries(whole.bits))
        expect(Buffer.compare(bits, inParts.bits[name]!), name).toBe(0);
    },
  );
}

/** The case with most workgroups. */
function largestCase(spec: KernelSpec) {
  return spec.cases.reduce((most, next) => (spec.cost(next.params).bytes > spec.cost(most.params).bytes ? next : most));
}
