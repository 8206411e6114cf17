/** Measures jax-js on WebGPU: `node jaxjs.mjs [adapter]` prints rows as JSON. Arrays are moved into what uses them; `.ref` keeps one for another use. */
import { isRight, kernelCases, timeOnDevice } from './kernelCases.mjs';
import { deviceIdle, provideWebGpu } from './webgpu.mjs';

provideWebGpu(process.argv[2] ?? '');
const { defaultDevice, init, jit, nn, numpy: np } = await import('@jax-js/jax');
await init('webgpu');
defaultDevice('webgpu');

const layerNorm = (x) => {
  const mean = np.mean(x.ref, -1, { keepdims: true });
  const centred = x.sub(mean);
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred.div(np.sqrt(variance.add(1e-5)));
};
const ops = {
  nn: jit((a, b) => np.matmul(a, b)),
  nt: jit((a, b) => np.matmul(a, np.transpose(b))),
  tn: jit((a, b) => np.matmul(np.transpose(a), b)),
  softmax: jit((x) => nn.softmax(x, -1)),
  layerNorm: jit(layerNorm),
};
const rows = [];
for (const kernelCase of kernelCases) {
  const { name, op, inputs } = kernelCase;
  const arrays = inputs.map(({ values, shape }) => np.array(values.slice(), { shape }));
  const call = () => ops[op](...arrays.map((array) => array.ref));
  let y = call();
  const ms = await timeOnDevice(async () => {
    y.dispose();
    y = call();
    await y.blockUntilReady();
    await deviceIdle();
  });
  const correct = isRight(kernelCase, await y.data());
  rows.push({ name, library: 'jax-js', ms, correct });
}
console.log(JSON.stringify(rows));
process.exit(0);
