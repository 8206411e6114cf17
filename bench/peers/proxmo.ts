/** Measures proxmo on the cases of `cases.mjs` and prints its rows as JSON: `node scripts/run.mjs bench/peers/proxmo.ts [--adapter lavapipe]`. */
import { proximity as proximityKernel } from '../../kernels/proximity.ts';
import type { InputArray } from '../../kernels/spec.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { cases, checksum, sparseVectors, timeCalls, uniformNumbers } from './cases.mjs';
import { readOptions } from './options.ts';

interface Call {
  readonly output: Tensor;
  readonly inputs: Readonly<Record<string, InputArray>>;
}

type Shape = Readonly<Record<string, number>>;

const calls: Readonly<Record<string, (shape: Shape) => Call>> = { matmul: matmulCall, softmax: softmaxCall, proximity: proximityCall };

const { adapter } = readOptions();
const engine = new Engine(await openDevice(adapter));
const rows = [];
for (const { name, shape } of cases) {
  const { output, inputs } = calls[name]!(shape);
  const program = await engine.compile({ name, outputs: { output } });
  const ms = await timeCalls(() => program.run(inputs));
  const result = await program.run(inputs);
  rows.push({ name, shape, library: 'proxmo', backend: engine.gpu.adapter.name, ms, checksum: checksum(result.output) });
}
console.log(JSON.stringify(rows));
engine.gpu.destroy();

function matmulCall({ m = 0, n = 0, k = 0 }: Shape): Call {
  return {
    output: matmul(input('a', [m, k]), input('b', [k, n])),
    inputs: { a: uniformNumbers(m * k, 1), b: uniformNumbers(k * n, 2) },
  };
}

function softmaxCall({ rows = 0, width = 0 }: Shape): Call {
  return { output: softmax(input('x', [rows, width])), inputs: { x: uniformNumbers(rows * width, 1) } };
}

/** All keys are one group, and each stands for one row without an owner. */
function proximityCall(shape: Shape): Call {
  const { keys = 0, temperature = 1 } = shape;
  const { vectors, returns } = sparseVectors(shape);
  const columns = Uint32Array.from(vectors.flatMap((vector) => vector.columns));
  const weights = Float32Array.from(vectors.flatMap((vector) => vector.weights));
  let end = 0;
  const table = Uint32Array.from(vectors.flatMap((vector) => [end, (end += vector.columns.length), 0, 1]));
  const ranges = Uint32Array.from(vectors.flatMap(() => [0, keys]));
  const tensors = {
    columns: input('columns', [end], 'u32'),
    weights: input('weights', [end]),
    keys: input('keys', [keys, 4], 'u32'),
    ranges: input('ranges', [keys, 2], 'u32'),
    returns: input('returns', [keys]),
  };
  const { baseline } = launch(proximityKernel, { keys, entries: end, temperature }, tensors, { baseline: [keys] });
  return { output: baseline, inputs: { columns, weights, keys: table, ranges, returns } };
}
