/**
 * Measures gpu.js and prints its rows as JSON: `node gpujs.mjs MODE`, where MODE is one of its backends (`cpu`, `webasm`, `headlessgl`, `webgpu`), `gpu` for
 * what it chooses by itself, or `async` for that with threads.
 */
import { createRequire } from 'node:module';
import { GPU, input } from 'gpu.js';
import { cases, checksum, sparseVectors, timeCalls, uniformNumbers } from './cases.mjs';

const mode = process.argv[2] ?? 'gpu';
if (mode === 'webgpu') provideWebGpu();
const gpu = new GPU({ mode });
const intermediate = { pipeline: true, immutable: true };

const calls = { matmul, softmax, proximity };
const rows = [];
for (const { name, shape } of cases) {
  const { call, kernel } = calls[name](shape);
  const ms = await timeCalls(call);
  const result = await call();
  rows.push({ name, shape, library: 'gpu.js', backend: kernel.kernel.constructor.mode, ms, checksum: checksum(flat(result)) });
}
console.log(JSON.stringify(rows));
process.exit(0);

function matmul({ m, n, k }) {
  const kernel = gpu
    .createKernel(function (a, b) {
      let sum = 0;
      for (let i = 0; i < this.constants.k; i++) sum += a[this.thread.y][i] * b[i][this.thread.x];
      return sum;
    })
    .setConstants({ k })
    .setOutput([n, m]);
  const [a, b] = [uniformNumbers(m * k, 1), uniformNumbers(k * n, 2)];
  return { kernel, call: () => kernel(input(a, [k, m]), input(b, [n, k])) };
}

function softmax({ rows: count, width }) {
  const settings = { constants: { width } };
  const largest = gpu.createKernel(
    function (x) {
      let value = x[this.thread.x][0];
      for (let i = 1; i < this.constants.width; i++) value = Math.max(value, x[this.thread.x][i]);
      return value;
    },
    { ...settings, ...intermediate, output: [count] },
  );
  const total = gpu.createKernel(
    function (x, top) {
      let sum = 0;
      for (let i = 0; i < this.constants.width; i++) sum += Math.exp(x[this.thread.x][i] - top[this.thread.x]);
      return sum;
    },
    { ...settings, ...intermediate, output: [count] },
  );
  const kernel = gpu.createKernel(
    function (x, top, sum) {
      return Math.exp(x[this.thread.y][this.thread.x] - top[this.thread.y]) / sum[this.thread.y];
    },
    { output: [width, count] },
  );
  const x = uniformNumbers(count * width, 1);
  const call = async () => {
    const values = input(x, [width, count]);
    const top = await largest(values);
    return kernel(values, top, await total(values, top));
  };
  return { kernel, call };
}

function proximity({ keys, length, features, temperature }) {
  const { vectors, returns } = sparseVectors({ keys, length, features });
  const dense = new Float32Array(keys * features);
  vectors.forEach(({ columns, weights }, key) => {
    columns.forEach((column, e) => {
      dense[key * features + column] = weights[e];
    });
  });
  const similarity = gpu.createKernel(
    function (x) {
      let sum = 0;
      for (let i = 0; i < this.constants.features; i++) sum += x[this.thread.y][i] * x[this.thread.x][i];
      return sum;
    },
    { constants: { features }, ...intermediate, output: [keys, keys] },
  );
  const kernel = gpu.createKernel(
    function (similarities, values) {
      let largest = similarities[this.thread.x][0];
      for (let j = 1; j < this.constants.keys; j++) largest = Math.max(largest, similarities[this.thread.x][j]);
      let total = 0;
      let sum = 0;
      for (let j = 0; j < this.constants.keys; j++) {
        const weight = Math.exp((similarities[this.thread.x][j] - largest) / this.constants.temperature);
        total += weight;
        sum += weight * values[j];
      }
      return sum / total;
    },
    { constants: { keys, temperature }, output: [keys] },
  );
  return { kernel, call: async () => kernel(await similarity(input(dense, [features, keys])), returns) };
}

function flat(result) {
  return typeof result[0] === 'number' ? result : [].concat(...result.map((row) => Array.from(row)));
}

/** Node has no `navigator.gpu`: gives gpu.js the Dawn that proxmo runs on. */
function provideWebGpu() {
  const { create, globals } = createRequire(new URL('../../package.json', import.meta.url))('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });
}
