/**
 * ONNX Runtime on WebGPU in the table: `node onnxruntime.mjs [adapter]`, started by `table.mjs`. It has a Dawn of its
 * own.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { groupSize, temperature } from './cases.mjs';
import { onnxModel } from './onnx.mjs';
import { onDriver } from './webgpu.mjs';
import { serve } from './worker.mjs';

/** Nothing may fall back to the CPU in silence. */
const settings = {
  executionProviders: ['webgpu'],
  intraOpNumThreads: 1,
  logSeverityLevel: 3,
  extra: { session: { disable_cpu_ep_fallback: '1' } },
};
const toDevice = { ...settings, preferredOutputLocation: 'gpu-buffer' };

const graphs = {
  nn: ([a, b]) => graph([a, b], [a.shape[0], b.shape[1]], [['MatMul', ['a', 'b'], 'y']]),
  nt: ([a, b]) => graph([a, b], [a.shape[0], b.shape[0]], [['Gemm', ['a', 'b'], 'y', { transB: 1 }]]),
  tn: ([a, b]) => graph([a, b], [a.shape[1], b.shape[1]], [['Gemm', ['a', 'b'], 'y', { transA: 1 }]]),
  softmax: ([x]) => graph([x], x.shape, [['Softmax', ['a'], 'y', { axis: -1 }]]),
  layerNorm: ([x]) =>
    graph([x], x.shape, [['LayerNormalization', ['a', 'scale'], 'y', { axis: -1 }]], [vector('scale', x.shape[1], 1)]),
  baseline: baselineGraph,
};
const names = ['a', 'b'];

const identity = (shape) =>
  onnxModel({ nodes: [['Identity', ['a'], 'y']], inputs: [['a', shape]], outputShape: shape });
const adapter = process.argv[2] ?? '';
if (!['', 'lavapipe', 'swiftshader'].includes(adapter))
  throw new Error(`it cannot be told to run on the adapter "${adapter}"`);
/** Its result is on the host only when the device has done all that was submitted before. */
const waiting = await onDriver(adapter, async () => {
  const model = onnxModel({ nodes: [['Mul', ['a', 'a'], 'y']], inputs: [['a', [1]]], outputShape: [1] });
  const session = await InferenceSession.create(model, settings);
  await session.run({ a: new Tensor('float32', [1], [1]) });
  return session;
});
const one = new Tensor('float32', [1], [1]);

serve(openKernel, () => '');

async function openKernel({ op, inputs }) {
  if (op === 'train') throw new Error('it does not train under Node');
  const session = await InferenceSession.create(graphs[op](inputs), toDevice);
  const feeds = Object.fromEntries(
    await Promise.all(inputs.map(async (input, index) => [names[index], await upload(input)])),
  );
  return {
    run: async () => {
      const { y } = await session.run(feeds);
      await waiting.run({ a: one });
      y.dispose();
    },
    read: async () => {
      const { y } = await session.run(feeds);
      const reading = await InferenceSession.create(identity(y.dims), settings);
      return (await reading.run({ a: y })).y.data;
    },
  };
}

async function upload({ values, shape }) {
  const session = await InferenceSession.create(identity(shape), toDevice);
  return (await session.run({ a: new Tensor('float32', values, shape) })).y;
}

function graph(inputs, outputShape, nodes, constants) {
  return onnxModel({
    nodes,
    inputs: inputs.map(({ shape }, index) => [names[index], shape]),
    outputShape,
    ...(constants && { constants }),
  });
}

function baselineGraph([x, returns]) {
  const [rows, features] = x.shape;
  const groups = rows / groupSize;
  const shapeOf = (name, shape) => ({ name, dtype: 'int64', shape: [shape.length], values: shape });
  const nodes = [
    ['ReduceL2', ['a'], 'norm', { axes: [-1], keepdims: 1 }],
    ['Div', ['a', 'norm'], 'unit'],
    ['Reshape', ['unit', 'blocks'], 'x'],
    ['Transpose', ['x'], 'xT', { perm: [0, 2, 1] }],
    ['MatMul', ['x', 'xT'], 'cosines'],
    ['Div', ['cosines', 'temperature'], 'logits'],
    ['Softmax', ['logits'], 'weights', { axis: -1 }],
    ['Reshape', ['b', 'columns'], 'returns'],
    ['MatMul', ['weights', 'returns'], 'y'],
  ];
  const constants = [
    shapeOf('blocks', [groups, groupSize, features]),
    shapeOf('columns', [groups, groupSize, 1]),
    vector('temperature', 1, temperature),
  ];
  return graph([x, returns], [groups, groupSize, 1], nodes, constants);
}

function vector(name, size, value) {
  return { name, dtype: 'float32', shape: [size], values: new Float32Array(size).fill(value) };
}
