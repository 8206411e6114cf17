/**
 * The tiny GPT's training step (`src/cli/bench/tinyGpt.ts`) in jax-js on WebGPU: `node jaxjsTrain.mjs [adapter]` prints a row as JSON. Weights and tokens are those of
 * `test/oracle/tiny_gpt.py`, so that the losses must be its losses.
 */
import { timeOnDevice } from './kernelCases.mjs';
import { provideWebGpu } from './webgpu.mjs';

const [vocabulary, width, layers, heads, hidden, length, batch] = [512, 128, 4, 4, 512, 128, 8];
/** PyTorch's, in float64. */
const expected = [6.315519, 6.262611, 6.182742, 6.09976];

provideWebGpu(process.argv[2] ?? '');
const { defaultDevice, init, jit, nn, numpy: np, valueAndGrad } = await import('@jax-js/jax');
await init('webgpu');
defaultDevice('webgpu');

function* generator(seed) {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 16;
  }
}

const shapes = [
  ['embedding', vocabulary, width],
  ['positions', length, width],
  ...Array.from({ length: layers }, (_, layer) => [
    [`${layer}.qkv`, 3 * width, width],
    [`${layer}.output`, width, width],
    [`${layer}.up`, hidden, width],
    [`${layer}.down`, width, hidden],
  ]).flat(),
  ['head', vocabulary, width],
  ...[...Array.from({ length: layers }, (_, layer) => [`${layer}.attention`, `${layer}.mlp`]).flat(), 'final'].flatMap((name) => [
    [`${name}.norm`, width],
    [`${name}.bias`, width],
  ]),
];

const numbers = generator(7);
const start = shapes.map(([name, ...shape]) => {
  const middle = name.endsWith('norm') ? 1 : 0;
  const count = shape.reduce((product, extent) => product * extent, 1);
  return np.array(
    Float32Array.from({ length: count }, () => middle + (numbers.next().value / 2 ** 15 - 1) / 16),
    { shape },
  );
});

function dataOf(seed) {
  const random = generator(seed);
  const [tokens, targets] = [new Int32Array(batch * length), new Int32Array(batch * length)];
  let token = 0;
  for (let row = 0; row < tokens.length; row++) {
    if (row % length === 0) token = random.next().value % vocabulary;
    tokens[row] = token;
    token = (random.next().value % 2 === 0 ? token * 5 + 1 : token + 7) % vocabulary;
    targets[row] = token;
  }
  return { tokens, targets };
}

const linear = (x, weight) => np.matmul(x, np.transpose(weight));

function layerNorm(x, weight, bias) {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred
    .div(np.sqrt(variance.add(1e-5)))
    .mul(weight)
    .add(bias);
}

/** Above the diagonal, what a key that lies ahead of its query adds to the score. */
const ahead = np.array(
  Float32Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? -1e30 : 0)),
  { shape: [length, length] },
);

function attention(qkv) {
  const [q, k, v] = np.split(qkv, 3, -1).map((part) => np.transpose(part.reshape([batch, length, heads, width / heads]), [0, 2, 1, 3]));
  const scores = np
    .matmul(q, np.transpose(k, [0, 1, 3, 2]))
    .mul(Math.sqrt(heads / width))
    .add(ahead.ref);
  const context = np.matmul(nn.softmax(scores, -1), v);
  return np.transpose(context, [0, 2, 1, 3]).reshape([batch * length, width]);
}

/** @param parameters in the order of `shapes` @param tokens and targets as one-hot rows, `[rows, vocabulary]` */
function lossOf(parameters, tokens, targets) {
  const w = Object.fromEntries(shapes.map(([name], index) => [name, parameters[index]]));
  const norm = (x, name) => layerNorm(x, w[`${name}.norm`], w[`${name}.bias`]);
  let x = np
    .matmul(tokens, w.embedding)
    .reshape([batch, length, width])
    .add(w.positions)
    .reshape([batch * length, width]);
  for (let layer = 0; layer < layers; layer++) {
    const qkv = linear(norm(x.ref, `${layer}.attention`), w[`${layer}.qkv`]);
    x = x.add(linear(attention(qkv), w[`${layer}.output`]));
    x = x.ref.add(linear(nn.gelu(linear(norm(x, `${layer}.mlp`), w[`${layer}.up`]), { approximate: true }), w[`${layer}.down`]));
  }
  const logits = linear(norm(x, 'final'), w.head);
  return np.sum(nn.logSoftmax(logits, -1).mul(targets)).mul(-1 / (batch * length));
}

/** Adam with β 0.9 and 0.999, ε 1e-8. @param rates `[2]`: the corrected learning rate, and √(1 − β₂ᵗ) */
const step = jit((parameters, first, second, tokens, targets, rate, root) => {
  const [loss, gradients] = valueAndGrad(lossOf)(
    parameters.map((value) => value.ref),
    tokens,
    targets,
  );
  const next = parameters.map((value, i) => {
    const m = first[i].mul(0.9).add(gradients[i].ref.mul(0.1));
    const s = second[i].mul(0.999).add(np.square(gradients[i]).mul(0.001));
    const update = m.ref.div(np.sqrt(s.ref).div(root.ref).add(1e-8)).mul(rate.ref);
    return [value.sub(update), m, s];
  });
  rate.dispose();
  root.dispose();
  return [loss, ...[0, 1, 2].map((part) => next.map((values) => values[part]))];
});

const zeros = () => start.map((value) => np.zeros(value.shape));
let state = [start, zeros(), zeros()];
let steps = 0;
const oneHot = (values) => nn.oneHot(np.array(values), vocabulary);
async function train() {
  const { tokens, targets } = dataOf(1 + (steps++ % 4));
  const rate = np.array(1e-3 / (1 - 0.9 ** steps));
  const [loss, ...next] = step(...state, oneHot(tokens), oneHot(targets), rate, np.array(Math.sqrt(1 - 0.999 ** steps)));
  state = next;
  return (await loss.data())[0];
}

const losses = [];
for (let i = 0; i < expected.length; i++) losses.push(await train());
const correct = losses.every((loss, i) => Math.abs(loss - expected[i]) < 2e-3);
console.log(JSON.stringify([{ name: 'training step', library: 'jax-js', ms: await timeOnDevice(train, 7), correct, losses }]));
process.exit(0);
