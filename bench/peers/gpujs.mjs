/**
 * gpu.js on WebGPU in the table: `node gpujs.mjs [adapter]`, started by `table.mjs`. Kernels as its documentation has
 * them, one element of the result a thread: it has no workgroup memory, vectors or subgroups to write them with. Inputs
 * and intermediate results lie on the device, as pipeline results.
 */
import { GPU, input } from 'gpu.js';
import { groupSize, temperature } from './cases.mjs';
import { adapterName, deviceIdle, provideWebGpu } from './webgpu.mjs';
import { serve } from './worker.mjs';

await provideWebGpu(process.argv[2] ?? '');
const gpu = new GPU({ mode: 'webgpu' });

/**
 * @param body a kernel function, which gpu.js translates from its source
 * @param output `[columns, rows]`, or `[length]`
 */
const kernelOf = (body, output, constants = {}) =>
  gpu.createKernel(body, { output, constants, pipeline: true, immutable: true, loopMaxIterations: 1 << 16 });

const makers = {
  nn: productOf,
  nt: productOf,
  tn: productOf,
  softmax: softmaxOf,
  layerNorm: layerNormOf,
  baseline: baselineOf,
};
/** The element of A · B at a thread, of A · Bᵀ and Aᵀ · B. */
const products = {
  nn: function (a, b) {
    let sum = 0;
    for (let i = 0; i < this.constants.depth; i++) sum += a[this.thread.y][i] * b[i][this.thread.x];
    return sum;
  },
  nt: function (a, b) {
    let sum = 0;
    for (let i = 0; i < this.constants.depth; i++) sum += a[this.thread.y][i] * b[this.thread.x][i];
    return sum;
  },
  tn: function (a, b) {
    let sum = 0;
    for (let i = 0; i < this.constants.depth; i++) sum += a[i][this.thread.y] * b[i][this.thread.x];
    return sum;
  },
};

serve(openKernel, adapterName);

async function openKernel({ op, inputs }) {
  if (op === 'train') throw new Error('it has no gradients');
  const call = makers[op](
    inputs.map(({ shape }) => shape),
    op,
  );
  const arrays = await Promise.all(inputs.map(upload));
  return {
    run: async () => {
      const y = await call(arrays);
      await deviceIdle();
      y.delete();
    },
    read: async () => {
      const values = await (await call(arrays)).toArray();
      return typeof values[0] === 'number' ? values : Float32Array.from(values.flatMap((row) => Array.from(row)));
    },
  };
}

async function upload({ values, shape: [rows, columns] }) {
  const copy = kernelOf(
    function (x) {
      return x[this.thread.y][this.thread.x];
    },
    [columns, rows],
  );
  return copy(input(values, [columns, rows]));
}

function productOf([a, b], op) {
  const [rows, depth] = op === 'tn' ? [a[1], a[0]] : a;
  const kernel = kernelOf(products[op], [op === 'nt' ? b[0] : b[1], rows], { depth });
  return ([left, right]) => kernel(left, right);
}

function softmaxOf([[rows, width]]) {
  const largest = kernelOf(
    function (x) {
      let value = x[this.thread.x][0];
      for (let i = 1; i < this.constants.width; i++) value = Math.max(value, x[this.thread.x][i]);
      return value;
    },
    [rows],
    { width },
  );
  const total = kernelOf(
    function (x, top) {
      let sum = 0;
      for (let i = 0; i < this.constants.width; i++) sum += Math.exp(x[this.thread.x][i] - top[this.thread.x]);
      return sum;
    },
    [rows],
    { width },
  );
  const share = kernelOf(
    function (x, top, sum) {
      return Math.exp(x[this.thread.y][this.thread.x] - top[this.thread.y]) / sum[this.thread.y];
    },
    [width, rows],
  );
  return async ([x]) => {
    const top = await largest(x);
    const sum = await total(x, top);
    return last([top, sum], await share(x, top, sum));
  };
}

function layerNormOf([[rows, width]]) {
  const mean = kernelOf(
    function (x) {
      let sum = 0;
      for (let i = 0; i < this.constants.width; i++) sum += x[this.thread.x][i];
      return sum / this.constants.width;
    },
    [rows],
    { width },
  );
  const deviation = kernelOf(
    function (x, middle) {
      let sum = 0;
      for (let i = 0; i < this.constants.width; i++) {
        const centred = x[this.thread.x][i] - middle[this.thread.x];
        sum += centred * centred;
      }
      return Math.sqrt(sum / this.constants.width + 0.00001);
    },
    [rows],
    { width },
  );
  const normalised = kernelOf(
    function (x, middle, scale) {
      return (x[this.thread.y][this.thread.x] - middle[this.thread.y]) / scale[this.thread.y];
    },
    [width, rows],
  );
  return async ([x]) => {
    const middle = await mean(x);
    const scale = await deviation(x, middle);
    return last([middle, scale], await normalised(x, middle, scale));
  };
}

/**
 * Cosines within a group, over τ, and the weighted returns: norms first, then a row of the group for each row, then one
 * thread a row.
 */
function baselineOf([[rows, features]]) {
  const norm = kernelOf(
    function (x) {
      let sum = 0;
      for (let i = 0; i < this.constants.features; i++) sum += x[this.thread.x][i] * x[this.thread.x][i];
      return Math.sqrt(sum);
    },
    [rows],
    { features },
  );
  const logit = kernelOf(
    function (x, norms) {
      const key = Math.floor(this.thread.y / this.constants.groupSize) * this.constants.groupSize + this.thread.x;
      let sum = 0;
      for (let i = 0; i < this.constants.features; i++) sum += x[this.thread.y][i] * x[key][i];
      return sum / (norms[this.thread.y] * norms[key] * this.constants.temperature);
    },
    [groupSize, rows],
    { features, groupSize, temperature },
  );
  const weighted = kernelOf(
    function (logits, returns) {
      const first = Math.floor(this.thread.x / this.constants.groupSize) * this.constants.groupSize;
      let top = logits[this.thread.x][0];
      for (let i = 1; i < this.constants.groupSize; i++) top = Math.max(top, logits[this.thread.x][i]);
      let total = 0;
      let sum = 0;
      for (let i = 0; i < this.constants.groupSize; i++) {
        const weight = Math.exp(logits[this.thread.x][i] - top);
        total += weight;
        sum += weight * returns[first + i][0];
      }
      return sum / total;
    },
    [rows],
    { groupSize },
  );
  return async ([x, returns]) => {
    const norms = await norm(x);
    const logits = await logit(x, norms);
    return last([norms, logits], await weighted(logits, returns));
  };
}

/** The result, once what it came from is given back. */
function last(intermediate, result) {
  for (const each of intermediate) each.delete();
  return result;
}
