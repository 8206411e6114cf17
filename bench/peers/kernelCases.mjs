/** The kernels of the table: inputs that every library gets alike, in float32 on the device, and what the result must be. */
import { uniformNumbers } from './cases.mjs';

/** @param {number} rows @param {number} columns @param {number} seed */
const matrix = (rows, columns, seed) => ({ shape: [rows, columns], values: uniformNumbers(rows * columns, seed) });

/** op: `nn` A · B, `nt` A · Bᵀ, `tn` Aᵀ · B, `softmax` and `layerNorm` (without weights, ε 1e-5) by rows. */
export const kernelCases = [
  { name: 'matmul 512³', op: 'nn', inputs: [matrix(512, 512, 1), matrix(512, 512, 2)], flops: 2 * 512 ** 3 },
  { name: '[2048×128]·[128×512]', op: 'nn', inputs: [matrix(2048, 128, 1), matrix(128, 512, 2)], flops: 2 * 2048 * 128 * 512 },
  { name: 'its dx', op: 'nt', inputs: [matrix(2048, 512, 1), matrix(128, 512, 2)], flops: 2 * 2048 * 128 * 512 },
  { name: 'its dw', op: 'tn', inputs: [matrix(2048, 128, 1), matrix(2048, 512, 2)], flops: 2 * 2048 * 128 * 512 },
  { name: 'softmax 2048×512', op: 'softmax', inputs: [matrix(2048, 512, 1)], flops: 0 },
  { name: 'layer norm 2048×128', op: 'layerNorm', inputs: [matrix(2048, 128, 1)], flops: 0 },
];

/** Whether some elements of a result are right. */
export function isRight({ op, inputs }, result) {
  const [a, b] = inputs;
  const elements = [0, 1, 777, 12_345, result.length - 1];
  return elements.every((index) => Math.abs(result[index] - expected(op, a, b, index)) < 1e-3);
}

function expected(op, a, b, index) {
  if (b === undefined) return rowFunction(op, a, index);
  const columns = op === 'nt' ? b.shape[0] : b.shape[1];
  const [row, column] = [Math.floor(index / columns), index % columns];
  const depth = op === 'tn' ? a.shape[0] : a.shape[1];
  let sum = 0;
  for (let i = 0; i < depth; i++) {
    const left = op === 'tn' ? a.values[i * a.shape[1] + row] : a.values[row * depth + i];
    const right = op === 'nt' ? b.values[column * depth + i] : b.values[i * columns + column];
    sum += left * right;
  }
  return sum;
}

function rowFunction(op, { shape, values }, index) {
  const width = shape[1];
  const start = index - (index % width);
  const row = Array.from(values.subarray(start, start + width));
  const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / width;
  if (op === 'softmax') return Math.exp(values[index]) / (width * mean(row.map(Math.exp)));
  const middle = mean(row);
  return (values[index] - middle) / Math.sqrt(mean(row.map((value) => (value - middle) ** 2)) + 1e-5);
}

/** Median, least and most milliseconds of a call that ends when the device is done, after three that warm up. */
export async function timeOnDevice(call, repeats = 15) {
  const times = [];
  for (let i = 0; i < repeats + 3; i++) {
    const start = performance.now();
    await call();
    if (i >= 3) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(repeats / 2)], min: times[0], max: times.at(-1) };
}
