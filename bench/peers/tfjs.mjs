/** TensorFlow.js on WebGPU in the table: `node tfjs.mjs [adapter]`, started by `table.mjs`. */
import { groupSize, temperature } from './cases.mjs';
import { loadTensorFlow } from './tfjsLibrary.mjs';
import { openTraining } from './tfjsTrain.mjs';
import { adapterName, deviceIdle, provideWebGpu } from './webgpu.mjs';
import { serve } from './worker.mjs';

await provideWebGpu(process.argv[2] ?? '');
const tf = await loadTensorFlow();

const ops = {
  nn: (a, b) => tf.matMul(a, b),
  nt: (a, b) => tf.matMul(a, b, false, true),
  tn: (a, b) => tf.matMul(a, b, true, false),
  softmax: (x) => tf.softmax(x),
  layerNorm: (x) => {
    const { mean, variance } = tf.moments(x, 1, true);
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
  },
  baseline: (x, returns) => {
    const unit = tf.reshape(tf.div(x, tf.norm(x, 2, 1, true)), [-1, groupSize, x.shape[1]]);
    const weights = tf.softmax(tf.div(tf.matMul(unit, unit, false, true), temperature));
    return tf.matMul(weights, tf.reshape(returns, [-1, groupSize, 1]));
  },
};

serve(async (column) => (column.op === 'train' ? openTraining(tf) : openKernel(column)), adapterName);

function openKernel({ op, inputs }) {
  const tensors = inputs.map(({ values, shape }) => tf.tensor2d(values, [...shape]));
  const call = () => tf.tidy(() => ops[op](...tensors));
  return {
    run: async () => {
      const y = call();
      submit();
      await deviceIdle();
      y.dispose();
    },
    read: () => call().data(),
  };
}

/** tfjs gathers dispatches until a result is read. */
function submit() {
  const backend = tf.backend();
  backend.endComputePassEncoder();
  backend.submitQueue();
}
