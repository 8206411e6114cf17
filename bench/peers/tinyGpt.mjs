/**
 * The tiny GPT that all libraries train: that of `src/cli/bench/tinyGpt.ts`. Weights and tokens are those of
 * `test/oracle/tiny_gpt.py`, so that the first losses must be PyTorch's.
 */

export const [vocabulary, width, layers, heads, hidden, length, batch] = [512, 128, 4, 4, 512, 128, 8];
export const learningRate = 1e-3;
export const tokensPerStep = batch * length;
/** PyTorch's losses over the first steps of Adam, in float64. */
export const expectedLosses = [6.315519, 6.262611, 6.182742, 6.09976];

/** Name and shape of each parameter; a matrix is `[outputs, inputs]`. */
export const parameterShapes = [
  ['embedding', vocabulary, width],
  ['positions', length, width],
  ...Array.from({ length: layers }, (_, layer) => [
    [`${layer}.qkv`, 3 * width, width],
    [`${layer}.output`, width, width],
    [`${layer}.up`, hidden, width],
    [`${layer}.down`, width, hidden],
  ]).flat(),
  ['head', vocabulary, width],
  ...[...Array.from({ length: layers }, (_, layer) => [`${layer}.attention`, `${layer}.mlp`]).flat(), 'final'].flatMap(
    (name) => [
      [`${name}.norm`, width],
      [`${name}.bias`, width],
    ],
  ),
];

function* generator(seed) {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 16;
  }
}

/**
 * The parameters' first values, in the order of their names and shapes: numbers in ±1/16, around 1 for the weights of
 * norms.
 */
export function startValues(shapes) {
  const numbers = generator(7);
  return shapes.map(([name, ...shape]) => {
    const middle = /norm$/i.test(name) ? 1 : 0;
    const count = shape.reduce((product, extent) => product * extent, 1);
    return Float32Array.from({ length: count }, () => middle + (numbers.next().value / 2 ** 15 - 1) / 16);
  });
}

/** A step's tokens and the tokens after them, sequences one after another. @param step counts from 1 */
export function batchOf(step) {
  const random = generator(1 + ((step - 1) % 4));
  const [tokens, targets] = [new Int32Array(tokensPerStep), new Int32Array(tokensPerStep)];
  let token = 0;
  for (let row = 0; row < tokensPerStep; row++) {
    if (row % length === 0) token = random.next().value % vocabulary;
    tokens[row] = token;
    token = (random.next().value % 2 === 0 ? token * 5 + 1 : token + 7) % vocabulary;
    targets[row] = token;
  }
  return { tokens, targets };
}

/** What attention adds to the scores, `[length, length]`: a key that lies ahead of its query gets no weight. */
export const aheadMask = () =>
  Float32Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? -1e30 : 0));

/**
 * A training run as a case of the table (`worker.mjs`).
 * @param train one step on a batch, which ends with the loss on the host @param step counts from 1
 */
export function trainingCase(train) {
  let step = 0;
  const run = () => train(batchOf(++step), step);
  return {
    run,
    read: async () => {
      const losses = [];
      while (losses.length < expectedLosses.length) losses.push(await run());
      return losses;
    },
  };
}
