/** Products with packed matrices in shapes drawn by chance, in the variants that programs take by default. */
import { expect, it } from 'vitest';
import { findPackedMatmul } from '../../../kernels/matmulPacked.ts';
import { blockValues, packedTypes } from '../../../kernels/packed.ts';
import { defaultVariant, type KernelSpec, type Variant } from '../../../kernels/spec.ts';
import { checkVariant } from '../../../src/gpu/kernelCheck.ts';
import { Random } from '../../../src/tensor/random.ts';
import { testDevice } from '../../support/adapters.ts';
import { chosenKernels, isChosen } from '../../support/chosenKernels.ts';
import { makeReady } from '../../support/kernelHarness.ts';

const chosenTypes = packedTypes.filter((type) => chosenKernels.some(({ name }) => name.endsWith(`.f32x${type}`)));

export function packedShapesAreRight(adapter: string): void {
  it.each(chosenTypes)('products with %s are right in any shape', async (type) => {
    const gpu = await testDevice(adapter);
    const random = new Random(7, type);
    const between = (least: number, most: number) => least + Math.floor(random.uniform() * (most - least + 1));
    for (const [layout, mostRows] of [
      ['nt', 1],
      ['nt', 8],
      ['nt', 60],
      ['nn', 60],
    ] as const) {
      const along = blockValues(type) * between(1, 3);
      const across = between(1, 90);
      const [n, k] = layout === 'nt' ? [across, along] : [along, across];
      const params = { m: between(1, mostRows), n, k, batch: 1, splits: 1 };
      const spec = findPackedMatmul({ layout, bias: layout === 'nt' && mostRows > 8, b: type })!;
      if (!isChosen(spec.name)) continue;
      const kernelCase = spec.tuningCase!(params);
      const variant = defaultVariant(spec, gpu.profile, params) as unknown as Variant;
      const kernel = spec as unknown as KernelSpec;
      const problem = await checkVariant(gpu, kernel, variant, makeReady(kernel, kernelCase, 1));
      expect(problem, `${variant.label} for ${JSON.stringify(params)}`).toBeNull();
    }
  });
}
