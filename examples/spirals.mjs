// A network of one's own, trained to tell two spirals apart: node examples/spirals.mjs
import {
  AdamW,
  constant,
  createModule,
  crossEntropy,
  Engine,
  init,
  input,
  linear,
  minimise,
  Random,
  tanh,
} from 'proxmo/engine';
import { openDevice } from 'proxmo/node';

const points = 192;
const random = new Random(1, 'spirals');

/** Points of two spirals that wind around each other once and a half, with a little noise, and which one each is of. */
function spirals() {
  const [x, labels] = [new Float32Array(2 * points), new Uint32Array(points)];
  for (let i = 0; i < points; i++) {
    const along = 0.1 + 0.9 * random.uniform();
    labels[i] = i % 2;
    const angle = 3 * Math.PI * along + Math.PI * labels[i];
    x[2 * i] = along * Math.cos(angle) + 0.02 * random.normal();
    x[2 * i + 1] = along * Math.sin(angle) + 0.02 * random.normal();
  }
  return { x, labels };
}

// A model is an object of parameters; its tensors stand in the same places.
const { tensors, slab } = createModule('spirals', {
  first: { weight: init.normal([48, 2], 2), bias: init.uniform([48], 2) },
  second: { weight: init.glorot([48, 48]), bias: init.zeros([48]) },
  last: { weight: init.glorot([2, 48]), bias: init.zeros([2]) },
});
const logitsOf = (x) => {
  const { first, second, last } = tensors;
  const hidden = tanh(linear(tanh(linear(x, first.weight, first.bias)), second.weight, second.bias));
  return linear(hidden, last.weight, last.bias);
};

const engine = new Engine(await openDevice());
const logits = logitsOf(input('x', [points, 2]));
const even = constant(new Float32Array(points).fill(1 / points), [points]);
const loss = crossEntropy(logits, input('labels', [points], 'u32'), even);
const optimizer = new AdamW(slab, { weightDecay: 1e-3 });
const training = await engine.compile({ name: 'train', outputs: { loss }, ...minimise(loss, optimizer) });
const reading = await engine.compile({ name: 'read', outputs: { logits } });

const seen = spirals();
for (let step = 1; step <= 250; step++) {
  const hyperparameters = optimizer.hyperparameters(step, 0.01);
  const result = await training.run({ ...seen, hyperparameters });
  if (step % 50 === 0) console.log(`step ${step}: loss ${result.loss[0].toFixed(3)}`);
}

const unseen = spirals();
const { logits: answers } = await reading.run({ x: unseen.x });
const right = unseen.labels.filter((label, i) => (answers[2 * i + 1] > answers[2 * i] ? 1 : 0) === label).length;
console.log(`${((100 * right) / points).toFixed(1)} % of ${points} unseen points`);
engine.gpu.destroy();
