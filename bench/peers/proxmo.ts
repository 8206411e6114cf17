/** proxmo in the table: `node scripts/run.mjs bench/peers/proxmo.ts [adapter]`, started by `table.mjs`. */
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
  const y = outputOf(
    op,
    inputs.map(({ shape, values }, index) => new Variable(`input ${index}`, shape, 'f32', values).tensor),
  );
  const reading = await engine.compile({ name, outputs: { y } });
  const resident = await engine.compile({ name, updates: [y] });
  return { run: () => resident.run(), read: async () => (await reading.run()).y };
}

function outputOf(op: Column['op'], [a, b]: readonly Tensor[]): Tensor {
  if (!a) throw new Error('a case without inputs');
  if (op === 'baseline' && b) return baselineOf(a, b);
  if (b) return matmul(a, b, { transposeA: op === 'tn', transposeB: op === 'nt' });
  return op === 'softmax' ? softmax(a) : layerNorm(a, filled(a.dim(1), 1), filled(a.dim(1), 0));
}

/** In one kernel, which computes the groups' blocks alone. */
function baselineOf(x: Tensor, returns: Tensor): Tensor {
  const [rows, features] = [x.dim(0), x.dim(1)];
  const groups = Array.from({ length: rows }, (_, row) => row - (row % groupSize)).flatMap((first) => [first, first + groupSize]);
  const inputs = { x, ranges: constant(groups, [rows, 2], 'u32'), returns };
  return launch(proximityDense, { rows, features, temperature }, inputs, { baseline: [rows] }).baseline;
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
