/** Sets every element of a tensor to one value. */
import shader from '../shaders/fill.wgsl';
import { defineKernel, foldWorkgroups, type Variant } from './spec.ts';

/** Scalar and vec4 forms of a kernel that handles one element per invocation; the vec4 form needs a count divisible by 4. */
export function elementVariants<P extends { readonly count: number }>(
  bindings: readonly string[],
  constants: Readonly<Record<string, string | boolean>> = {},
): readonly Variant<P>[] {
  return [
    {
      label: 'vec4.f32',
      constants: { ...constants, WORKGROUP: 64, WIDTH: 4, ELEMENT: 'vec4<f32>' },
      vector: Object.fromEntries(bindings.map((name) => [name, 4 as const])),
      requires: (_, { count }) => count % 4 === 0,
    },
    { label: 'scalar.f32', constants: { ...constants, WORKGROUP: 64, WIDTH: 1, ELEMENT: 'f32' } },
  ];
}

export const fill = defineKernel<{ count: number; value: number }>({
  name: 'fill',
  shader,
  bindings: { y: { dtype: 'f32', access: 'write' } },
  params: { count: 'u32', value: 'f32' },
  variants: elementVariants(['y']),
  sizes: ({ count }) => ({ y: count }),
  dispatch: ({ count }, { WORKGROUP, WIDTH }) => foldWorkgroups(Math.ceil(count / (Number(WORKGROUP) * Number(WIDTH)))),
  cost: ({ count }) => ({ flops: 0, bytes: 4 * count }),
  reference: (_, { count, value }) => ({ y: new Float64Array(count).fill(value) }),
  cases: [1, 0, 63, 260, 100_003].map((count) => ({ params: { count, value: 0.5 } })),
  benchCases: [{ params: { count: 1 << 22, value: 1 } }],
  // A copy of a number that float32 holds exactly.
  tolerance: { absolute: 0, relative: 0 },
});
