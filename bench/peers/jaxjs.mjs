/**
 * jax-js in the table: `node jaxjs.mjs webgpu|wasm [adapter]`, started by `table.mjs`. Arrays are moved into what uses
 * them; `.ref` keeps one for another use.
 */
import { groupSize, temperature } from './cases.mjs';
import { openTraining } from './jaxjsTrain.mjs';
import { serve } from './worker.mjs';

const [backend, adapter = ''] = process.argv.slice(2);
const gpu = backend === 'webgpu' ? await import('./webgpu.mjs') : null;
await gpu?.provideWebGpu(adapter);
const jax = await import('@jax-js/jax');
const { defaultDevice, init, jit, nn, numpy: np } = jax;
await init(backend);
defaultDevice(backend);

const ops = {
  nn: jit((a, b) => np.matmul(a, b)),
  nt: jit((a, b) => np.matmul(a, np.transpose(b))),
  tn: jit((a, b) => np.matmul(np.transpose(a), b)),
  softmax: jit((x) => nn.softmax(x, -1)),
  layerNorm: jit((x) => {
    const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
    return centred.div(np.sqrt(variance.add(1e-5)));
  }),
  baseline: jit((x, returns) => {
    const unit = x.ref.div(np.sqrt(np.sum(np.square(x), -1, { keepdims: true }))).reshape([-1, groupSize, 1024]);
    const cosines = np.matmul(unit.ref, np.transpose(unit, [0, 2, 1]));
    return np.matmul(nn.softmax(cosines.mul(1 / temperature), -1), returns.reshape([-1, groupSize, 1])).reshape([1024]);
  }),
};

serve(
  async (column) => (column.op === 'train' ? openTraining(jax) : openKernel(column)),
  () => gpu?.adapterName() ?? '',
);

function openKernel({ op, inputs }) {
  const arrays = inputs.map(({ values, shape }) => np.array(values.slice(), { shape: [...shape] }));
  const call = () => ops[op](...arrays.map((array) => array.ref));
  return {
    run: async () => {
      const y = call();
      await y.blockUntilReady();
      await gpu?.deviceIdle();
      y.dispose();
    },
    read: () => call().data(),
  };
}
