/**
 * Forms of kernels in which an output takes the storage of an input. WebGPU forbids binding one buffer for reading and
 * for writing in the same dispatch. So such a form has a single binding for both, `readWrite`. Its code is that of the
 * kernel with the input's name replaced, and it gives the same bits.
 */
import type { InPlacePair, KernelCase, KernelSpec, Params, RunnableKernel } from './spec.ts';

/**
 * The form of a kernel that works in place; null if it has none, or its input and output are stored in different types.
 * Its variants are those of the kernel, and programs run the one that the kernel itself would run: so neither bits nor
 * tuning depend on where a result is stored, and there is nothing to bench.
 */
export function inPlaceKernel<P extends Params>(spec: RunnableKernel<P>): RunnableKernel<P> | null {
  const { tuningCase, inPlace, ...rest } = spec;
  if (!inPlace) return null;
  const { input, output } = inPlace;
  const { [input]: taken, ...bindings } = spec.bindings;
  const updated = bindings[output];
  const hasOneWidth = spec.variants.every(({ vector }) => vector?.[input] === vector?.[output]);
  if (taken?.access !== 'read' || updated?.access !== 'write' || !hasOneWidth)
    throw new Error(`${spec.name} cannot write ${output} into the storage of ${input}`);
  if (taken.dtype !== updated.dtype) return null;
  return {
    ...rest,
    name: `${spec.name}.inPlace`,
    bindings: { ...bindings, [output]: { ...updated, access: 'readWrite' } },
    inPlaceOf: { spec, ...inPlace },
  };
}

/** The same form with what it is checked against. */
export function checkedInPlace<P extends Params>(spec: KernelSpec<P>): KernelSpec<P> | null {
  const form = inPlaceKernel(spec);
  if (!form?.inPlaceOf) return null;
  const { input, output } = form.inPlaceOf;
  return {
    ...form,
    reference: ({ [output]: values, ...inputs }, params) =>
      spec.reference({ ...inputs, ...(values ? { [input]: values } : {}) }, params),
    cases: spec.cases.map((each) => renamed(each, { input, output })),
    benchCases: [],
  };
}

function renamed<P extends Params>({ inputs, ...rest }: KernelCase<P>, { input, output }: InPlacePair): KernelCase<P> {
  if (!inputs) return rest;
  return {
    ...rest,
    inputs: (random) => {
      const { [input]: values, ...others } = inputs(random);
      return values ? { ...others, [output]: values } : others;
    },
  };
}
