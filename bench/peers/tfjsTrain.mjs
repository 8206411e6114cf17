/** The tiny GPT's training step in TensorFlow.js, with its own Adam. */
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

/** @param tf the library, on the backend that is to train */
export function openTraining(tf) {
  const start = startValues(parameterShapes);
  const w = Object.fromEntries(
    parameterShapes.map(([name, ...shape], i) => [name, tf.variable(tf.tensor(start[i], shape), true, name)]),
  );
  const ahead = tf.tensor2d(aheadMask(), [length, length]);
  const linear = (x, weight) => tf.matMul(x, weight, false, true);

  function norm(x, name) {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(
      tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), w[`${name}.norm`]),
      w[`${name}.bias`],
    );
  }

  function gelu(x) {
    const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  }

  function attention(qkv) {
    const byHead = (part) => tf.transpose(tf.reshape(part, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
    const [q, k, v] = tf.split(qkv, 3, 1).map(byHead);
    const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), Math.sqrt(heads / width)), ahead);
    return tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]), [tokensPerStep, width]);
  }

  function lossOf(tokens, targets) {
    const embedded = tf.reshape(tf.gather(w.embedding, tokens), [batch, length, width]);
    let x = tf.reshape(tf.add(embedded, w.positions), [tokensPerStep, width]);
    for (let layer = 0; layer < layers; layer++) {
      x = tf.add(x, linear(attention(linear(norm(x, `${layer}.attention`), w[`${layer}.qkv`])), w[`${layer}.output`]));
      x = tf.add(x, linear(gelu(linear(norm(x, `${layer}.mlp`), w[`${layer}.up`])), w[`${layer}.down`]));
    }
    return tf.losses.softmaxCrossEntropy(tf.oneHot(targets, vocabulary), linear(norm(x, 'final'), w.head));
  }

  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  return trainingCase(async (batchNow) => {
    const loss = tf.tidy(() => {
      const [tokens, targets] = [batchNow.tokens, batchNow.targets].map((values) => tf.tensor1d(values, 'int32'));
      return optimizer.minimize(() => lossOf(tokens, targets), true);
    });
    const [value] = await loss.data();
    loss.dispose();
    return value;
  });
}
