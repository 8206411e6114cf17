// An estimator of advantages of one's own, whole. In a run: proxmo train --set advantages.estimator=own
// --set advantages.name=./examples/own-estimator.mjs --set advantages.options.quantile=0.25
// By itself, beside GRPO: node examples/own-estimator.mjs
import { pathToFileURL } from 'node:url';

/** Compares the score of an episode with a quantile of its group's scores, where GRPO takes their mean. */
export default function quantileBaseline({ quantile = 0.5 }, { ProxmoError }) {
  if (!(quantile >= 0 && quantile <= 1)) throw new ProxmoError('config', 'quantile must be a number from 0 to 1.');
  return {
    // One advantage for each row of the batch; a row is a turn of an episode.
    estimate({ groups, trajectories }, { score }) {
      const advantage = new Float64Array(score.length);
      for (const group of groups) {
        const scores = group.trajectories.map((index) => score[trajectories[index].rows[0]]).sort((a, b) => a - b);
        const baseline = scores[Math.round(quantile * (scores.length - 1))];
        for (const row of group.rows) advantage[row] = score[row] - baseline;
      }
      return { advantage };
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { defineTaskSet, Engine, registerEstimator, train } = await import('proxmo');
  const { openDevice } = await import('proxmo/node');
  const { default: errands } = await import('./my-env.mjs');
  registerEstimator('quantile', quantileBaseline);
  const gpu = await openDevice();
  const engine = new Engine(gpu);
  for (const advantages of [
    { estimator: 'grpo' },
    { estimator: 'own', name: 'quantile', options: { quantile: 0.25 } },
  ]) {
    const config = {
      advantages,
      prompt: { maxTokens: 128 },
      policy: { dModel: 32, layers: 1, heads: 2, kvHeads: 2, headDim: 16, dFf: 64 },
      sampling: { maxNewTokens: 4, blockSize: 4, constrained: true },
      warmStart: { tasks: 20, epochs: 1 },
      training: { iterations: 3, pool: 8, tasks: 2, groupSize: 4, miniBatches: 1 },
      evaluation: { tasks: 10 },
    };
    const { before, after, trainer } = await train(engine, { taskSet: errands({}, { defineTaskSet }), config }).result;
    console.log(
      `${advantages.name ?? advantages.estimator}: held-out success ${before.success} before, ${after.success} after`,
    );
    await trainer.destroy();
  }
  gpu.destroy();
}
