/** Copies a tensor: where a value must also stand in a variable's storage and its kernel cannot write it there. */
import shader from '../shaders/copy.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { type Dtype, defineKernel } from './spec.ts';

const copyOf = (dtype: Dtype) =>
  defineKernel<{ count: number }>({
    name: dtype === 'f32' ? 'copy' : `copy.${dtype}`,
    shader,
    bindings: { x: { dtype, access: 'read' }, y: { dtype, access: 'write' } },
    params: { count: 'u32' },
    variants: elementVariants(['x', 'y'], {}, dtype),
    sizes: ({ count }) => ({ x: count, y: count }),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: 0, bytes: 8 * count }),
    reference: ({ x }) => ({ y: x ?? [] }),
    cases: [1, 0, 65, 260, 2500, 2501].map((count) => ({
      params: { count },
      ...(dtype === 'f32' ? {} : { inputs: () => ({ x: Array.from({ length: count }, (_, i) => i * 7) }) }),
    })),
    benchCases: [{ params: { count: 1 << 22 }, ...(dtype === 'f32' ? {} : { inputs: () => ({ x: new Uint32Array(1 << 22).fill(3) }) }) }],
    // Bits are copied as they are.
    tolerance: { absolute: 0, relative: 0 },
  });

export const copy = copyOf('f32');
export const copyU32 = copyOf('u32');
