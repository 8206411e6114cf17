/** proxmo in the table: `node scripts/run.mjs bench/peers/proxmo.ts [adapter]`, started by `table.mjs`. */
import { proximity } from '../../kernels/proximity.ts';
import { proximityDense } from '../../kernels/proximityDense.ts';
import { TinyGpt } from '../../src/cli/bench/tinyGpt.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { layerNorm } from '../../src/ops/layerNorm.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { constant, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { type Column, groupSize, temperature } from './cases.mjs';
import { learningRate, startValues, trainingCase } from './tinyGpt.mjs';
import { type OpenCase, serve } from './worker.mjs';

const engine = new Engine(await openDevice(process.argv[2] || undefined));
serve(
  (column) => (column.op === 'train' ? openTraining() : openKernel(column)),
  () => engine.gpu.adapter.name,
);

async function openKernel({ name, op, inputs }: Column): Promise<OpenCase> {
  const [a, b] = inputs.map(({ shape, values }, index) => new Variable(`input ${index}`, shape, 'f32', values).tensor);
  const isSparse =
    op === 'baseline' && inputs[0]!.values.filter((value) => value !== 0).length < inputs[0]!.values.length / 4;
  const y = isSparse && b ? sparseBaseline(inputs[0]!, b) : outputOf(op, a, b);
  const reading = await engine.compile({ name, outputs: { y } });
  const resident = await engine.compile({ name, updates: [y] });
  return { run: () => resident.run(), read: async () => (await reading.run()).y };
}

function outputOf(op: Column['op'], a: Tensor | undefined, b: Tensor | undefined): Tensor {
  if (!a) throw new Error('a case without inputs');
  if (op === 'baseline' && b) return baselineOf(a, b);
  if (b) return matmul(a, b, { transposeA: op === 'tn', transposeB: op === 'nt' });
  return op === 'softmax' ? softmax(a) : layerNorm(a, filled(a.dim(1), 1), filled(a.dim(1), 0));
}

/** In one kernel, which computes the groups' blocks alone. */
function baselineOf(x: Tensor, returns: Tensor): Tensor {
  const [rows, features] = [x.dim(0), x.dim(1)];
  const inputs = { x, ranges: constant(rangesOf(rows), [rows, 2], 'u32'), returns };
  return launch(proximityDense, { rows, features, temperature }, inputs, { baseline: [rows], totals: [rows] }).baseline;
}

/** The same for rows as entries, of length 1, in which form proxmo has its features. */
function sparseBaseline(
  { shape: [rows = 0, features = 0], values }: Column['inputs'][number],
  returns: Tensor,
): Tensor {
  const columns: number[] = [];
  const weights: number[] = [];
  const keys: number[] = [];
  for (let row = 0; row < rows; row++) {
    const entries = [...values.subarray(row * features, (row + 1) * features).entries()].filter(
      ([, value]) => value !== 0,
    );
    const norm = Math.hypot(...entries.map(([, value]) => value));
    keys.push(columns.length, columns.length + entries.length, 0, 1);
    columns.push(...entries.map(([column]) => column));
    weights.push(...entries.map(([, value]) => value / norm));
  }
  const inputs = {
    columns: constant(columns, [columns.length], 'u32'),
    weights: constant(weights, [weights.length]),
    keys: constant(keys, [rows, 4], 'u32'),
    ranges: constant(rangesOf(rows), [rows, 2], 'u32'),
    returns: returns.reshape([rows]),
  };
  return launch(proximity, { keys: rows, entries: columns.length, features, temperature }, inputs, { baseline: [rows] })
    .baseline;
}

/** First row of each row's group, and the row after its last. */
function rangesOf(rows: number): number[] {
  return Array.from({ length: rows }, (_, row) => row - (row % groupSize)).flatMap((first) => [
    first,
    first + groupSize,
  ]);
}

function filled(size: number, value: number): Tensor {
  return constant(new Float32Array(size).fill(value), [size]);
}

async function openTraining(): Promise<OpenCase> {
  const gpt = await TinyGpt.create(engine);
  const { slab } = gpt.model;
  const values = new Float32Array(slab.size);
  const start = startValues(slab.parameters.map(({ name, shape }) => [name, ...shape] as const));
  for (const [index, { offset }] of slab.parameters.entries()) values.set(start[index]!, offset);
  engine.write(slab.variable, values);
  return trainingCase(({ tokens, targets }) =>
    gpt.step({ tokens: Uint32Array.from(tokens), targets: Uint32Array.from(targets) }, learningRate),
  );
}
