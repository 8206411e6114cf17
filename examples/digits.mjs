// A small classifier of images without convolutions, a one-block mixer (Tolstikhin et al., arXiv 2105.01601), on drawn
// digits: node examples/digits.mjs
import {
  AdamW,
  add,
  constant,
  createModule,
  crossEntropy,
  Engine,
  gelu,
  init,
  input,
  layerNorm,
  linear,
  loadParameters,
  mean,
  minimise,
  permute,
  Random,
  saveParameters,
} from 'proxmo/engine';
import { openDevice } from 'proxmo/node';

const [side, patch, width, batch] = [12, 3, 32, 100];
const across = side / patch;
const patches = across * across;
const shapes = [
  ['###', '# #', '# #', '# #', '###'],
  [' # ', '## ', ' # ', ' # ', '###'],
  ['###', '  #', '###', '#  ', '###'],
  ['###', '  #', ' ##', '  #', '###'],
  ['# #', '# #', '###', '  #', '  #'],
  ['###', '#  ', '###', '  #', '###'],
  ['###', '#  ', '###', '# #', '###'],
  ['###', '  #', ' # ', ' # ', ' # '],
  ['###', '# #', '###', '# #', '###'],
  ['###', '# #', '###', '  #', '###'],
];
const random = new Random(1, 'digits');

/** A batch of digits, twice as large as above, somewhere in the image, in noise; a row of pixels for each patch. */
function drawn() {
  const [x, labels] = [new Float32Array(batch * side * side), new Uint32Array(batch)];
  for (let i = 0; i < batch; i++) {
    labels[i] = random.below(10);
    const [left, top] = [random.below(side - 5), random.below(side - 9)];
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const isInk = shapes[labels[i]][(row - top) >> 1]?.[(column - left) >> 1] === '#';
        const [of, within] = [
          Math.floor(row / patch) * across + Math.floor(column / patch),
          (row % patch) * patch + (column % patch),
        ];
        x[i * side * side + of * patch * patch + within] = (isInk ? 1 : 0) + 0.2 * random.normal();
      }
    }
  }
  return { x, labels };
}

const dense = (out, inputs, make = init.he) => ({ weight: make([out, inputs]), bias: init.zeros([out]) });
const build = () =>
  createModule('mixer', {
    embed: dense(width, patch * patch),
    mixing: [dense(2 * patches, patches), dense(patches, 2 * patches, init.glorot)],
    channels: [dense(2 * width, width), dense(width, 2 * width, init.glorot)],
    norms: [0, 1].map(() => ({ weight: init.ones([width]), bias: init.zeros([width]) })),
    head: dense(10, width, init.glorot),
  });
const through = ([first, second], x) => linear(gelu(linear(x, first.weight, first.bias)), second.weight, second.bias);

/** x: [batch · patches, pixels of a patch]. */
function logitsOf({ embed, mixing, channels, norms, head }, x) {
  const rows = batch * patches;
  let h = linear(x, embed.weight, embed.bias);
  // Across the patches of an image, for each channel; then across the channels of each patch.
  const turned = permute(h.reshape([batch, patches, width]), [0, 2, 1]).reshape([batch * width, patches]);
  const mixed = permute(through(mixing, turned).reshape([batch, width, patches]), [0, 2, 1]).reshape([rows, width]);
  h = layerNorm(add(h, mixed), norms[0].weight, norms[0].bias, 1e-5);
  h = layerNorm(add(h, through(channels, h)), norms[1].weight, norms[1].bias, 1e-5);
  return linear(mean(h.reshape([batch, patches, width]), 1), head.weight, head.bias);
}

const engine = new Engine(await openDevice());
const [x, labels] = [input('x', [batch * patches, patch * patch]), input('labels', [batch], 'u32')];
const model = build();
const even = constant(new Float32Array(batch).fill(1 / batch), [batch]);
const loss = crossEntropy(logitsOf(model.tensors, x), labels, even);
const optimizer = new AdamW(model.slab);
const training = await engine.compile({ name: 'train', outputs: { loss }, ...minimise(loss, optimizer) });
for (let step = 1; step <= 300; step++) {
  const result = await training.run({ ...drawn(), hyperparameters: optimizer.hyperparameters(step, 0.006) });
  if (step % 50 === 0) console.log(`step ${step}: loss ${result.loss[0].toFixed(3)}`);
}

// What was learned, as a safetensors file, in a model of its own.
const again = build();
loadParameters(engine, again.slab, await saveParameters(engine, model.slab));
const reading = await engine.compile({ name: 'read', outputs: { logits: logitsOf(again.tensors, x) } });
let right = 0;
for (let part = 0; part < 3; part++) {
  const unseen = drawn();
  const { logits } = await reading.run({ x: unseen.x });
  unseen.labels.forEach((label, i) => {
    const scores = logits.subarray(10 * i, 10 * i + 10);
    if (scores.indexOf(Math.max(...scores)) === label) right++;
  });
}
console.log(`${((100 * right) / (3 * batch)).toFixed(1)} % of ${3 * batch} unseen digits`);
engine.gpu.destroy();
