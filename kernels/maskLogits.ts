/**
 * Takes tokens that are not allowed out of logits: shaders/mask_logits.wgsl. With a fill of 0 it is its own backward
 * pass.
 */
import shader from '../shaders/mask_logits.wgsl';
import { defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';

/**
 * Logits of `width` tokens from `start` on; all of them, or a chunk. `edges` is the length of the list of allowed
 * tokens.
 */
export type MaskLogitsParams = { rows: number; width: number; edges: number; start: number; fill: number };

/** The logit of a token that is not allowed: its probability is 0, and no arithmetic on it overflows. */
export const maskedLogit = -1e30;

const caseOf = (
  rows: number,
  width: number,
  allowed: readonly (readonly number[])[],
  note: string,
  start = 0,
): KernelCase<MaskLogitsParams> => {
  const tokens = allowed.flat();
  let end = 0;
  const ranges = allowed.flatMap((list) => [(end += list.length) - list.length, list.length]);
  return {
    params: { rows, width, edges: Math.max(1, tokens.length), start, fill: maskedLogit },
    inputs: () => ({ ranges, tokens: tokens.length === 0 ? [0] : tokens }),
    note,
  };
};

const everyThird = (width: number, first: number) =>
  Array.from({ length: Math.ceil((width - first) / 3) }, (_, index) => first + 3 * index);

export const maskLogits = defineKernel<MaskLogitsParams>({
  name: 'maskLogits',
  shader,
  bindings: {
    x: { dtype: 'f32', access: 'read' },
    ranges: { dtype: 'u32', access: 'read' },
    tokens: { dtype: 'u32', access: 'read' },
    y: { dtype: 'f32', access: 'write' },
  },
  params: { rows: 'u32', width: 'u32', edges: 'u32', start: 'u32', fill: 'f32' },
  variants: [
    { label: 'token.f32', constants: { WORKGROUP: 64, RUN: 1 }, prefer: ({ kind }) => kind === 'gpu' },
    { label: 'run.f32', constants: { WORKGROUP: 16, RUN: 256 } },
  ],
  sizes: ({ rows, width, edges }) => ({ x: rows * width, ranges: 2 * rows, tokens: edges, y: rows * width }),
  dispatch: ({ rows, width }, { WORKGROUP, RUN }) =>
    foldWorkgroups(Math.ceil((rows * Math.ceil(width / Number(RUN))) / Number(WORKGROUP))),
  cost: ({ rows, width, edges }) => ({ flops: 0, bytes: 4 * (2 * rows * width + 2 * rows + edges) }),
  reference: ({ x, ranges, tokens }, { rows, width, edges, start, fill }) => {
    const y = Float64Array.from(x!);
    for (let row = 0; row < rows; row++) {
      const begin = Math.min(ranges![2 * row]!, edges);
      const allowed = new Set(tokens!.subarray(begin, Math.min(edges, begin + ranges![2 * row + 1]!)));
      if (allowed.size === 0) continue;
      for (let index = 0; index < width; index++)
        if (!allowed.has(start + index)) y[row * width + index] = Math.fround(fill);
    }
    return { y };
  },
  cases: [
    caseOf(1, 1, [[0]], 'one token'),
    caseOf(0, 5, [], 'no row'),
    caseOf(4, 7, [[0, 6], [], [3], [0, 1, 2, 3, 4, 5, 6]], 'a row that allows everything'),
    caseOf(3, 1000, [everyThird(1000, 2), [], everyThird(1000, 0)], 'long lists'),
    caseOf(2, 513, [[511, 512], [600]], 'the last tokens, and one beyond the row'),
    caseOf(
      4,
      70,
      [[3, 63, 64, 133, 134], [], [2], [500]],
      'a chunk, with tokens before, in and after it, or none in it',
      64,
    ),
    caseOf(1, 300, [everyThird(2000, 1)], 'a chunk within a long list', 960),
  ],
  benchCases: [
    caseOf(
      64,
      32_768,
      Array.from({ length: 64 }, (_, row) => [row, 500 + row, 30_000]),
      'few of many tokens',
    ),
  ],
  // Rows allow equally many tokens, spread over the width.
  tuningCase: (params) => {
    const each = Math.max(1, Math.floor(params.edges / Math.max(1, params.rows)));
    const step = Math.max(1, Math.floor(params.width / each));
    return {
      params,
      inputs: () => ({
        ranges: Array.from({ length: 2 * params.rows }, (_, i) => (i % 2 === 0 ? (i / 2) * each : each)),
        tokens: Array.from({ length: params.edges }, (_, i) => params.start + (i % each) * step),
      }),
    };
  },
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
  inPlace: { input: 'x', output: 'y' },
});
