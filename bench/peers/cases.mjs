/**
 * The columns of the table: what every library computes, with inputs that are the same in every process, and what the
 * results must be.
 */
import { expectedLosses, tokensPerStep } from './tinyGpt.mjs';

const matrix = (rows, columns, seed) => ({ shape: [rows, columns], values: uniformNumbers(rows * columns, seed) });

/**
 * op: `nn` A · B, `nt` A · Bᵀ, `tn` Aᵀ · B; `softmax` and `layerNorm` (without weights, ε 1e-5) by rows; `train`, a
 * step of the tiny GPT; `baseline` of ProxMO. That is rows in groups of `groupSize`, softmax of their cosines over
 * `temperature`, weighted sums of the returns.
 */
export const columns = [
  { name: 'matmul 512³', op: 'nn', inputs: [matrix(512, 512, 1), matrix(512, 512, 2)], flops: 2 * 512 ** 3 },
  {
    name: '[2048×128]·[128×512]',
    op: 'nn',
    inputs: [matrix(2048, 128, 1), matrix(128, 512, 2)],
    flops: 2 * 2048 * 128 * 512,
  },
  { name: 'its dx', op: 'nt', inputs: [matrix(2048, 512, 1), matrix(128, 512, 2)], flops: 2 * 2048 * 128 * 512 },
  { name: 'its dw', op: 'tn', inputs: [matrix(2048, 128, 1), matrix(2048, 512, 2)], flops: 2 * 2048 * 128 * 512 },
  { name: 'softmax 2048×512', op: 'softmax', inputs: [matrix(2048, 512, 1)] },
  { name: 'layer norm 2048×128', op: 'layerNorm', inputs: [matrix(2048, 128, 1)] },
  baseline('ProxMO baseline, dense', 1024),
  baseline('ProxMO baseline, 30 of 1,024', 30),
  { name: 'training step', op: 'train', inputs: [], tokens: tokensPerStep },
];

/** Of the baseline: 16 groups of 64 rows, τ = 0.1. */
export const groupSize = 64;
export const temperature = 0.1;

/** Rows of as many features each, as TF-IDF has them, or of all 1,024. */
function baseline(name, entries) {
  const [rows, features] = [1024, 1024];
  const values = uniformNumbers(rows * features, 3).map(Math.abs);
  // Steps of an odd length meet a feature once in 1,024.
  const isKept = (at) => ((at % features) * 397 + Math.floor(at / features) * 61) % features < entries;
  return {
    name,
    op: 'baseline',
    inputs: [
      { shape: [rows, features], values: values.map((value, at) => (isKept(at) ? value : 0)) },
      { shape: [rows, 1], values: uniformNumbers(rows, 4) },
    ],
  };
}

/** Uniform numbers in [-1, 1) from a linear congruential generator. */
export function uniformNumbers(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/**
 * Largest error of a result, over the largest magnitude of the reference in float64; of the first training losses, as
 * they are. NaN where the result has one, or has another size.
 */
export function errorOf({ op, inputs }, result) {
  const want = op === 'train' ? expectedLosses : references[op](...inputs);
  if (result.length !== want.length) return Number.NaN;
  let [error, scale] = [0, 0];
  for (const [index, value] of want.entries()) {
    const difference = Math.abs(result[index] - value);
    if (Number.isNaN(difference)) return Number.NaN;
    error = Math.max(error, difference);
    scale = Math.max(scale, Math.abs(value));
  }
  return op === 'train' ? error : error / scale;
}

/** What `errorOf` may be: room for float32 in any order of summation, and for an exponential that is not exact. */
export const tolerance = ({ op }) => (op === 'train' ? 2e-3 : 1e-4);

const references = {
  nn: (a, b) => products(a, transposed(b)),
  nt: (a, b) => products(a, b),
  tn: (a, b) => products(transposed(a), transposed(b)),
  softmax: (x) => byRows(x, softmaxOf),
  layerNorm: (x) => byRows(x, normalised),
  baseline: baselines,
};

function transposed({ shape: [rows, width], values }) {
  const turned = new Float64Array(values.length);
  for (let row = 0; row < rows; row++) for (let i = 0; i < width; i++) turned[i * rows + row] = values[row * width + i];
  return { shape: [width, rows], values: turned };
}

/** Rows of the one by rows of the other: A · Bᵀ. */
function products(a, b) {
  const [m, n, k] = [a.shape[0], b.shape[0], a.shape[1]];
  const [left, right] = [Float64Array.from(a.values), Float64Array.from(b.values)];
  const result = new Float64Array(m * n);
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += left[row * k + i] * right[column * k + i];
      result[row * n + column] = sum;
    }
  }
  return result;
}

function byRows({ shape: [rows, width], values }, rowFunction) {
  const result = new Float64Array(values.length);
  for (let row = 0; row < rows; row++) {
    result.set(rowFunction(Float64Array.from(values.subarray(row * width, (row + 1) * width))), row * width);
  }
  return result;
}

const sumOf = (numbers) => numbers.reduce((sum, value) => sum + value, 0);

function softmaxOf(row) {
  const top = row.reduce((most, value) => Math.max(most, value));
  const weights = row.map((value) => Math.exp(value - top));
  const total = sumOf(weights);
  return weights.map((weight) => weight / total);
}

function normalised(row) {
  const mean = sumOf(row) / row.length;
  const deviation = Math.sqrt(sumOf(row.map((value) => (value - mean) ** 2)) / row.length + 1e-5);
  return row.map((value) => (value - mean) / deviation);
}

function baselines(x, returns) {
  const [rows, features] = x.shape;
  const unit = byRows(x, (row) => {
    const norm = Math.sqrt(sumOf(row.map((value) => value * value)));
    return row.map((value) => value / norm);
  });
  const result = new Float64Array(rows);
  for (let first = 0; first < rows; first += groupSize) {
    const group = {
      shape: [groupSize, features],
      values: unit.subarray(first * features, (first + groupSize) * features),
    };
    const cosines = products(group, group).map((cosine) => cosine / temperature);
    const weights = byRows({ shape: [groupSize, groupSize], values: cosines }, softmaxOf);
    for (let query = 0; query < groupSize; query++) {
      for (let key = 0; key < groupSize; key++)
        result[first + query] += weights[query * groupSize + key] * returns.values[first + key];
    }
  }
  return result;
}
