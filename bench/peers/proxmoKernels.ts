/** Measures proxmo on the cases of `kernelCases.mjs` and prints its rows as JSON: `node scripts/run.mjs bench/peers/proxmoKernels.ts [--adapter lavapipe]`. */
import { openDevice } from '../../src/gpu/device.node.ts';
import { layerNorm } from '../../src/ops/layerNorm.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { constant, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { isRight, kernelCases, timeOnDevice } from './kernelCases.mjs';
import { readOptions } from './options.ts';

const engine = new Engine(await openDevice(readOptions().adapter));
const rows = [];
for (const kernelCase of kernelCases) {
  const { name, op, inputs } = kernelCase;
  const tensors = inputs.map(({ shape, values }, index) => new Variable(`input ${index}`, shape, 'f32', values).tensor);
  const y = outputOf(op, tensors);
  const check = await engine.compile({ name: 'check', outputs: { y } });
  const correct = isRight(kernelCase, (await check.run()).y);
  const program = await engine.compile({ name, updates: [y] });
  rows.push({ name, library: `proxmo on ${engine.gpu.adapter.name}`, ms: await timeOnDevice(() => program.run()), correct });
}
console.log(JSON.stringify(rows));
engine.gpu.destroy();

function outputOf(op: string, [a, b]: readonly Tensor[]): Tensor {
  if (!a) throw new Error('a case without inputs');
  if (!b)
    return op === 'softmax'
      ? softmax(a)
      : layerNorm(a, constant(new Float32Array(a.dim(1)).fill(1), [a.dim(1)]), constant(new Float32Array(a.dim(1)), [a.dim(1)]));
  return matmul(a, b, { transposeA: op === 'tn', transposeB: op === 'nt' });
}
