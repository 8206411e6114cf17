/**
 * Causal grouped-query attention over packed sequences, forward. Shapes and method: shaders/attention.wgsl. Nothing of
 * the size time × time is stored; the cost is linear in the sum of the squared sequence lengths.
 */
import shader from '../shaders/attention.wgsl';
import {
  type AttentionParams,
  assumedPairs,
  attentionBenchPacks,
  attentionReference,
  attentionTestPacks,
  attentionTuningCase,
  forwardCase,
} from './attentionReference.ts';
import { attentionVariants, blockCount } from './attentionVariants.ts';
import { defineKernel, foldWorkgroups } from './spec.ts';
import { withStorage } from './storage.ts';

/** Parameters of every attention kernel over packed rows. */
export const attentionFields = { rows: 'u32', heads: 'u32', kvHeads: 'u32', headDim: 'u32', window: 'u32' } as const;

const kernel = defineKernel<AttentionParams>({
  name: 'attention',
  shader,
  bindings: {
    q: { dtype: 'f32', access: 'read' },
    k: { dtype: 'f32', access: 'read' },
    v: { dtype: 'f32', access: 'read' },
    segmentStart: { dtype: 'u32', access: 'read' },
    y: { dtype: 'f32', access: 'write' },
    lse: { dtype: 'f32', access: 'write' },
  },
  params: attentionFields,
  variants: attentionVariants({ q: 4, k: 4, v: 4, y: 4 }),
  sizes: ({ rows, heads, kvHeads, headDim }) => ({
    q: rows * heads * headDim,
    k: rows * kvHeads * headDim,
    v: rows * kvHeads * headDim,
    segmentStart: rows,
    y: rows * heads * headDim,
    lse: rows * heads,
  }),
  dispatch: ({ rows, heads, kvHeads }, constants) =>
    foldWorkgroups(kvHeads * blockCount((rows * heads) / kvHeads, constants)),
  cost: (params) => ({
    flops: 4 * params.headDim * assumedPairs(params),
    bytes: 4 * params.rows * (2 * (params.heads + params.kvHeads) * params.headDim + params.heads + 1),
  }),
  reference: ({ q, k, v, segmentStart }, params) => ({ ...attentionReference(q!, k!, v!, segmentStart!, params) }),
  cases: attentionTestPacks.map(forwardCase),
  benchCases: attentionBenchPacks.map(forwardCase),
  tuningCase: attentionTuningCase,
  // exp of the drivers is good to about 1e-5 relative for scores of a few units; sums of normal numbers with weights
  // that add to one stay near one.
  tolerance: { absolute: 2e-5, relative: 2e-5 },
});

/** In float32, and with queries, keys, values and the result in f16. */
export const attention = { f32: withStorage(kernel), f16: withStorage(kernel, ['q', 'k', 'v', 'y']) } as const;
