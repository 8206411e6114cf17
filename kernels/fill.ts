/** Sets every element of a tensor to one value. */
import shader from '../shaders/fill.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel } from './spec.ts';

export const fill = defineKernel<{ count: number; value: number }>({
  name: 'fill',
  shader,
  bindings: { y: { dtype: 'f32', access: 'write' } },
  params: { count: 'u32', value: 'f32' },
  variants: elementVariants(['y']),
  sizes: ({ count }) => ({ y: count }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: 0, bytes: 4 * count }),
  reference: (_, { count, value }) => ({ y: new Float64Array(count).fill(value) }),
  cases: [1, 0, 63, 260, 100_003].map((count) => ({ params: { count, value: 0.5 } })),
  benchCases: [{ params: { count: 1 << 22, value: 1 } }],
  // A copy of a number that float32 holds exactly.
  tolerance: { absolute: 0, relative: 0 },
});
