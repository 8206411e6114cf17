/** Copies a tensor: where a value must also stand in a variable's storage and its kernel cannot write it there. */
import shader from '../shaders/copy.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { type Dtype, defineKernel, type KernelCase } from './spec.ts';

type CopyParams = { count: number };

const caseOf =
  (dtype: Dtype) =>
  (params: CopyParams): KernelCase<CopyParams> => ({
    params,
    ...(dtype === 'f32' ? {} : { inputs: () => ({ x: Uint32Array.from({ length: params.count }, (_, i) => i * 7) }) }),
  });

const copyOf = (dtype: Dtype) =>
  defineKernel<CopyParams>({
    name: dtype === 'f32' ? 'copy' : `copy.${dtype}`,
    shader,
    bindings: { x: { dtype, access: 'read' }, y: { dtype, access: 'write' } },
    params: { count: 'u32' },
    variants: elementVariants(['x', 'y'], {}, dtype),
    sizes: ({ count }) => ({ x: count, y: count }),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: 0, bytes: 8 * count }),
    reference: ({ x }) => ({ y: x ?? [] }),
    cases: [1, 0, 65, 260, 2500, 2501].map((count) => caseOf(dtype)({ count })),
    benchCases: [caseOf(dtype)({ count: 1 << 22 })],
    tuningCase: caseOf(dtype),
    // Bits are copied as they are.
    tolerance: { absolute: 0, relative: 0 },
  });

export const copy = copyOf('f32');
export const copyU32 = copyOf('u32');
