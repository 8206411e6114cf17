/** Measures TensorFlow.js on WebGPU: `node tfjs.mjs [adapter]` prints rows as JSON. */
import { isRight, kernelCases, timeOnDevice } from './kernelCases.mjs';
import { deviceIdle, provideWebGpu } from './webgpu.mjs';

provideWebGpu(process.argv[2] ?? '');
const tf = await import('@tensorflow/tfjs-core');
await import('@tensorflow/tfjs-backend-webgpu');
await tf.setBackend('webgpu');
await tf.ready();

const ops = {
  nn: (a, b) => tf.matMul(a, b),
  nt: (a, b) => tf.matMul(a, b, false, true),
  tn: (a, b) => tf.matMul(a, b, true, false),
  softmax: (x) => tf.softmax(x),
  layerNorm: (x) =>
    tf.tidy(() => {
      const { mean, variance } = tf.moments(x, 1, true);
      return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
    }),
};
/** tfjs gathers dispatches until a result is read. */
function submit() {
  const backend = tf.backend();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

const rows = [];
for (const kernelCase of kernelCases) {
  const { name, op, inputs } = kernelCase;
  const tensors = inputs.map(({ values, shape }) => tf.tensor2d(values, shape));
  let y = ops[op](...tensors);
  const ms = await timeOnDevice(async () => {
    y.dispose();
    y = ops[op](...tensors);
    submit();
    await deviceIdle();
  });
  const correct = isRight(kernelCase, await y.data());
  rows.push({ name, library: 'tfjs', ms, correct });
}
console.log(JSON.stringify(rows));
process.exit(0);
