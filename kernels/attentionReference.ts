/** Attention in float64, forward and backward, and the shapes it is tested and benched with. */
import type { KernelCase } from './spec.ts';

export type AttentionParams = {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Keys that a query attends at most, its own among them: 1 or more. */
  window: number;
};

/** The window of attention to all keys. */
export const noWindow = 0xffffffff;

type Array64 = Float64Array;

/** What `attention` computes in float64. */
export interface AttentionResult {
  /** `[rows, heads, headDim]` */
  readonly y: Array64;
  /** Logarithm of the sum of exponentials of the scores, `[rows, heads]`. */
  readonly lse: Array64;
}

/** Gradients in float64, in the shapes of q, k and v. */
export interface AttentionGradients {
  readonly dq: Array64;
  readonly dk: Array64;
  readonly dv: Array64;
}

/**
 * Causal grouped-query attention over packed sequences, within the window.
 * @param q `[rows, heads, headDim]`
 * @param k `[rows, kvHeads, headDim]`
 * @param v `[rows, kvHeads, headDim]`
 * @param segmentStart first row of each row's sequence, `[rows]`
 */
export function attentionReference(
  q: Array64,
  k: Array64,
  v: Array64,
  segmentStart: ArrayLike<number>,
  params: AttentionParams,
): AttentionResult {
  const { rows, heads, headDim } = params;
  const y = new Float64Array(rows * heads * headDim);
  const lse = new Float64Array(rows * heads);
  forEachQuery(params, segmentStart, (row, head, keys, at, keyAt) => {
    const scores = keys.map((_, n) => dot(q, at, k, keyAt(n), headDim) / Math.sqrt(headDim));
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    lse[row * heads + head] = largest + Math.log(total);
    weights.forEach((weight, n) => {
      addScaled(y, at, weight / total, v, keyAt(n), headDim);
    });
  });
  return { y, lse };
}

/**
 * Gradients of `attentionReference`'s y.
 * @param dy `[rows, heads, headDim]`
 * @param statistics lse and Σ dy · y of each query, `[rows, heads, 2]`
 */
export function attentionBackwardReference(
  q: Array64,
  k: Array64,
  v: Array64,
  dy: Array64,
  statistics: ArrayLike<number>,
  segmentStart: ArrayLike<number>,
  params: AttentionParams,
): AttentionGradients {
  const { heads, headDim } = params;
  const gradients = { dq: new Float64Array(q.length), dk: new Float64Array(k.length), dv: new Float64Array(v.length) };
  const scale = 1 / Math.sqrt(headDim);
  forEachQuery(params, segmentStart, (row, head, keys, at, keyAt) => {
    const [lse = 0, delta = 0] = [statistics[2 * (row * heads + head)], statistics[2 * (row * heads + head) + 1]];
    keys.forEach((_, n) => {
      const key = keyAt(n);
      const weight = Math.exp(dot(q, at, k, key, headDim) * scale - lse);
      const dScore = weight * (dot(dy, at, v, key, headDim) - delta) * scale;
      addScaled(gradients.dq, at, dScore, k, key, headDim);
      addScaled(gradients.dk, key, dScore, q, at, headDim);
      addScaled(gradients.dv, key, weight, dy, at, headDim);
    });
  });
  return gradients;
}

/** `[row, head] → (lse, Σ dy · y)`, `[rows, heads, 2]`. */
export function attentionStatisticsReference(
  y: Array64,
  dy: Array64,
  lse: ArrayLike<number>,
  headDim: number,
): Array64 {
  return Float64Array.from({ length: 2 * lse.length }, (_, i) => {
    const query = i >> 1;
    return i % 2 === 0 ? (lse[query] ?? 0) : dot(y, query * headDim, dy, query * headDim, headDim);
  });
}

/** Calls `visit` for each query with the rows that it attends and where it and its keys start in memory. */
function forEachQuery(
  { rows, heads, kvHeads, headDim, window }: AttentionParams,
  segmentStart: ArrayLike<number>,
  visit: (row: number, head: number, keys: readonly number[], at: number, keyAt: (n: number) => number) => void,
): void {
  for (let row = 0; row < rows; row++) {
    const start = Math.max(segmentStart[row] ?? 0, row + 1 - window);
    const keys = Array.from({ length: row + 1 - start }, (_, n) => start + n);
    for (let head = 0; head < heads; head++) {
      const kvHead = Math.floor((head * kvHeads) / heads);
      visit(row, head, keys, (row * heads + head) * headDim, (n) => ((start + n) * kvHeads + kvHead) * headDim);
    }
  }
}

function dot(a: Array64, atA: number, b: Array64, atB: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a[atA + i] ?? 0) * (b[atB + i] ?? 0);
  return sum;
}

function addScaled(target: Array64, at: number, factor: number, source: Array64, from: number, length: number): void {
  for (let i = 0; i < length; i++) target[at + i] = (target[at + i] ?? 0) + factor * (source[from + i] ?? 0);
}

/** The row tables of sequences that lie one after another. */
export function packSegments(lengths: readonly number[]): { segmentStart: number[]; segmentEnd: number[] } {
  let end = 0;
  const bounds = lengths.map((length) => [end, (end += length)] as const);
  const perRow = (side: 0 | 1) => bounds.flatMap((bound) => new Array<number>(bound[1] - bound[0]).fill(bound[side]));
  return { segmentStart: perRow(0), segmentEnd: perRow(1) };
}

/** Lengths of sequences between half and one and a half times `mean`, `rows` rows in all; the same each time. */
export function variedLengths(rows: number, mean: number): number[] {
  const lengths: number[] = [];
  let left = rows;
  for (let i = 0; left > 0; i++) {
    const length = Math.min(left, Math.round(mean * (0.5 + ((i * 7) % 16) / 15)));
    lengths.push(length);
    left -= length;
  }
  return lengths;
}

export interface Pack {
  readonly note: string;
  readonly lengths: readonly number[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Default: none. */
  readonly window?: number;
}

// Few head dimensions, because each is a shader of its own: a common one, and one that is beyond unrolling and takes
// the workgroup variants several chunks.
export const attentionTestPacks: readonly Pack[] = [
  { note: 'one row', lengths: [1], heads: 1, kvHeads: 1, headDim: 16 },
  { note: 'no rows', lengths: [], heads: 4, kvHeads: 2, headDim: 16 },
  { note: 'one sequence', lengths: [37], heads: 4, kvHeads: 2, headDim: 16 },
  { note: 'padding rows at the end', lengths: [5, 3, 1, 1, 1], heads: 2, kvHeads: 2, headDim: 16 },
  { note: 'lengths that straddle tiles', lengths: [1, 70, 2, 33, 65, 1], heads: 4, kvHeads: 2, headDim: 16 },
  { note: 'very different lengths', lengths: [1, 1000, 3], heads: 1, kvHeads: 1, headDim: 16 },
  { note: 'group of three', lengths: [9, 14], heads: 6, kvHeads: 2, headDim: 40 },
  { note: 'group of eight', lengths: [67, 6], heads: 8, kvHeads: 1, headDim: 16 },
  { note: 'wide heads', lengths: [66, 3], heads: 2, kvHeads: 1, headDim: 40 },
  { note: 'a window', lengths: [5, 130, 33, 1], heads: 4, kvHeads: 2, headDim: 16, window: 20 },
  { note: 'a window of one', lengths: [40, 3], heads: 2, kvHeads: 1, headDim: 16, window: 1 },
  { note: 'a window as long as a sequence', lengths: [9, 37], heads: 3, kvHeads: 1, headDim: 40, window: 37 },
];

export const attentionBenchPacks: readonly Pack[] = [
  { note: 'typical', lengths: variedLengths(4096, 100), heads: 4, kvHeads: 2, headDim: 16 },
];

const caseOf =
  (
    inputs: (
      lengths: readonly number[],
      params: AttentionParams,
      random: () => number,
    ) => Record<string, ArrayLike<number>>,
  ) =>
  ({ note, lengths, window = noWindow, ...sizes }: Pack): KernelCase<AttentionParams> => {
    const params = { rows: lengths.reduce((sum, length) => sum + length, 0), ...sizes, window };
    return { note, params, inputs: (random) => inputs(lengths, params, random) };
  };

/** Cases of the forward pass: q, k and v are normal numbers. */
export const forwardCase = caseOf((lengths) => ({ segmentStart: packSegments(lengths).segmentStart }));

/** Cases of the backward pass: `statistics` come from the forward pass of the same q, k, v and dy. */
export const backwardCase = caseOf((lengths, params, random) => {
  const { rows, heads, kvHeads, headDim } = params;
  const normal = (size: number) => Float64Array.from({ length: size }, () => Math.fround(random()));
  const [q, k, v] = [
    normal(rows * heads * headDim),
    normal(rows * kvHeads * headDim),
    normal(rows * kvHeads * headDim),
  ];
  const dy = normal(rows * heads * headDim);
  const tables = packSegments(lengths);
  const { y, lse } = attentionReference(q, k, v, tables.segmentStart, params);
  return { q, k, v, dy, statistics: attentionStatisticsReference(y, dy, lse, headDim), ...tables };
});

/**
 * A case of any shape: sequences of about 100 rows, as costs assume. Statistics say that the scores' exponentials add
 * up to e⁵, so that no weight is large.
 */
export function attentionTuningCase(params: AttentionParams): KernelCase<AttentionParams> {
  const tables = packSegments(variedLengths(params.rows, 100));
  const statistics = Float32Array.from({ length: 2 * params.rows * params.heads }, (_, i) => (i % 2 === 0 ? 5 : 0));
  return { params, inputs: () => ({ ...tables, statistics }) };
}

/**
 * Pairs of a query and a key that it attends, for costs. Lengths are data, so this takes the mean of sequences of 100
 * rows.
 */
export const assumedPairs = ({ rows, heads, window }: AttentionParams): number => rows * heads * Math.min(50, window);
