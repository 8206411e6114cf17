/** Adds one tensor to another in place: gradients of micro-batches. */
import shader from '../shaders/accumulate.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel } from './spec.ts';

export const accumulate = defineKernel<{ count: number }>({
  name: 'accumulate',
  shader,
  bindings: { values: { dtype: 'f32', access: 'read' }, total: { dtype: 'f32', access: 'readWrite' } },
  params: { count: 'u32' },
  variants: elementVariants(['values', 'total']),
  sizes: ({ count }) => ({ values: count, total: count }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: count, bytes: 12 * count }),
  reference: ({ values, total }) => ({ total: total!.map((value, i) => value + values![i]!) }),
  cases: [1, 0, 63, 1028].map((count) => ({ params: { count } })),
  benchCases: [{ params: { count: 1 << 20 } }],
  // One rounding.
  tolerance: { absolute: 1e-6, relative: 1e-6 },
});
