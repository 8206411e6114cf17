/** The tiny GPT's training step in jax-js. */
import {
  aheadMask,
  batch,
  heads,
  layers,
  learningRate,
  length,
  parameterShapes,
  startValues,
  tokensPerStep,
  trainingCase,
  vocabulary,
  width,
} from './tinyGpt.mjs';

/** @param jax the library, on the device that is to train */
export function openTraining({ jit, nn, numpy: np, valueAndGrad }) {
  const ahead = np.array(aheadMask(), { shape: [length, length] });
  const linear = (x, weight) => np.matmul(x, np.transpose(weight));

  function layerNorm(x, weight, bias) {
    const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
    return centred
      .div(np.sqrt(variance.add(1e-5)))
      .mul(weight)
      .add(bias);
  }

  function attention(qkv) {
    const byHead = (part) => np.transpose(part.reshape([batch, length, heads, width / heads]), [0, 2, 1, 3]);
    const [q, k, v] = np.split(qkv, 3, -1).map(byHead);
    const scores = np
      .matmul(q, np.transpose(k, [0, 1, 3, 2]))
      .mul(Math.sqrt(heads / width))
      .add(ahead.ref);
    const context = np.matmul(nn.softmax(scores, -1), v);
    return np.transpose(context, [0, 2, 1, 3]).reshape([tokensPerStep, width]);
  }

  /**
   * @param parameters in the order of `parameterShapes`
   * @param tokens and targets as one-hot rows, `[rows, vocabulary]`
   */
  function lossOf(parameters, tokens, targets) {
    const w = Object.fromEntries(parameterShapes.map(([name], index) => [name, parameters[index]]));
    const norm = (x, name) => layerNorm(x, w[`${name}.norm`], w[`${name}.bias`]);
    let x = np
      .matmul(tokens, w.embedding)
      .reshape([batch, length, width])
      .add(w.positions)
      .reshape([tokensPerStep, width]);
    for (let layer = 0; layer < layers; layer++) {
      const qkv = linear(norm(x.ref, `${layer}.attention`), w[`${layer}.qkv`]);
      x = x.add(linear(attention(qkv), w[`${layer}.output`]));
      const up = nn.gelu(linear(norm(x.ref, `${layer}.mlp`), w[`${layer}.up`]), { approximate: true });
      x = x.add(linear(up, w[`${layer}.down`]));
    }
    const logits = linear(norm(x, 'final'), w.head);
    return np.sum(nn.logSoftmax(logits, -1).mul(targets)).mul(-1 / tokensPerStep);
  }

  /** Adam with β 0.9 and 0.999, ε 1e-8. @param rate learning rate over 1 − β₁ᵗ @param root √(1 − β₂ᵗ) */
  const update = jit((parameters, first, second, tokens, targets, rate, root) => {
    const [loss, gradients] = valueAndGrad(lossOf)(
      parameters.map((value) => value.ref),
      tokens,
      targets,
    );
    const next = parameters.map((value, i) => {
      const m = first[i].mul(0.9).add(gradients[i].ref.mul(0.1));
      const s = second[i].mul(0.999).add(np.square(gradients[i]).mul(0.001));
      const change = m.ref.div(np.sqrt(s.ref).div(root.ref).add(1e-8)).mul(rate.ref);
      return [value.sub(change), m, s];
    });
    rate.dispose();
    root.dispose();
    return [loss, ...[0, 1, 2].map((part) => next.map((values) => values[part]))];
  });

  const zeros = () => parameterShapes.map(([, ...shape]) => np.zeros(shape));
  const oneHot = (values) => nn.oneHot(np.array(values), vocabulary);
  let state = [
    startValues(parameterShapes).map((values, index) => np.array(values, { shape: parameterShapes[index].slice(1) })),
    zeros(),
    zeros(),
  ];
  return trainingCase(async ({ tokens, targets }, step) => {
    const rate = np.array(learningRate / (1 - 0.9 ** step));
    const [loss, ...next] = update(
      ...state,
      oneHot(tokens),
      oneHot(targets),
      rate,
      np.array(Math.sqrt(1 - 0.999 ** step)),
    );
    state = next;
    return (await loss.data())[0];
  });
}
