/** What an optimiser is given: a column of numbers for each that its loss reads, with one for each reply token. */
import { expect, it } from 'vitest';
import { Transformer } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { Optimiser, type TrainingSequence } from '../../src/rl/optimise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';
import { tinyModelConfig } from '../support/tinyModel.ts';

const config = tinyModelConfig();
const options = { microBatchTokens: 64, checkpointing: 'none', seed: 1 } as const;
const whole: TrainingSequence = {
  ...sequenceOf({ prompt: [1, 2], reply: [3, 4, 5] }),
  columns: { weight: [0.1, 0.1, 0.1], advantage: [1, 1, 1] },
};
const { weight, advantage } = whole.columns;

it.each([
  ['a column is missing', { weight }, 'replies of 3 tokens have no column advantage'],
  ['a column is short', { weight, advantage: [1, 1] }, 'replies of 3 tokens have 2 numbers in their column advantage'],
  [
    'a column is long',
    { weight: [0.1, 0.1, 0.1, 0.1], advantage },
    'replies of 3 tokens have 4 numbers in their column weight',
  ],
  ['the weights are missing', { advantage }, 'replies of 3 tokens have no column weight'],
])('makes no step where %s', async (_, columns, sentence) => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const model = new Transformer(config, 1);
  const before = await engine.read(model.trainable.variable);
  // The loss of the last case does not read the weights; the scale of the loss does.
  const optimiser = new Optimiser(
    engine,
    model,
    options,
    ['advantage', ...('weight' in columns ? ['weight'] : [])],
    ({ logProbs, column }) => {
      const loss = scale(dot(logProbs().logProb, column('advantage')), -1);
      return { loss, statistics: loss };
    },
  );
  const broken = { ...whole, columns: columns as TrainingSequence['columns'] };
  await expect(optimiser.step([whole, broken, whole], 1e-2)).rejects.toThrow(sentence);
  expect(optimiser.progress.steps).toBe(0);
  expect(await engine.read(model.trainable.variable)).toEqual(before);
  optimiser.destroy();
});
