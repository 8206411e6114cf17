/**
 * The tiny GPT's training step, and prefill and decoding of the tiny GPT and of a model of 10 million parameters, as
 * workloads.
 */

import type { FloatStorage } from '../../../kernels/storage.ts';
import { decodeWorkload, prefillWorkload } from './generationWorkloads.ts';
import { model10M } from './sizes.ts';
import {
  TinyGpt,
  tinyGptBatch,
  tinyGptConfig,
  tinyGptData,
  tinyGptFlops,
  tinyGptLength,
  tinyGptTokens,
} from './tinyGpt.ts';
import type { Workload } from './workload.ts';

const trainStep = (precision: FloatStorage): Workload => ({
  name: 'train-step/tiny-gpt',
  shape: `batch=${tinyGptBatch} length=${tinyGptLength}`,
  variant: precision,
  precision,
  flops: tinyGptFlops(),
  bytes: 0,
  tokens: tinyGptTokens,
  open: async (engine) => {
    const gpt = await TinyGpt.create(engine, precision);
    const data = [1, 2, 3, 4].map(tinyGptData);
    const run = (round: number) => gpt.step(data[round % data.length]!);
    return { dispatches: gpt.program.dispatches, run, isCorrect: () => learns(run), destroy: () => gpt.destroy() };
  },
});

/**
 * The loss that the starting weights have on the first batch (6.427 nats), and its fall in 8 steps: below that of
 * uniform guesses.
 */
async function learns(step: (round: number) => Promise<number>): Promise<boolean> {
  const first = await step(0);
  for (let round = 1; round < 8; round++) await step(round);
  return Math.abs(first - startingLoss) < 2e-3 && (await step(8)) < Math.log(tinyGptConfig.vocabSize);
}

const startingLoss = 6.4273;

const tinyGpt = { name: 'tiny-gpt', config: tinyGptConfig };

export const modelWorkloads: readonly Workload[] = [
  trainStep('f32'),
  trainStep('f16'),
  prefillWorkload(tinyGpt, 64),
  decodeWorkload(tinyGpt, 64),
  decodeWorkload(tinyGpt, 1),
  decodeWorkload(model10M, 64),
  decodeWorkload(model10M, 64, 'f16'),
  decodeWorkload(model10M, 1),
  decodeWorkload(model10M, 1, 'f16'),
  decodeWorkload(model10M, 1, 'packed'),
];
