/**
 * Indices into a table as indices into a part of it: what lies before the part wraps around to a number beyond its end.
 */
import shader from '../shaders/shift_indices.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelCase } from './spec.ts';

/** `start`: first row of the part. */
type ShiftParams = { count: number; start: number };

const caseOf = (count: number, start: number): KernelCase<ShiftParams> => ({
  params: { count, start },
  inputs: () => ({ x: Uint32Array.from({ length: count }, (_, i) => (i % 11 === 10 ? 0xffffffff : i * 7)) }),
});

export const shiftIndices = defineKernel<ShiftParams>({
  name: 'shiftIndices',
  shader,
  bindings: { x: { dtype: 'u32', access: 'read' }, y: { dtype: 'u32', access: 'write' } },
  params: { count: 'u32', start: 'u32' },
  variants: elementVariants(['x', 'y'], {}, 'u32'),
  sizes: ({ count }) => ({ x: count, y: count }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: count, bytes: 8 * count }),
  reference: ({ x }, { start }) => ({ y: x!.map((index) => (index - start + 2 ** 32) % 2 ** 32) }),
  cases: [caseOf(1, 0), caseOf(0, 3), caseOf(65, 64), caseOf(260, 500)],
  benchCases: [caseOf(8192, 1024)],
  tuningCase: ({ count, start }) => caseOf(count, start),
  // Whole numbers.
  tolerance: { absolute: 0, relative: 0 },
});
