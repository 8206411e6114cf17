/** Dropout with a mask that follows from a seed, a stream and the element's index. */
import shader from '../shaders/dropout.wgsl';
import { philox, unit } from './philox.ts';
import { defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';
import { withStorage } from './storage.ts';

/** `keep` is the probability that an element stays. */
type DropoutParams = { count: number; stream: number; keep: number };

const caseOf = (count: number, stream: number, keep: number): KernelCase<DropoutParams> => ({
  params: { count, stream, keep },
  inputs: () => ({ seed: [123_456_789, 42] }),
});

const kernel = defineKernel<DropoutParams>({
  name: 'dropout',
  shader,
  bindings: {
    x: { dtype: 'f32', access: 'read' },
    seed: { dtype: 'u32', access: 'read' },
    y: { dtype: 'f32', access: 'write' },
  },
  params: { count: 'u32', stream: 'u32', keep: 'f32' },
  variants: [{ label: 'f32', constants: { WORKGROUP: 64, ELEMENT: 'f32' } }],
  sizes: ({ count }) => ({ x: count, seed: 2, y: count }),
  dispatch: ({ count }, { WORKGROUP }) => foldWorkgroups(Math.ceil(count / (4 * Number(WORKGROUP)))),
  cost: ({ count }) => ({ flops: 30 * count, bytes: 8 * count }),
  reference: ({ x, seed }, { count, stream, keep }) => ({
    y: Float64Array.from({ length: count }, (_, i) => {
      const word = philox([Math.floor(i / 4), stream, 0, 0], [seed![0]!, seed![1]!])[i % 4]!;
      return unit(word) < Math.fround(keep) ? x![i]! / keep : 0;
    }),
  }),
  cases: [
    ...[caseOf(1, 0, 0.5), caseOf(0, 0, 0.5), caseOf(1027, 3, 0.9), caseOf(4096, 7, 0.25)],
    {
      ...caseOf(4, 0, 1),
      note: 'what is not finite stays so',
      inputs: () => ({ seed: [1, 2], x: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1] }),
    },
  ],
  benchCases: [caseOf(1 << 20, 0, 0.9)],
  // A division.
  tolerance: { absolute: 1e-6, relative: 1e-6 },
  inPlace: { input: 'x', output: 'y' },
});

/** In float32, and with input and result in f16. */
export const dropout = { f32: withStorage(kernel), f16: withStorage(kernel, ['x', 'y']) } as const;
