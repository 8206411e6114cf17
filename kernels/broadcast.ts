/** One number for many elements: as it is, or times each of them. */
import shader from '../shaders/broadcast.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { type BindingSpec, defineKernel, type KernelSpec } from './spec.ts';

type BroadcastParams = { count: number };

function kernelOf(scaled: boolean): KernelSpec<BroadcastParams> {
  const read: BindingSpec = { dtype: 'f32', access: 'read' };
  const elements = scaled ? ['x', 'y'] : ['y'];
  return defineKernel<BroadcastParams>({
    name: scaled ? 'scaleBy' : 'broadcast',
    shader,
    bindings: { ...(scaled ? { x: read } : {}), factor: read, y: { dtype: 'f32', access: 'write' } },
    params: { count: 'u32' },
    variants: elementVariants<BroadcastParams>(elements, { SCALED: scaled }),
    sizes: ({ count }) => ({ ...Object.fromEntries(elements.map((name) => [name, count])), factor: 1 }),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: scaled ? count : 0, bytes: 4 * (elements.length * count + 1) }),
    reference: ({ x, factor }, { count }) => ({
      y: Float64Array.from({ length: count }, (_, i) => (x?.[i] ?? 1) * factor![0]!),
    }),
    cases: [1, 0, 63, 1028].map((count) => ({ params: { count } })),
    benchCases: [{ params: { count: 1 << 20 } }],
    // One rounding.
    tolerance: { absolute: 0, relative: 1e-7 },
    ...(scaled ? { inPlace: { input: 'x', output: 'y' } } : {}),
  });
}

/** y = factor[0] */
export const broadcast = kernelOf(false);

/** y = x · factor[0] */
export const scaleBy = kernelOf(true);
