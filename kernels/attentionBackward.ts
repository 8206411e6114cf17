/**
 * The backward pass of attention over packed sequences, in three kernels: the statistics of each query, the gradient of
 * the queries, and the gradients of keys and values. Method: shaders/attention_backward_query.wgsl,
 * shaders/attention_backward_key.wgsl.
 */
import keyShader from '../shaders/attention_backward_key.wgsl';
import queryShader from '../shaders/attention_backward_query.wgsl';
import statisticsShader from '../shaders/attention_statistics.wgsl';
import { attentionFields } from './attention.ts';
import {
  type AttentionParams,
  assumedPairs,
  attentionBackwardReference,
  attentionBenchPacks,
  attentionStatisticsReference,
  attentionTestPacks,
  attentionTuningCase,
  backwardCase,
} from './attentionReference.ts';
import { attentionVariants, blockCount, forEachHeadDim } from './attentionVariants.ts';
import { defineKernel, foldWorkgroups } from './spec.ts';
import { withStorage } from './storage.ts';

const read = { dtype: 'f32', access: 'read' } as const;
const readIndex = { dtype: 'u32', access: 'read' } as const;
const write = { dtype: 'f32', access: 'write' } as const;

const sizes = ({ rows, heads, kvHeads, headDim }: AttentionParams) => ({
  ofQueries: rows * heads * headDim,
  ofKeys: rows * kvHeads * headDim,
  ofStatistics: 2 * rows * heads,
});

// As in the forward pass; dk and dv add up to a thousand rows of such terms.
const tolerance = { absolute: 2e-4, relative: 1e-4 } as const;

type StatisticsParams = { rows: number; heads: number; headDim: number };

const statisticsKernel = defineKernel<StatisticsParams>({
  name: 'attentionStatistics',
  shader: statisticsShader,
  bindings: { y: read, dy: read, lse: read, statistics: write },
  params: { rows: 'u32', heads: 'u32', headDim: 'u32' },
  variants: [true, false].flatMap((shared) =>
    forEachHeadDim<StatisticsParams>({
      label: shared ? 'shared.f32' : 'vec4.f32',
      constants: { WORKGROUP: 64, SHARED: shared },
      vector: { y: 4, dy: 4, statistics: 2 },
      // A workgroup holds whole heads.
      requires: (_, { headDim }) => !shared || 64 % (headDim / 4) === 0,
      prefer: ({ kind }) => shared === (kind === 'gpu'),
    }),
  ),
  sizes: ({ rows, heads, headDim }) => ({
    y: rows * heads * headDim,
    dy: rows * heads * headDim,
    lse: rows * heads,
    statistics: 2 * rows * heads,
  }),
  dispatch: ({ rows, heads }, { WORKGROUP, SHARED, HEAD_VECS }) =>
    foldWorkgroups(Math.ceil((rows * heads * (SHARED ? Number(HEAD_VECS) : 1)) / Number(WORKGROUP))),
  cost: ({ rows, heads, headDim }) => ({
    flops: 2 * rows * heads * headDim,
    bytes: 4 * rows * heads * (2 * headDim + 3),
  }),
  reference: ({ y, dy, lse }, { headDim }) => ({ statistics: attentionStatisticsReference(y!, dy!, lse!, headDim) }),
  cases: [
    { params: { rows: 1, heads: 1, headDim: 16 } },
    { params: { rows: 0, heads: 4, headDim: 16 } },
    { params: { rows: 37, heads: 3, headDim: 40 } },
    { params: { rows: 70, heads: 2, headDim: 128 } },
  ],
  benchCases: [{ params: { rows: 4096, heads: 4, headDim: 16 } }],
  // A sum of up to 128 products of normal numbers.
  tolerance: { absolute: 2e-5, relative: 1e-5 },
});

const queryKernel = defineKernel<AttentionParams>({
  name: 'attentionBackwardQuery',
  shader: queryShader,
  bindings: { q: read, k: read, v: read, dy: read, statistics: read, segmentStart: readIndex, dq: write },
  params: attentionFields,
  variants: attentionVariants({ q: 4, k: 4, v: 4, dy: 4, statistics: 2, dq: 4 }),
  sizes: (params) => {
    const { ofQueries, ofKeys, ofStatistics } = sizes(params);
    return {
      q: ofQueries,
      k: ofKeys,
      v: ofKeys,
      dy: ofQueries,
      statistics: ofStatistics,
      segmentStart: params.rows,
      dq: ofQueries,
    };
  },
  dispatch: ({ rows, heads, kvHeads }, constants) =>
    foldWorkgroups(kvHeads * blockCount((rows * heads) / kvHeads, constants)),
  cost: (params) => ({
    flops: 6 * params.headDim * assumedPairs(params),
    bytes: 4 * (3 * sizes(params).ofQueries + 2 * sizes(params).ofKeys + sizes(params).ofStatistics + params.rows),
  }),
  reference: ({ q, k, v, dy, statistics, segmentStart }, params) => ({
    dq: attentionBackwardReference(q!, k!, v!, dy!, statistics!, segmentStart!, params).dq,
  }),
  cases: attentionTestPacks.map(backwardCase),
  benchCases: attentionBenchPacks.map(backwardCase),
  tuningCase: attentionTuningCase,
  tolerance,
});

const keyKernel = defineKernel<AttentionParams>({
  name: 'attentionBackwardKey',
  shader: keyShader,
  bindings: { q: read, k: read, v: read, dy: read, statistics: read, segmentEnd: readIndex, dk: write, dv: write },
  params: attentionFields,
  variants: attentionVariants({ q: 4, k: 4, v: 4, dy: 4, statistics: 2, dk: 4, dv: 4 }),
  sizes: (params) => {
    const { ofQueries, ofKeys, ofStatistics } = sizes(params);
    return {
      q: ofQueries,
      k: ofKeys,
      v: ofKeys,
      dy: ofQueries,
      statistics: ofStatistics,
      segmentEnd: params.rows,
      dk: ofKeys,
      dv: ofKeys,
    };
  },
  dispatch: ({ rows, kvHeads }, constants) => foldWorkgroups(kvHeads * blockCount(rows, constants)),
  cost: (params) => ({
    flops: 8 * params.headDim * assumedPairs(params),
    bytes: 4 * (2 * sizes(params).ofQueries + 4 * sizes(params).ofKeys + sizes(params).ofStatistics + params.rows),
  }),
  reference: ({ q, k, v, dy, statistics, segmentEnd }, params) => {
    const { dk, dv } = attentionBackwardReference(q!, k!, v!, dy!, statistics!, segmentStarts(segmentEnd!), params);
    return { dk, dv };
  },
  cases: attentionTestPacks.map(backwardCase),
  benchCases: attentionBenchPacks.map(backwardCase),
  tuningCase: attentionTuningCase,
  tolerance,
});

/** First row of each row's sequence, from one past the last. */
function segmentStarts(segmentEnd: ArrayLike<number>): number[] {
  const starts: number[] = [];
  for (let row = 0; row < segmentEnd.length; row++) {
    starts.push(row > 0 && segmentEnd[row] === segmentEnd[row - 1] ? (starts[row - 1] ?? 0) : row);
  }
  return starts;
}

/**
 * lse and delta = Σ dy · y of each query, side by side: the other two kernels have no binding to spare. With y in
 * float32 or f16.
 */
export const attentionStatistics = {
  f32: withStorage(statisticsKernel),
  f16: withStorage(statisticsKernel, ['y']),
} as const;

/** Gradient with respect to the queries. With queries, keys and values in float32 or f16. */
export const attentionBackwardQuery = {
  f32: withStorage(queryKernel),
  f16: withStorage(queryKernel, ['q', 'k', 'v']),
} as const;

/** Gradients with respect to keys and values. With queries, keys and values in float32 or f16. */
export const attentionBackwardKey = {
  f32: withStorage(keyKernel),
  f16: withStorage(keyKernel, ['q', 'k', 'v']),
} as const;

export const attentionBackwardKernels = [
  ...[attentionStatistics.f32, attentionStatistics.f16],
  ...[attentionBackwardQuery.f32, attentionBackwardQuery.f16, attentionBackwardKey.f32, attentionBackwardKey.f16],
];
