// An estimator of advantages of one's own, whole. In a run: proxmo train --set advantages.estimator=own
// --set advantages.name=./examples/own-estimator.mjs --set advantages.options.quantile=0.25
// By itself, beside GRPO: node examples/own-estimator.mjs
import { pathToFileURL } from 'node:url';

/**
 * Compares the score of an episode with a quantile of its group's scores, where GRPO takes their mean. As there, the
 * difference is divided by the deviation of the scores, so that advantages have the size that other settings expect.
 */
export default function quantileBaseline({ quantile = 0.5, sigmaFloor = 0.1, ...others }, { ProxmoError }) {
  // Nobody else knows which options there are.
  for (const name of Object.keys(others))
    throw new ProxmoError('config', `own-estimator has no option ${name}; it has quantile and sigmaFloor.`);
  if (!(quantile >= 0 && quantile <= 1)) throw new ProxmoError('config', 'quantile must be a number from 0 to 1.');
  return {
    // One advantage for each row of the batch; a row is a turn of an episode.
    estimate({ groups, trajectories }, { score }) {
      const advantage = new Float64Array(score.length);
      for (const group of groups) {
        // The rows of an episode differ in their score where one of its actions was malformed.
        const scores = group.trajectories.map((index) => mean(trajectories[index].rows.map((row) => score[row])));
        const baseline = scores.toSorted((a, b) => a - b)[Math.round(quantile * (scores.length - 1))];
        const deviation = Math.sqrt(mean(scores.map((each) => (each - mean(scores)) ** 2)));
        for (const row of group.rows) advantage[row] = (score[row] - baseline) / Math.max(deviation, sigmaFloor);
      }
      return { advantage };
    },
  };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
